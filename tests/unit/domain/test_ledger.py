"""The ledger's values say what was written and what a recall would do again."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_registry.domain.ledger import LedgerEntry, RecallPlan
from airflow_registry.domain.names import ModelName

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = LedgerEntry(
    uid="l",
    output="/out/day=1",
    partition="day=1",
    generation=1,
    model=ModelName("m"),
    number=8,
    dag_id="score",
    run_id="r",
    input_digest=None,
    started_at=NOW,
    committed_at=NOW,
    is_live=True,
    rows=10,
)


@pytest.mark.parametrize(("committed_at", "committed"), [(NOW, True), (None, False)])
def test_an_entry_says_whether_its_writer_finished(committed_at, committed):
    assert json.loads(json.dumps(replace(ENTRY, committed_at=committed_at).to_json())) == {
        "output": "/out/day=1",
        "partition": "day=1",
        "ref": "m:8",
        "committed": committed,
        "live": True,
        "rows": 10,
        "run_id": "r",
    }


def test_a_recall_counts_the_rows_that_are_known():
    assert RecallPlan(model=ModelName("m"), number=8, entries=(ENTRY, replace(ENTRY, rows=None), ENTRY)).rows == 20
    assert RecallPlan(model=ModelName("m"), number=8, entries=()).rows == 0
