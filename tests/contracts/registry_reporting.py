"""The report on every database: what its statements answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_registry.domain.report import limits
from airflow_registry.errors import ModelNotFoundError, NoChampionError, VersionNotFoundError
from tests.contracts import reported
from tests.contracts.registry_base import NOON, RegistryBase


class Reporting(RegistryBase):
    def test_it_holds_what_the_reading_verbs_say_and_changes_nothing(self, registry, tmp_path, clock, unchanged):
        reported.tell(registry, str(tmp_path), clock)
        unchanged()
        found = registry.report("late:2")
        again = registry.report("late:2")
        assert replace(found, previous=None) == replace(again, previous=None)  # v1 holds a NaN, which equals nothing
        assert repr(found) == repr(again)
        assert found.version == registry.get("late:2") == registry.report("late@production").version
        assert found.model == next(model for model in registry.models() if model.name == "late")
        assert found.standing == registry.standing("late")
        assert [record.decision for record in found.decisions] == [entry for entry in registry.decisions("late") if entry.number == 2]
        assert found.votes == registry.votes("late", 2)
        assert found.waivers == registry.waivers("late", 2)
        assert found.changes == tuple(change for change in registry.history("late") if change.number == 2)
        assert (found.registry, found.deployment) == (registry.describe()["registry_uid"], registry.deployment)
        assert repr(found.previous) == repr(registry.get("late:1"))
        scoring, written = found.scoring, registry.predictions("late", 2)
        assert (scoring.outputs, scoring.live, scoring.unfinished, scoring.rows, scoring.quarantined) == (1, 1, 1, 90, 10)
        assert {type(scoring.rows), type(scoring.quarantined)} == {int}
        assert scoring.first == scoring.last == written[0].committed_at
        assert scoring.unrecorded == registry.recall("late", 2).unrecorded
        assert {entry.evaluation.source: entry.uses for entry in found.evaluations} == {"evaluate": 2, "recorded": 0}
        assert [entry.seq for entry in found.audit.entries] == sorted(entry.seq for entry in found.audit.entries)
        assert found.audit.head.seq == max(entry.seq for entry in registry.audit_entries(limit=1))

    def test_a_bare_version_has_a_report_that_invents_nothing(self, registry):
        registry.register("lead")
        found = registry.report("lead:1")
        assert (found.evaluations, found.decisions, found.votes, found.waivers, found.changes, found.tenures, found.history) == ((),) * 7
        assert (found.previous, found.scoring.first, found.model.purpose, found.at) == (None, None, None, NOON)
        assert any("No evaluation" in limit for limit in limits(found))

    def test_what_is_not_there_has_no_report(self, registry):
        with pytest.raises(ModelNotFoundError):
            registry.report("lead:1")
        registry.register("lead")
        with pytest.raises(VersionNotFoundError):
            registry.report("lead:2")
        with pytest.raises(NoChampionError):
            registry.report("lead@production")
