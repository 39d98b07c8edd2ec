"""The reading commands: what people see, and what machines get."""

from __future__ import annotations

import pytest

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.model import Dataset
from airflow_registry.domain.names import RunKey

VERSION_KEYS = [
    "model", "version", "ref", "uid", "stage", "registered_at", "artifact", "metrics", "signature", "description", "change_note",
    "parameters", "tags", "datasets", "lineage", "runtime",
]  # fmt: skip
ENTRY_KEYS = [
    "model", "version", "ref", "uid", "output", "partition", "generation", "dag_id", "run_id", "input_digest", "started_at",
    "committed_at", "is_live", "uri", "digest", "rows", "quarantined", "null_predictions", "seconds", "input_digest_kind", "is_shadow",
    "recipe", "deployment", "task_id", "map_index", "size_bytes", "decision", "pinned_revision", "recall", "is_quarantined", "found_by",
]  # fmt: skip


@pytest.fixture
def lead(registry, model_file):
    """Two versions, of which the first is champion, and a refusal."""
    registry.register(
        "lead",
        str(model_file),
        metrics={"auc": 0.9, "loss": float("nan")},
        parameters={"depth": 3},
        tags={"team": "growth"},
        datasets=(Dataset("leads", uri="s3://lake/leads/", rows=10),),
        change_note="first\ntry",
    )
    registry.register("lead", metrics={"auc": 0.92}, parameters={"depth": 4})
    registry.promote("lead", 1, reason="the first one")
    registry.decide("lead", 2, policy={"rules": [{"metric": "auc", "at_least": 0.95}]})
    return registry


@pytest.fixture
def scored(lead, tmp_path):
    """A partition that version 1 wrote, and one that it left half-written."""
    run = RunKey(dag_id="score", run_id="r1", task_id="t")
    file = tmp_path / "out" / "a" / "predictions.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"rows")
    from airflow_registry.artifacts.digest import content_digest

    intent = lead.open_output(str(file.parent), partition="a", model="lead", version=1, run=run)
    lead.commit_output(intent, Written(uri=str(file), digest=content_digest(str(file)), rows=4))
    lead.open_output(str(tmp_path / "out" / "b"), partition="b", model="lead", version=1, run=run)
    lead.pin("lead", RunKey(dag_id="spark", run_id="r2", task_id="t"))
    return file


def test_models_lists_each_with_its_champion(lead, command, answer):
    lead.register("churn")
    lead.describe_model("lead", owner="approver", purpose="who buys")
    _, out, err = command("models")
    assert [line.split() for line in out.splitlines()] == [
        ["model", "champion", "versions", "owner", "risk", "tier", "purpose"],
        ["churn", "1"],
        ["lead", "1", "2", "approver", "who", "buys"],
    ]
    assert err == ""
    first, second = answer("models")["models"]
    assert list(first) == ["name", "created_at", "versions", "champion", "revision", "purpose", "owner", "risk_tier"]
    assert (first["champion"], second["champion"], second["revision"]) == (None, 1, 1)


def test_an_empty_registry_says_how_to_fill_it(registry, command, answer):
    assert "airflow-registry register MODEL ARTIFACT" in command("models")[1]
    assert answer("models") == {"models": []}


def test_versions_shows_stage_metrics_and_note_in_one_line_each(lead, command, answer):
    _, out, _ = command("versions", "lead")
    heading, first, second = out.splitlines()
    assert heading.split()[:3] == ["version", "stage", "registered"]
    assert first.startswith("1        PRODUCTION")
    assert first.endswith("auc 0.9, loss nan  first try")
    assert second.startswith("2        DEVELOPMENT")
    found = answer("versions", "lead")["versions"]
    assert all(list(entry)[: len(VERSION_KEYS)] == VERSION_KEYS for entry in found)  # what is new comes after what there was
    assert found[0]["metrics"] == {"auc": 0.9, "loss": "nan"}
    assert found[0]["registered_at"].endswith("Z")


