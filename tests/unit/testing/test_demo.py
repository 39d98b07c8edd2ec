from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from airflow_registry.domain.ledger import LedgerEntry
from airflow_registry.domain.promotion import Reason
from airflow_registry.errors import InvalidInputError
from airflow_registry.testing import demo
from airflow_registry.testing.flight_loop import Step
from airflow_registry.testing.flights import Delivery

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUNG = {"dag_run_id": "asset_triggered__1", "run_type": "asset_triggered", "triggering_user_name": None}


def entry(output, number):
    return LedgerEntry(
        uid="e", output=output, partition="month=2013-02", generation=1, model="m", number=number, dag_id="d", run_id="asset_triggered__1",
        input_digest=None, started_at=NOW, committed_at=NOW, is_live=True, rows=24951,
    )  # fmt: skip


def step(*, promoted, inference=None):
    held, broken = (
        Reason(rule="a", passed=True, text="fine"),
        Reason(rule="b", passed=False, text="log_loss on '/x/y/month=2013-02' is worse"),
    )
    none = Reason(rule="c", passed=None, text="no champion")
    return Step(
        holdout=Delivery(month="2013-02", flights=1000, without_arrival=10, late_share=0.2),
        training_run="manual__1",
        challenger=2,
        champion=1,
        metrics={"1": {"roc_auc": 0.6, "log_loss": 0.5}, "2": {"roc_auc": 0.7, "log_loss": 0.4}},
        outcome="APPROVED" if promoted else "REFUSED",
        reasons=[held, none] if promoted else [held, broken],
        promoted=promoted,
        inference=inference,
        scored=[entry("/p/month=2013-02", 2), entry("/predictions_by_path/x", 2)] if inference else [],
    )


def shown(*steps):
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123  closed with the process
    console.print(demo.table(steps))
    console.file.close()
    return console.export_text()


def test_the_table_tells_a_promotion_from_a_refusal():
    text = shown(step(promoted=True, inference=RUNG), step(promoted=False))
    for expected in ("v2 is champion", "990 flights", "0.700, 0.400", "(v1: 0.600, 0.500)", "1 rules hold", "1 need a champion"):
        assert expected in text
    for expected in (
        "24,951 rows by v2",
        "(by path)",
        "started by nobody",
        "REFUSED",
        "v1 stays",
        "log_loss on month=2013-02",
        "nobody was rung",
    ):
        assert expected in text


def test_a_first_version_that_is_refused_leaves_nobody_champion():
    assert "nobody is champion" in shown(replace(step(promoted=False), champion=None))


def test_the_demo_fails_if_it_did_not_show_what_it_claims():
    assert demo.unseen([step(promoted=True, inference=RUNG), step(promoted=False)]) == []
    assert demo.unseen([step(promoted=True, inference=RUNG)]) == ["a refusal with its reason"]
    by_a_person = RUNG | {"run_type": "manual", "triggering_user_name": "admin"}
    assert demo.unseen([step(promoted=True, inference=by_a_person), step(promoted=False)]) == [
        "an inference run that nobody started, and what it wrote"
    ]
    assert len(demo.unseen([])) == 3


def test_it_removes_only_what_a_demo_made(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InvalidInputError, match="no demo made it"):
        demo._fresh(tmp_path)
    assert (tmp_path / "thesis.tex").exists()

    made = demo._fresh(tmp_path / "new")
    (made / "old").touch()
    assert not (demo._fresh(made) / "old").exists()


def test_months_run_from_first_to_last():
    assert demo._options(["--first", "2013-05", "--last", "2013-07"]).months == ("2013-05", "2013-06", "2013-07")
    with pytest.raises(SystemExit):
        demo._options(["--first", "2013-05", "--last", "2013-04"])
