"""The ledger's commands: who wrote an output on a day, and taking back what a bad version wrote."""

from __future__ import annotations

import json
import shlex

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.modeling.signature import capture

RECALL_KEYS = [
    "model", "ref", "uid", "number", "target", "by", "reason", "partitions", "done", "closed", "target_ref", "at", "closed_at",
    "unrecorded",
]  # fmt: skip
SPARK = RunKey(dag_id="spark", run_id="monday", task_id="job", map_index=2)


@pytest.fixture
def recipe(tmp_path):
    def of(partition):
        folder = tmp_path / "in" / partition
        folder.mkdir(parents=True)
        pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0]}).to_parquet(folder / "rows.parquet", index=False)
        return {"operator": "batch_inference", "input": str(folder), "keys": None, "proba": False, "max_quarantine_share": 0.01}

    return of


@pytest.fixture
def lead(registry, recipe, tmp_path):
    """Version 2 is champion and wrote three partitions, one of them by another program; version 1 wrote one."""
    for shift in (0.0, 100.0):
        model = LinearRegression().fit([[0.0], [1.0]], [shift, 1 + shift])
        version = registry.register("lead", model, signature=capture(model, pd.DataFrame({"x": [0.0, 1.0]})))
        registry.promote("lead", version.number, reason="better")
    for version, partition, options in (
        (1, "a", {}),
        (2, "b", {"recipe": recipe("b")}),
        (2, "c", {"recipe": recipe("c")}),
        (2, "d", {"run": SPARK}),
    ):
        output = str(tmp_path / "out" / partition)
        intent = registry.open_output(output, partition=partition, model="lead", version=version, **options)
        registry.commit_output(intent, Written(uri=output, rows=2, size_bytes=2048, seconds=1.26))
    registry.pin("lead", RunKey(dag_id="notebook", run_id="r1", task_id="t"))
    return registry


def test_who_wrote_an_output_on_a_day(lead, command, answer, tmp_path):
    again = lead.open_output(str(tmp_path / "out" / "a"), partition="a", model="lead", version=2)
    lead.commit_output(again, Written(uri="/x"))
    asked = ("predictions", "--output", tmp_path / "out", "--partition", "a")
    assert [entry["version"] for entry in answer(*asked)["predictions"]] == [1, 2]
    assert [entry["version"] for entry in answer(*asked, "--at", f"{lead.core.now():%Y-%m-%d}")["predictions"]] == [2]
    assert command(*asked, "--at", "2020-01-31")[1] == f"Nobody wrote {tmp_path / 'out'}, as far as is known.\n"
    lines = [line.split() for line in command("predictions", "lead:2")[1].splitlines()]
    assert lines[0] == ["output", "version", "state", "rows", "quarantined", "started", "run", "seconds", "decision"]
    assert lines[1][1:4] == ["2", "live", "2"]
    assert "1.3" in lines[1]


def test_what_is_written_beside_the_champion_is_called_shadow(lead, command, tmp_path):
    lead.open_output(str(tmp_path / "out" / ".shadow"), partition="a", model="lead", version=1, is_shadow=True)
    assert "shadow, unfinished" in command("predictions", "lead:1")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("predictions",),
        ("predictions", "lead", "--output", "/x"),
        ("predictions", "lead", "--at", "2026-01-31"),
        ("predictions", "--output", "/x", "--at", "7d"),
        ("recall", "lead:2", "--here"),
        ("recall", "lead:2", "--reason", "x"),
        ("recall", "lead:2", "--apply"),
        ("recalls", "lead", "--partitions", "x"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_wrong_usage(lead, command, arguments):
    try:
        code, _, err = command(*arguments)
    except SystemExit as left:
        code, err = left.code, "argparse said why"
    assert (code, bool(err)) == (2, True)


def test_the_plan_says_how_much_it_is_and_who_must_repeat_what(lead, command, answer):
    _, out, _ = command("recall", "lead@production")
    assert "To recall lead:2: 3 partitions, 6 rows, 6.0 KiB. Nothing was changed." in out
    assert "spark / monday / job[2]" in out
    plan = answer("recall", "lead:2")
    assert [found["output"].rsplit("/", 1)[1] for found in plan["by_hand"]] == ["d"]
    assert (plan["size_bytes"], lead.recalls()) == (6144, ())


def test_a_recall_marks_and_says_how_the_rest_is_done(lead, command, answer):
    assert "Nothing was ever recalled." in command("recalls")[1]
    code, _, err = command("recall", "lead:2", "--apply", "--reason", "too high")
    assert (code, "it is in PRODUCTION" in err) == (1, True)
    code, out, err = command("recall", "lead:2", "--apply", "--reason", "it's too high", "--and-rollback", "--by", "ada")
    assert (code, err.startswith("Registry: ")) == (0, True)
    assert "lead:1 is the champion again." in out
    assert "3 partitions, 0 of them replaced. lead:1 scores instead." in out
    [line] = [line for line in out.splitlines() if "airflow dags trigger" in line]
    conf = json.loads(shlex.split(line[line.index("airflow") :])[-1])
    assert conf == {"model": "lead", "version": 2, "reason": "it's too high", "with_version": 1}
    [found] = answer("recalls", "lead")["recalls"]
    assert list(found) == RECALL_KEYS
    assert (found["by"], found["closed"], [use["dag_id"] for use in found["unrecorded"]]) == ("ada", False, ["notebook"])
    assert "recalled" in command("predictions", "lead:2")[1]


def test_a_recall_scores_here_and_goes_on_where_it_stopped(lead, command, answer, tmp_path):
    asked = ("recall", "lead:2", "--apply", "--reason", "too high", "--and-rollback", "--here")
    code, out, _ = command(*asked)
    assert (code, "3 partitions, 2 of them replaced" in out, "airflow dags trigger" in out) == (0, True, False)
    assert pd.read_parquet(tmp_path / "out" / "b" / "predictions.parquet", partitioning=None)["prediction"].tolist() == pytest.approx(
        [1, 2]
    )
    again = answer(*asked)
    assert (again["created"], again["done"], again["report"]) == (False, 2, {"rescored": [], "left": [], "faults": {}})
    items = answer("recalls", "--partitions", again["uid"])["partitions"]
    assert [(item["output"].rsplit("/", 1)[1], item["state"], item["replaced_by"]) for item in items] == [
        ("b", "done", "lead:1"), ("c", "done", "lead:1"), ("d", "by hand", None),
    ]  # fmt: skip
    assert "by hand" in command("recalls", "--partitions", again["uid"])[1]


def test_a_partition_that_cannot_be_scored_is_exit_code_1(lead, command, tmp_path):
    (tmp_path / "in" / "b" / "rows.parquet").unlink()
    code, out, _ = command("recall", "lead:2", "--apply", "--reason", "x", "--with", "1", "--and-rollback", "--here")
    assert (code, "holds no data file" in out, "2 of them replaced" in out, "1 of them replaced" in out) == (1, True, False, True)


def test_whois_says_how_it_knew(lead, command, tmp_path):
    command("recall", "lead:2", "--apply", "--reason", "x", "--and-rollback", "--here")
    file = tmp_path / "out" / "b" / "predictions.parquet"
    copy = tmp_path / "again.parquet"
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(file, partitioning=None), copy, compression="none")
    assert "known by: its place\n" in command("whois", file)[1]
    assert "known by: its metadata only: the bytes are not those that were written\n" in command("whois", copy)[1]