@pytest.mark.parametrize(("limit", "numbers"), [(1, [2]), (2, [1, 2]), (9, [1, 2])])
def test_the_newest_versions_stand_at_the_end(lead, answer, limit, numbers):
    assert [entry["version"] for entry in answer("versions", "lead", "--limit", limit)["versions"]] == numbers


def test_show_says_everything_about_a_version(lead, command, answer):
    _, out, _ = command("show", "lead@production")
    version = lead.get("lead:1")
    for text in (
        "version: lead:1",
        "stage: PRODUCTION",
        f"digest: {version.digest}",
        "size: 7 B",
        "depth      3",
        "growth",
        "s3://lake/leads/",
    ):
        assert text in out
    assert f"registered: {version.registered_at:%Y-%m-%d %H:%M:%S}Z" in out
    found = answer("show", "lead:1")
    assert {*VERSION_KEYS, "decisions"} <= set(found)
    assert found["artifact"]["digest"] == version.digest
    assert found["datasets"] == [{"name": "leads", "uri": "s3://lake/leads/", "digest": None, "rows": 10}]


def test_show_tells_what_the_gate_said(lead, command, answer):
    _, out, _ = command("show", "lead:2")
    assert "REFUSED" in out
    assert "against v1" in out
    assert "auc of v2 is 0.92; needed at least 0.95" in out
    [decision] = answer("show", "lead:2")["decisions"]
    assert (decision["outcome"], decision["approved"], decision["champion"]) == ("REFUSED", False, 1)
    assert decision["reasons"][0]["passed"] is False


def test_history_holds_refusals_and_promotions_in_their_order(lead, command, answer):
    lead.promote("lead", 2, reason="it is better")
    lead.rollback("lead", reason="it was not")
    _, out, _ = command("history", "lead")
    lines = out.splitlines()[1:]
    assert ["the first one" in lines[0], "REFUSED against v1" in lines[1], "it is better" in lines[3], "it was not" in lines[5]] == [
        True
    ] * 4
    happened = answer("history", "lead")["history"]
    assert [entry["kind"] for entry in happened] == ["promotion", "decision", *["promotion"] * 4]
    assert [entry["at"] for entry in happened] == sorted(entry["at"] for entry in happened)
    assert happened[-1] | {"uid": 0, "at": 0, "by": 0} == {
        "kind": "promotion", "model": "lead", "version": 1, "ref": "lead:1", "uid": 0, "from_stage": "ARCHIVED", "to_stage": "PRODUCTION",
        "revision": 3, "replaced": 2, "decision": None, "reason": "it was not", "by": 0, "at": 0, "override": False,
    }  # fmt: skip
    marked = [entry["override"] for entry in happened if entry["kind"] == "promotion"]
    assert marked == ["OVERRIDE" in line for line in [lines[0], *lines[2:]]] == [True, False, True, False, False]
    assert answer("history", "lead", "--limit", 1)["history"] == happened[-1:]


def test_a_model_to_which_nothing_happened_says_so(registry, command):
    registry.register("lead")
    assert command("history", "lead")[1] == "Nothing has happened to lead but registrations.\n"


def test_diff_puts_metrics_side_by_side_and_names_what_differs(lead, command, answer):
    _, out, _ = command("diff", "lead@production", "lead:2")
    lines = [line.split() for line in out.splitlines()]
    assert ["auc", "0.9", "0.92", "0.02", "better"] in lines
    assert ["parameters", "depth", "3", "4"] in lines
    assert ["tags", "team", "growth"] in lines
    found = answer("diff", "lead:1", "lead:2")
    assert (found["left"], found["right"], found["same_bytes"]) == ("lead:1", "lead:2", False)
    assert {"aspect": "parameters", "name": "depth", "left": 3, "right": 4} in found["changes"]
    assert answer("diff", "lead:1", "lead:1")["changes"] == []
    assert "The artifacts are the same, bit by bit." in command("diff", "lead:1", "lead:1")[1]


