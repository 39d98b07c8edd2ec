"""register, promote, rollback, download: what they do, what they say, and which registry they name."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


def test_register_keeps_everything_that_was_said(registry, model_file, tmp_path, command):
    code, out, _ = command(
        "register", "lead", model_file, "--metric", "auc=0.9", "--metric", "loss=nan", "--tag", "team=growth", "--dataset",
        "leads=s3://lake/leads/", "--dataset", "calls", "--parameter", "depth=3", "--parameter", "kernel=rbf", "--change-note", "more rows",
        "--description", "who buys", "--evaluated-on", "holdout=h.parquet",
    )  # fmt: skip
    assert code == 0
    assert out.startswith("Registered lead:1.\n")
    version = registry.get("lead:1")
    assert (version.metrics["auc"], str(version.metrics["loss"])) == (0.9, "nan")
    assert (version.tags, version.parameters) == ({"team": "growth"}, {"depth": 3, "kernel": "rbf"})
    assert [(entry.name, entry.uri) for entry in version.datasets] == [("leads", "s3://lake/leads/"), ("calls", None)]
    assert (version.change_note, version.description, version.artifact.size_bytes) == ("more rows", "who buys", 7)
    assert f"digest: {version.digest}\n" in out
    with closing(sqlite3.connect(tmp_path / "registry.db")) as database:
        assert database.execute("SELECT data_name, data_uri FROM airflow_registry_evaluations").fetchall() == [("holdout", "h.parquet")]


def test_a_writing_command_says_on_stderr_which_registry_it_acts_on(registry, tmp_path, command):
    _, _, err = command("register", "lead", "--deployment", "berlin")
    assert err == (
        f"Registry: sqlite:///{tmp_path / 'registry.db'} (environment AIRFLOW_REGISTRY_DATABASE). "
        f"Artifacts: {tmp_path / 'artifacts'} (environment AIRFLOW_REGISTRY_ARTIFACTS). Deployment: berlin.\n"
    )
    assert registry.get("lead:1").lineage.deployment == "berlin"


def test_an_argument_wins_over_the_environment(registry, tmp_path, command):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    command("db", "upgrade", "--database", other)
    _, _, err = command("register", "lead", "--database", other)
    assert f"Registry: {other} (argument)." in err
    assert command("models")[1].startswith("There is no model")
    assert "lead" in command("models", "--database", other)[1]


def test_the_same_key_again_returns_the_same_version(registry, model_file, answer):
    first = answer("register", "lead", model_file, "--idempotency-key", "monday")
    again = answer("register", "lead", model_file, "--idempotency-key", "monday")
    assert (first["version"], first["created"], again["version"], again["created"]) == (1, True, 1, False)
    assert len(registry.versions("lead")) == 1


def test_it_is_said_when_nothing_was_added(registry, command):
    command("register", "lead", "--idempotency-key", "monday")
    assert "lead:1 was registered before; nothing was added." in command("register", "lead", "--idempotency-key", "monday")[1]


def test_no_copy_leaves_the_bytes_where_they_are(registry, model_file, answer):
    found = answer("register", "lead", model_file, "--no-copy", "--format", "file")["artifact"]
    assert (found["remote_path"], found["is_stored"], found["format"]) == (str(model_file), False, "file")


def test_a_folder_is_registered_as_one_artifact(registry, tmp_path, answer):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_bytes(b"1")
    assert answer("register", "lead", folder)["artifact"]["format"] == "folder"


@pytest.mark.parametrize(
    "options",
    [
        ["--metric", "auc"],
        ["--metric", "auc=high"],
        ["--metric", "=1"],
        ["--tag", "team"],
        ["--dataset", "leads="],
        ["--parameter", "3"],
        ["--metric", "auc=1", "--metric", "auc=2"],
        ["--tag", "a=1", "--tag", "a=1"],
    ],
)
def test_options_that_cannot_be_read_are_exit_code_2_and_register_nothing(registry, command, capsys, options):
    try:
        code = command("register", "lead", *options)[0]
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert registry.models() == ()


def test_a_path_that_leads_nowhere_registers_nothing(registry, tmp_path, command):
    code, out, err = command("register", "lead", tmp_path / "nope.bin")
    assert (code, out) == (1, "")
    assert "nope.bin" in err
    assert registry.models() == ()


def test_promote_as_an_override_keeps_the_reason(registry, command, answer):
    registry.register("lead")
    registry.register("lead")
    said, head = command("promote", "lead:1", "--reason", "first")[1].split("\n\n")
    assert said == "lead:1 went from DEVELOPMENT to PRODUCTION."
    assert head == f"Audit head 000000000003 {registry.audit_entries()[-1].hash}\n"
    made = answer("promote", "lead:2", "--reason", "second", "--expected-champion", "1")
    assert (made["ref"], made["replaced"], made["revision"], made["created"]) == ("lead:2", 1, 2, True)
    assert (made["override"], made["audit_head"]) == (True, f"000000000004 {registry.audit_entries()[-1].hash}")
    assert registry.history("lead")[-1].reason == "second"


def test_promote_by_the_gates_decision(registry, command):
    registry.register("lead", metrics={"auc": 0.9})
    decision = registry.decide("lead", 1, policy={"rules": [{"metric": "auc", "at_least": 0.8}]})
    assert command("promote", "lead:1", "--decision", decision.uid)[0] == 0
    assert registry.history("lead")[-1].decision == decision.uid


def test_promoting_again_says_that_nothing_changed(registry, command):
    registry.register("lead", metrics={"auc": 0.9})
    decision = registry.decide("lead", 1, policy={"rules": [{"metric": "auc", "at_least": 0.8}]})
    command("promote", "lead:1", "--decision", decision.uid)
    assert command("promote", "lead:1", "--decision", decision.uid)[1].startswith("lead:1 is in PRODUCTION already; nothing changed.\n")


@pytest.mark.parametrize("options", [[], ["--reason", "x", "--decision", "y"], ["--reason", "x", "--expected-champion", "one"]])
def test_a_promotion_needs_one_justification(registry, command, capsys, options):
    registry.register("lead")
    try:
        code, out, err = command("promote", "lead:1", *options)
    except SystemExit as left:
        code, (out, err) = left.code, capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("usage: airflow-registry promote")
    assert registry.history("lead") == ()


def test_another_champion_than_expected_stops_a_promotion(registry, command):
    registry.register("lead")
    registry.register("lead")
    registry.promote("lead", 1, reason="first")
    code, _, err = command("promote", "lead:2", "--reason", "x", "--expected-champion", "7")
    assert code == 1
    assert "v1" in err
    assert registry.production("lead").number == 1


def test_rollback_brings_the_previous_champion_back(registry, command, answer):
    for number in (1, 2):
        registry.register("lead")
        registry.promote("lead", number, reason="x")
    assert answer("rollback", "lead", "--reason", "scores are all 0.5")["ref"] == "lead:1"
    assert registry.production("lead").number == 1
    code, _, err = command("rollback", "lead", "--reason", "again")
    assert code == 1
    assert "cannot be rolled back" in err


def test_move_changes_the_stage_and_leaves_production_to_others(registry, command, answer):
    registry.register("lead")
    assert answer("move", "lead:1", "shadow", "--reason", "watch it first")["to_stage"] == "SHADOW"
    assert command("move", "lead:1", "Archived")[0] == 0
    assert command("move", "lead:1", "DEVELOPMENT")[1].startswith("lead:1 went from ARCHIVED to DEVELOPMENT.")
    code, _, err = command("move", "lead:1", "production")
    assert (code, "by promote" in err) == (2, True)
    code, _, err = command("move", "lead:1", "staging")
    assert (code, "'staging' is not a stage" in err) == (1, True)
    assert [str(change.to_stage) for change in registry.history("lead") if hasattr(change, "to_stage")].count("SHADOW") == 1


def test_download_copies_verified_bytes(registry, model_file, tmp_path, command, answer):
    registry.register("lead", str(model_file))
    found = answer("download", "lead:1", tmp_path / "here")
    assert (tmp_path / "here" / "model.bin").read_bytes() == b"weights"
    assert found == {
        "ref": "lead:1",
        "path": str(tmp_path / "here" / "model.bin"),
        "digest": registry.get("lead:1").digest,
        "verified": True,
    }
    assert "its digest was verified" in command("download", "lead:1", tmp_path / "there")[1]


def test_a_changed_artifact_is_not_downloaded(registry, model_file, tmp_path, command):
    from pathlib import Path

    stored = Path(registry.register("lead", str(model_file)).remote_path)
    stored.chmod(0o644)
    stored.write_bytes(b"WEIGHTS")
    code, out, err = command("download", "lead:1", tmp_path / "here")
    assert (code, out) == (1, "")
    assert "is not the one that was registered" in err
    assert list((tmp_path / "here").glob("*")) == []
