"""Several Airflow installations on one registry: with names of their own they never meet, with one name they are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_registry.errors import DeploymentConflictError
from tests.contracts.registry_base import NOON, RegistryBase, run

HERE = replace(run(), started_at=NOON)
THERE = replace(run(), started_at=NOON + timedelta(microseconds=1))


class Deployments(RegistryBase):
    def test_installations_with_names_of_their_own_may_have_the_same_dags_and_runs(self, open_registry, champions):
        berlin, lima = open_registry(deployment="berlin"), open_registry(deployment="lima")
        assert (berlin.register("m", run=HERE).number, lima.register("m", run=THERE).number) == (1, 2)
        champions(1)
        assert berlin.pin("lead", HERE).number == 1
        champions(1)
        assert (berlin.pin("lead", HERE).number, lima.pin("lead", THERE).number) == (1, 2)

    def test_a_registration_of_another_installation_of_the_same_name_is_never_taken_for_ones_own(self, registry, everything):
        registry.register("m", run=HERE)
        before = everything()
        for call in (lambda: registry.register("m", run=THERE), lambda: registry.find_registration("m", THERE)):
            with pytest.raises(DeploymentConflictError, match="call themselves 'default'.*AIRFLOW_REGISTRY_DEPLOYMENT"):
                call()
        assert everything() == before

    def test_a_retry_of_the_same_run_is_the_same_registration(self, registry):
        assert registry.register("m", run=HERE).uid == registry.register("m", run=HERE).uid
        assert registry.find_registration("m", run()).number == 1  # whoever does not know when its run began is believed

    def test_a_cleared_run_begins_anew_and_is_no_conflict(self, registry, champions):
        registry.register("m", run=HERE)
        assert registry.register("m", run=replace(THERE, clear_number=1)).number == 2
        champions(1)
        registry.pin("lead", HERE)
        assert registry.pin("lead", replace(THERE, clear_number=1)).number == 1

    def test_a_promotion_of_another_installation_of_the_same_name_is_never_taken_for_ones_own(self, registry, champions, everything):
        registry.register("lead")
        registry.promote("lead", 1, reason="first", run=HERE)
        before = everything()
        with pytest.raises(DeploymentConflictError, match="stage change of lead:1"):
            registry.promote("lead", 1, reason="first", run=THERE)
        assert everything() == before

    def test_a_pin_of_another_installation_of_the_same_name_is_never_taken_for_ones_own(self, registry, champions, everything):
        champions(1)
        registry.pin("lead", HERE)
        before = everything()
        for repin in (False, True):
            with pytest.raises(DeploymentConflictError, match="pin on 'lead'"):
                registry.pin("lead", THERE, repin=repin)
        assert everything() == before