def test_predictions_tell_live_from_unfinished(scored, lead, command, answer):
    _, out, _ = command("predictions", "lead")
    live, unfinished = out.splitlines()[1:]
    assert live.split()[:4] == [str(scored.parent), "1", "live", "4"]
    assert unfinished.split()[1:3] == ["1", "unfinished"]
    found = answer("predictions", "lead:1")["predictions"]
    assert [list(entry) for entry in found] == [ENTRY_KEYS, ENTRY_KEYS]
    assert answer("predictions", "lead@production")["predictions"] == found
    assert answer("predictions", "lead:2") == {"predictions": []}
    assert [entry["partition"] for entry in answer("predictions", "lead", "--limit", 1)["predictions"]] == ["b"]


def test_what_was_written_anew_is_shown_as_replaced(scored, lead, command):
    intent = lead.open_output(str(scored.parent), partition="a", model="lead", version=2)
    lead.commit_output(intent, Written(uri=str(scored), rows=4))
    states = [line.split()[2] for line in command("predictions", "lead:1")[1].splitlines()[1:]]
    assert states == ["replaced", "unfinished"]


def test_recall_lists_partitions_and_unrecorded_uses_and_changes_nothing(scored, lead, command, answer):
    before = lead.predictions("lead")
    _, out, _ = command("recall", "lead@production")
    assert "To recall lead:1: 2 partitions, 4 rows. Nothing was changed." in out
    assert "spark  r2" in out
    plan = answer("recall", "lead:1")
    assert (plan["ref"], plan["rows"], len(plan["partitions"])) == ("lead:1", 4, 2)
    assert [(use["dag_id"], use["run_id"]) for use in plan["unrecorded"]] == [("spark", "r2")]
    assert lead.predictions("lead") == before


def test_whois_knows_a_file_by_its_place_and_a_copy_by_its_bytes(scored, tmp_path, command, answer):
    copy = tmp_path / "mailed.parquet"
    copy.write_bytes(scored.read_bytes())
    for file in (scored, scored.parent, copy):
        code, out, _ = command("whois", file)
        assert code == 0
        assert "written by: lead:1\n" in out
        assert "run: r1\n" in out
    found = answer("whois", copy)
    assert list(found) == [*ENTRY_KEYS, "stage"]
    assert (found["ref"], found["partition"], found["stage"], found["rows"]) == ("lead:1", "a", "PRODUCTION", 4)


def test_whois_of_a_stranger_is_exit_code_1(registry, model_file, command):
    code, out, err = command("whois", model_file)
    assert (code, out) == (1, "")
    assert "does not know who wrote" in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["versions", "nope"], "model_not_found"),
        (["show", "lead:7"], "version_not_found"),
        (["show", "lead@shadow"], "version_not_found"),
        (["show", "lead"], "invalid_input"),
        (["history", "no pe"], "invalid_name"),
        (["predictions", "lead:x"], "invalid_input"),
        (["predictions", "lead:"], "invalid_input"),
        (["predictions", "lead:7"], "version_not_found"),
    ],
)
def test_what_is_not_there_is_exit_code_1_with_a_code(lead, command, arguments, code):
    import json

    exit_code, out, err = command(*arguments, "--json")
    error = json.loads(out)["error"]
    assert (exit_code, error["code"], error["retryable"]) == (1, code, False)
    assert error["message"] == err.rstrip("\n")
    assert command(*arguments) == (1, "", err)


@pytest.mark.parametrize("arguments", [["versions", "lead", "--limit", "0"], ["versions", "lead", "--limit", "-1"], ["versions"]])
def test_what_cannot_be_meant_is_exit_code_2(lead, command, arguments, capsys):
    try:
        code = command(*arguments)[0]
    except SystemExit as left:
        code = left.code
    assert code == 2
