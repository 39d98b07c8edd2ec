"""shadow, outcomes record, outcomes show: from a terminal."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.shadow import Agreement
from airflow_registry.scoring.writer import Provenance, write_predictions


@pytest.fixture
def scored(registry, tmp_path):
    """v1 is champion and has scored a partition; v2 has scored it beside, and failed on another one."""
    for _ in range(2):
        registry.register("lead")
    registry.promote("lead", 1, reason="first")
    registry.move("lead", 2, "SHADOW")
    intent = registry.open_output(str(tmp_path / "out" / "a"), partition="a", model="lead", version=1, input_digest="sha256:" + "a" * 64)
    batch = pa.RecordBatch.from_pydict({"id": [1, 2, 3], "prediction": [1, 1, 0]})
    by = Provenance(model="lead", version=1)
    written = write_predictions(intent.output, [batch], schema=batch.schema, provenance=by, generation=intent.generation)
    registry.commit_output(intent, Written(uri=written.path, rows=3))
    beside = registry.open_shadow(intent, 2, output=str(tmp_path / "out" / ".shadow" / "a"))
    registry.open_shadow(intent, 2, output=str(tmp_path / "out" / ".shadow" / "b"))
    found = Agreement(rows=3, agreeing=2, unmatched=1)
    registry.commit_shadow(beside, Written(uri=beside.output, seconds=1.5), champion=intent, kind="labels", agreement=found)
    return registry


@pytest.fixture
def labels(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("id,late\n1,1\n2,0\n9,1\n")
    return file


def test_what_a_version_said_in_shadow_is_shown(scored, command, answer, tmp_path):
    code, out, err = command("shadow", "lead@shadow")
    assert (code, err) == (0, "")
    assert "0.5" in out
    assert "Failed or stopped" in out
    found = answer("shadow", "lead:2")
    assert (found["ref"], found["partitions"], found["rows"], found["agreement"], found["score_drift"]) == ("lead:2", 1, 4, 0.5, None)
    assert found["failed"] == [str(tmp_path / "out" / ".shadow" / "b")]
    assert [(one["partition"], one["champion"], one["seconds"]) for one in found["comparisons"]] == [("a", 1, 1.5)]
    assert "lead:1 was not compared yet." in command("shadow", "lead:1")[1]


def test_labels_are_recorded_and_shown(scored, command, answer, labels):
    assert "No labels were recorded for lead" in command("outcomes", "show", "lead")[1]
    code, out, err = command("outcomes", "record", "lead", labels, "--key", "id", "--label", "late", "--metric", "accuracy")
    assert code == 0
    assert err.startswith("Registry: ")
    assert "accuracy 0.5" in out
    found = answer("outcomes", "record", "lead", labels, "--key", "id", "--label", "late", "--partition", "a")
    assert (found["labels"], found["used"], found["unknown"]) == (3, 2, 1)
    assert [one["output"].rpartition("/out/")[2] for one in found["skipped"]] == [".shadow/a"]
    shown = answer("outcomes", "show", "lead")
    assert [(one["version"], one["rows"], one["metrics"]["accuracy"]) for one in shown["versions"]] == [(1, 2, 0.5)]
    assert "accuracy 0.5" in command("outcomes", "show", "lead@production")[1]
    assert answer("outcomes", "show", "lead:2")["versions"][0]["partitions"] == []


def test_labels_of_nothing_are_exit_code_1(scored, command, labels):
    code, out, err = command("outcomes", "record", "lead", labels, "--key", "id", "--label", "late", "--partition", "z")
    assert (code, out) == (1, "")
    assert "lead has no live output of partition 'z'" in err


def test_how_a_version_in_shadow_turned_out_is_told_against_the_champion(scored, command, tmp_path, labels):
    champion = scored.predictions("lead", 1)[0]
    batch = pa.RecordBatch.from_pydict({"id": [1, 2, 3], "prediction": [1, 0, 0]})
    by = Provenance(model="lead", version=2)
    intent = scored.open_shadow(champion.uid, 2, output=str(tmp_path / "out" / ".shadow" / "c"))
    written = write_predictions(intent.output, [batch], schema=batch.schema, provenance=by, generation=intent.generation)
    counts = Agreement(rows=3, agreeing=2)
    scored.commit_shadow(intent, Written(uri=written.path), champion=champion.uid, kind="labels", agreement=counts)
    (tmp_path / "out" / ".shadow" / "a").mkdir()
    command("outcomes", "record", "lead", labels, "--key", "id", "--label", "late")
    assert "better than v1 on 1 rows, worse on 0 of 2 (p 0.5)" in " ".join(command("outcomes", "show", "lead")[1].split())
