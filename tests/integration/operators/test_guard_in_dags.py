"""An automatic rollback in a real Airflow: the consumer runs again, with the version that came back."""

from __future__ import annotations

import pytest

from airflow_registry.domain.ledger import Written

pytestmark = pytest.mark.airflow

POLICY = {"rules": [{"metric": "accuracy", "at_least": 0.5}], "burn_in": {"for": "3d", "null_share": 0.1}}
DAGS = """
from airflow.sdk import dag
from airflow_registry import production
from airflow_registry.operators import GuardChampionOperator, ResolveModelOperator

@dag(schedule=None)
def guard_lead():
    GuardChampionOperator(model="lead")

@dag(schedule=[production("lead", consumer="use_lead").asset])
def use_lead():
    ResolveModelOperator(model="lead")

guard_lead(); use_lead()
"""


@pytest.fixture
def dags(tmp_path):
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "lead.py").write_text(DAGS)
    return folder


@pytest.fixture
def broken(registry):
    for number in (1, 2):
        registry.register("lead", metrics={"accuracy": 0.9})
        registry.promote("lead", number, decision=registry.decide("lead", number, policy=POLICY))
    intent = registry.open_output("/out/a", partition="a", model="lead", version=2)
    registry.commit_output(intent, Written(uri="/out/a", rows=1000, null_predictions=101))


def test_a_broken_burn_in_rings_the_consumer_which_uses_the_version_that_came_back(registry, broken, run_loop, dags):
    guarded, used = run_loop(dags, "guard_lead")
    assert (guarded.state, guarded.xcom("guard_champion", key="rolled_back")) == ("success", True)
    assert (used.dag_id, used.run_type, used.xcom("resolve_model", key="version")) == ("use_lead", "asset_triggered", 1)
    assert registry.get("lead:2").stage == "ARCHIVED"
