"""Versions: numbers, identities, bytes and everything that is known about them."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from airflow_registry import Dataset
from airflow_registry.domain.model import Column, Lineage, RuntimeMetrics, Signature
from airflow_registry.domain.names import Digest
from airflow_registry.domain.promotion import Outcome
from airflow_registry.errors import (
    InvalidInputError,
    InvalidMetricError,
    ModelNotFoundError,
    VersionNotFoundError,
)
from tests.contracts.registry_base import NOON, POLICY, RegistryBase, run


class Registering(RegistryBase):
    # -- numbers -----------------------------------------------------------------------------------------------------------
    def test_numbers_count_from_one_and_ten_comes_after_nine(self, registry):
        made = [registry.register("lead").number for _ in range(11)]
        assert made == [version.number for version in registry.versions("lead")] == list(range(1, 12))
        assert registry.get("lead:10").number == 10

    def test_each_model_counts_for_itself(self, registry):
        assert [registry.register(name).ref for name in ("a", "b", "a", "b")] == ["a:1", "b:1", "a:2", "b:2"]
        assert [(model.name, model.versions, model.champion) for model in registry.models()] == [("a", 2, None), ("b", 2, None)]

    def test_a_name_is_the_same_model_in_any_case_and_keeps_its_first_spelling(self, registry):
        registry.register("Lead_Scoring")
        assert registry.register("lead_SCORING").ref == "Lead_Scoring:2"
        assert registry.get("LEAD_scoring:2").model == "Lead_Scoring"
        assert len(registry.models()) == 1

    def test_a_number_cannot_be_given_twice_even_by_raw_sql(self, registry, sql):
        registry.register("lead")
        registry.register("lead")
        with pytest.raises(Exception, match=r"(?i)unique"):
            sql("UPDATE airflow_registry_versions SET number = 1 WHERE number = 2")

    def test_what_was_registered_is_not_changed_by_what_comes_later(self, registry):
        first = registry.register("lead", metrics={"auc": 0.5}, description="one", tags={"a": "b"})
        registry.register("lead", metrics={"auc": 0.9}, description="two")
        registry.record_metrics("lead", 1, {"auc": 0.1})
        assert registry.get("lead:1") == first

    # -- identity ----------------------------------------------------------------------------------------------------------
    def test_a_retry_returns_the_version_that_its_earlier_try_made(self, registry, everything):
        first = registry.register("lead", metrics={"auc": 0.5}, run=run())
        before = everything()
        again = registry.register("lead", metrics={"auc": 0.7}, run=run())
        assert again == first
        assert again.created  # for a condition downstream the retry is the same piece of work
        assert everything() == before
        assert registry.find_registration("LEAD", run()) == first

    @pytest.mark.parametrize(
        "other",
        [run("tuesday"), run(dag_id="other"), run(task_id="other"), run(map_index=3)],
        ids=["run", "dag", "task", "map index"],
    )
    def test_another_piece_of_work_makes_another_version(self, registry, other):
        registry.register("lead", run=run())
        assert registry.find_registration("lead", other) is None
        assert registry.register("lead", run=other).number == 2

    def test_the_same_task_may_register_several_models(self, registry):
        assert registry.register("a", run=run()).ref == "a:1"
        assert registry.register("b", run=run()).ref == "b:1"

    def test_two_deployments_do_not_share_identities(self, registry, open_registry):
        registry.register("lead", run=run())
        assert open_registry(deployment="other").register("lead", run=run()).number == 2

    def test_a_clear_with_the_same_bytes_keeps_the_version(self, registry, tmp_path, everything):
        (tmp_path / "model.bin").write_bytes(b"weights")
        first = registry.register("lead", str(tmp_path / "model.bin"), run=run())
        before = everything()
        cleared = registry.register("lead", str(tmp_path / "model.bin"), run=run(clear=1))
        assert (cleared.number, cleared.uid, cleared.created) == (1, first.uid, False)
        assert everything() == before

    def test_a_clear_with_other_bytes_makes_a_new_version(self, registry, tmp_path):
        artifact = tmp_path / "model.bin"
        for clear, content, number in [(0, b"one", 1), (1, b"two", 2), (2, b"one", 1), (3, b"three", 3)]:
            artifact.write_bytes(content)
            assert registry.register("lead", str(artifact), run=run(clear=clear)).number == number

    def test_a_clear_of_a_task_without_bytes_makes_a_new_version(self, registry):
        assert [registry.register("lead", run=run(clear=clear)).number for clear in (0, 1, 1)] == [1, 2, 2]

    def test_outside_airflow_a_key_makes_it_the_same_registration(self, registry):
        first = registry.register("lead", metrics={"auc": 0.5}, idempotency_key="2026-01")
        again = registry.register("Lead", metrics={"auc": 0.5}, idempotency_key="2026-01")
        assert (again.number, again.uid) == (first.number, first.uid)
        assert (first.created, again.created) == (True, False)
        assert registry.register("lead", idempotency_key="2026-02").number == 2
        assert registry.register("other", idempotency_key="2026-01").number == 1

    @pytest.mark.parametrize("key", ["", "  ", 7])
    def test_a_key_that_distinguishes_nothing_is_refused(self, registry, unchanged, key):
        unchanged()
        with pytest.raises(InvalidInputError, match="different for every piece of work"):
            registry.register("lead", idempotency_key=key)

    def test_two_identities_at_once_are_refused(self, registry, unchanged):
        unchanged()
        with pytest.raises(InvalidInputError, match="not both"):
            registry.register("lead", run=run(), idempotency_key="x")

    # -- facts -------------------------------------------------------------------------------------------------------------
    def test_everything_that_is_said_about_a_version_is_read_again(self, registry, open_registry, tmp_path):
        (tmp_path / "model.bin").write_bytes(b"weights")
        data = Dataset("train", uri="s3://lake/train", digest=Digest("sha256:" + "a" * 64), rows=1200)
        made = registry.register(
            "risk.lead",
            tmp_path / "model.bin",
            metrics={"auc": 0.9, "loss": Decimal("0.25")},
            evaluated_on=Dataset("holdout", rows=100),
            signature=Signature(inputs=(Column(name="x", type="double"), Column(name="größe")), output="int64"),
            description="Größe 🦉 'quoted'; DROP TABLE models;--",
            change_note="more rows",
            datasets=[data, Dataset("extra")],
            parameters={"depth": np.int64(3), "rates": (0.1, 0.2), "nested": {"on": True, "none": None}},
            tags={"team": "risk"},
            runtime=RuntimeMetrics(training_seconds=1.5, peak_memory_bytes=2**40),
            lineage=Lineage(
                published_by="approver", trained_by="grace", bundle_name="dags", bundle_version="abc", git_commit="c" * 40,
                container_image="repo/image@sha256:1", packages={"numpy": "2"},
            ),
            run=run(map_index=4),
        )  # fmt: skip
        read = open_registry().get("risk.lead:1")
        assert read == made
        assert read.registered_at == NOON
        assert read.metrics == {"auc": 0.9, "loss": 0.25}
        assert read.parameters == {"depth": 3, "rates": [0.1, 0.2], "nested": {"on": True, "none": None}}
        assert read.datasets == (data, Dataset("extra"))
        assert (read.lineage.dag_id, read.lineage.run_id, read.lineage.task_id, read.lineage.map_index) == ("train", "monday", "fit", 4)
        assert (read.lineage.published_by, read.lineage.trained_by, read.lineage.git_commit) == ("approver", "grace", "c" * 40)

    def test_what_nobody_says_is_filled_in(self, registry, monkeypatch):
        lineage = registry.register("lead").lineage
        assert lineage.published_by == lineage.trained_by == registry.core.user != ""
        assert {"python", "airflow-registry", "numpy"} <= set(lineage.packages)
        assert lineage.deployment == "default"
        assert lineage.dag_id is lineage.run_id is lineage.task_id is lineage.map_index is None

    def test_the_container_image_comes_from_the_environment(self, open_registry, monkeypatch):
        monkeypatch.setenv("AIRFLOW_REGISTRY_CONTAINER_IMAGE", "repo/image:1")
        assert open_registry().register("lead").lineage.container_image == "repo/image:1"

    def test_a_data_set_may_be_given_alone(self, registry):
        assert registry.register("lead", datasets=Dataset("one")).datasets == (Dataset("one"),)

    @pytest.mark.parametrize(
        "facts",
        [
            {"description": 5}, {"change_note": b"x"}, {"evaluated_on": "holdout"}, {"datasets": ["holdout"]}, {"datasets": 5},
            {"signature": {}}, {"runtime": 5.0}, {"lineage": {}}, {"run": "monday"}, {"copy": "no"}, {"format": 3},
            {"parameters": [1]}, {"parameters": {"x": object()}}, {"parameters": {"x": math.nan}}, {"tags": {"x": 1}}, {"tags": "x"},
            {"description": "a\x00b"}, {"change_note": "half a character \ud800"}, {"tags": {"x": "\ud800"}},
            {"evaluated_on": Dataset("huge", rows=10**30), "metrics": {"auc": 0.5}},
            {"metrics": {"m" * 251: 0.5}},
        ],
        ids=lambda facts: f"{next(iter(facts))}-{str(next(iter(facts.values())))[:12]!a}",
    )  # fmt: skip
    def test_facts_of_another_kind_are_refused_with_nothing_registered(self, registry, unchanged, facts):
        unchanged()
        with pytest.raises(InvalidInputError):
            registry.register("lead", **facts)

    def test_an_unknown_format_is_refused_before_anything_is_stored(self, registry, tmp_path, unchanged):
        unchanged()
        (tmp_path / "model.bin").write_bytes(b"weights")
        with pytest.raises(InvalidInputError, match="'onyx' is not a format"):
            registry.register("lead", tmp_path / "model.bin", format="onyx")
        assert not (tmp_path / "artifacts" / "plain").exists()

    # -- metrics -----------------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        "value", [1, 0.5, Decimal("0.5"), Fraction(1, 2), np.float32(0.5), np.float64(0.5), np.int64(1), np.array(0.5)], ids=repr
    )
    def test_numbers_of_every_kind_are_metrics(self, registry, value):
        registry.register("lead", metrics={"auc": value})
        assert registry.get("lead:1").metrics == {"auc": float(value)}

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), Decimal("Infinity"), 10**400], ids=str)
    def test_a_metric_that_is_not_finite_is_kept_and_never_approved(self, registry, value):
        registry.register("lead", metrics={"auc": value, "accuracy": 0.9})
        kept = registry.get("lead:1").metrics["auc"]
        assert not math.isfinite(kept)
        for rule in ({"metric": "auc", "at_least": 0}, {"metric": "auc", "at_most": 1}):
            decision = registry.decide("lead", 1, policy={"schema": 1, "rules": [rule, {"metric": "accuracy", "at_least": 0.1}]})
            assert decision.outcome is Outcome.REFUSED

    @pytest.mark.parametrize(
        "value", [True, np.bool_(1), "0.9", None, {"a": 1}, [0.9], np.array([0.9]), 1j, pytest.param(object(), id="object")], ids=repr
    )
    def test_what_is_no_number_does_not_register(self, registry, unchanged, value):
        unchanged()
        with pytest.raises(InvalidMetricError, match="'auc' is not a number"):
            registry.register("lead", metrics={"auc": value, "accuracy": 0.9})

    @pytest.mark.parametrize("metrics", [{"": 0.9}, {3: 0.9}, [("auc", 0.9)], "auc", 0.9], ids=repr)
    def test_metrics_without_names_do_not_register(self, registry, unchanged, metrics):
        unchanged()
        with pytest.raises(InvalidMetricError):
            registry.register("lead", metrics=metrics)

    def test_a_version_without_metrics_registers_and_is_not_approved(self, registry):
        registry.register("lead", metrics={})
        decision = registry.decide("lead", 1, policy=POLICY)
        assert not decision.approved
        assert "auc" in decision.reasons[0].text

    def test_metrics_recorded_later_count_and_none_at_all_are_refused(self, registry):
        registry.register("lead")
        evaluation = registry.record_metrics("lead", "v1", {"auc": 0.91}, evaluated_on=Dataset("holdout", rows=10))
        assert (evaluation.source, evaluation.of(1), evaluation.data) == ("recorded", {"auc": 0.91}, Dataset("holdout", rows=10))
        assert registry.decide("lead", 1, policy=POLICY).approved
        with pytest.raises(InvalidMetricError, match="no metric to record"):
            registry.record_metrics("lead", 1, {})

    # -- names and numbers -------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        "name",
        [
            "../../etc",
            "a/b",
            "a b",
            "it's",
            'a"b',
            "x;DROP TABLE models",
            "🦉",
            "",
            "x" * 300,
            ".hidden",
            "-rf",
            None,
            5,
            "a\nb",
            "{{ model }}",
        ],
    )
    def test_a_bad_name_is_refused_by_every_verb(self, registry, unchanged, name):
        unchanged()
        calls = [
            lambda: registry.register(name),
            lambda: registry.versions(name),
            lambda: registry.production(name),
            lambda: registry.decide(name, 1, policy={"schema": 1, "rules": [{"metric": "auc", "at_least": 0.5}]}),
            lambda: registry.promote(name, 1, reason="x"),
            lambda: registry.rollback(name, reason="x"),
            lambda: registry.pin(name, run()),
            lambda: registry.recall(name, 1),
        ]
        for call in calls:
            with pytest.raises(InvalidInputError, match=r"not a model name|not rendered"):
                call()

    def test_an_unknown_model_is_said_to_be_unknown_by_every_verb(self, registry, unchanged):
        unchanged()
        calls = [
            lambda: registry.versions("lead"),
            lambda: registry.get("lead:1"),
            lambda: registry.production("lead"),
            lambda: registry.production_at("lead", NOON),
            lambda: registry.history("lead"),
            lambda: registry.decisions("lead"),
            lambda: registry.record_metrics("lead", 1, {"auc": 1}),
            lambda: registry.decide("lead", 1, policy=POLICY),
            lambda: registry.promote("lead", 1, reason="x"),
            lambda: registry.move("lead", 1, "ARCHIVED"),
            lambda: registry.rollback("lead", reason="x"),
            lambda: registry.pin("lead", run()),
            lambda: registry.open_output("/out", partition="p", model="lead", version=1),
            lambda: registry.predictions("lead"),
            lambda: registry.recall("lead", 1),
        ]
        for call in calls:
            with pytest.raises(ModelNotFoundError, match="There is no model 'lead'"):
                call()

    @pytest.mark.parametrize("number", [2, "2", "v2", "V2", np.int64(2)])
    def test_a_version_may_be_written_as_number_or_text(self, registry, number):
        registry.register("lead")
        registry.register("lead", metrics={"auc": 0.9})
        assert registry.decide("lead", number, policy=POLICY).number == 2
        assert registry.promote("lead", number, reason="x").number == 2

    @pytest.mark.parametrize(
        "number", [0, -1, "0", "1.0", 1.0, True, "latest", "", "v", None, "\uff12", 10**30, "1; DROP TABLE", b"1"], ids=repr
    )
    def test_what_is_no_version_is_refused(self, registry, unchanged, number):
        registry.register("lead")
        unchanged()
        for call in (
            registry.recall,
            lambda *given: registry.promote(*given, reason="x"),
            lambda *given: registry.move(*given, "ARCHIVED"),
        ):
            with pytest.raises(InvalidInputError, match="is not a version"):
                call("lead", number)

    def test_a_version_that_was_never_given_out_is_unknown(self, registry, unchanged):
        registry.register("lead")
        unchanged()
        with pytest.raises(VersionNotFoundError, match="no version 7: its newest version is 1"):
            registry.get("lead:7")
        with pytest.raises(VersionNotFoundError):
            registry.promote("lead", 2, reason="x")

    def test_times_are_aware_and_come_from_the_clock(self, registry, clock):
        registry.register("lead")
        clock.advance(days=1)
        assert registry.register("lead").registered_at - registry.get("lead:1").registered_at == timedelta(days=1)
        assert registry.get("lead:1").registered_at.tzinfo is not None
