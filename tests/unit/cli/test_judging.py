"""evaluate, decide, policy check: the gate from a terminal."""

from __future__ import annotations

import pytest

from airflow_registry.modeling.signature import capture

POLICY = "model: lead\nrules:\n  - {metric: auc, at_least: 0.8}\n  - {require: [change_note, tags]}\nvalid_for: 7d\n"


@pytest.fixture
def policy(tmp_path):
    file = tmp_path / "lead.yaml"
    file.write_text(POLICY)
    return file


def test_an_approval_says_how_to_promote(registry, policy, command, answer):
    registry.register("lead", metrics={"auc": 0.9}, change_note="x", tags={"a": "b"})
    code, out, _ = command("decide", "lead:1", "--policy", policy)
    [decision] = registry.decisions("lead")
    assert code == 0
    assert f"airflow-registry promote lead:1 --decision {decision.uid}" in out
    found = answer("decide", "lead:1", "--policy", policy)
    assert list(found) == [
        "model", "version", "ref", "uid", "outcome", "reasons", "champion", "revision", "policy_digest", "decided_at", "expires_at",
        "data", "approved", "stored",
    ]  # fmt: skip
    assert (found["outcome"], found["approved"], found["stored"]) == ("APPROVED", True, True)


def test_a_refusal_is_exit_code_1_with_every_reason_and_is_stored(registry, policy, command):
    registry.register("lead", metrics={"auc": 0.7})
    code, out, err = command("decide", "lead:1", "--policy", policy)
    assert code == 1
    assert "auc of v1 is 0.7; needed at least 0.8" in out
    assert "change_note" in out
    assert "The decision is stored. Train a better version, or override with a reason." in out
    assert err.startswith("Registry: ")
    assert [str(entry.outcome) for entry in registry.decisions("lead")] == ["REFUSED"]


def test_a_refusal_is_a_document_of_its_own_and_not_an_error(registry, policy, command):
    import json

    registry.register("lead", metrics={"auc": 0.7})
    code, out, _ = command("decide", "lead:1", "--policy", policy, "--json")
    assert (code, json.loads(out)["outcome"]) == (1, "REFUSED")


def test_a_dry_run_stores_nothing(registry, policy, command, answer):
    registry.register("lead", metrics={"auc": 0.9}, change_note="x", tags={"a": "b"})
    assert "A dry run: nothing was stored." in command("decide", "lead:1", "--policy", policy, "--dry-run")[1]
    assert answer("decide", "lead:1", "--policy", policy, "--dry-run")["stored"] is False
    assert registry.decisions("lead") == ()


def test_each_reason_is_shown_with_its_ruling_and_the_wear_of_the_data(registry, policy, command, answer):
    from airflow_registry import Dataset

    held = Dataset("holdout", digest="sha256:" + "a" * 64)
    for _ in range(2):
        registry.register("lead", metrics={"auc": 0.9}, evaluated_on=held, tags={"a": "b"})
    command("decide", "lead:1", "--policy", policy)
    lines = command("decide", "lead:2", "--policy", policy)[1].splitlines()
    assert lines[1].split() == ["ruling", "rule", "reason"]
    assert [line.split("  ")[:2] for line in lines[2:4]] == [["passed", "auc at least 0.8"], ["failed", "require change_note, tags"]]
    assert "This is decision number 2 by the data set 'holdout', which has judged 2 versions." in lines[4]
    assert "decision number 2 by" in command("show", "lead:2")[1]
    assert answer("show", "lead:2")["decisions"][0]["data"] == [{"name": "holdout", "digest": held.digest, "decisions": 2, "versions": 2}]


def test_a_replay_shows_what_another_policy_would_have_decided(registry, policy, tmp_path, command, answer):
    for auc in (0.75, 0.85, 0.95):
        version = registry.register("lead", metrics={"auc": auc}, change_note="x", tags={"a": "b"})
        registry.decide("lead", version.number, policy=str(policy))
    registry.register("lead", metrics={"auc": 0.99})
    strict = tmp_path / "strict.yaml"
    strict.write_text("rules:\n  - {metric: auc, at_least: 0.9}\n")
    code, out, _ = command("policy", "replay", "lead", "--policy", strict, "--last", 3)
    table = [line.split() for line in out.splitlines()]
    assert code == 0
    assert table[0][:2] == ["version", "judged"]
    assert [(row[0], *(word for word in row if word in {"APPROVED", "REFUSED"})) for row in table[1:4]] == [
        ("2", "APPROVED", "REFUSED"), ("3", "APPROVED", "APPROVED"), ("4", "APPROVED"),
    ]  # fmt: skip
    assert "failed: auc of v2 is 0.85; needed at least 0.9: too low." in out
    assert out.endswith("1 of 3 would have come out otherwise. Nothing was changed.\n")
    told = answer("policy", "replay", "lead", "--policy", strict)
    assert [(one["ref"], one["before"], one["outcome"], one["changed"]) for one in told["replayed"]] == [
        ("lead:1", "REFUSED", "REFUSED", False),
        ("lead:2", "APPROVED", "REFUSED", True),
        ("lead:3", "APPROVED", "APPROVED", False),
        ("lead:4", None, "APPROVED", False),
    ]
    assert len(registry.decisions("lead")) == 3


def test_a_replay_without_a_policy_makes_each_decision_again(registry, policy, command, answer):
    registry.register("lead")
    assert "No version was decided about." in command("policy", "replay", "lead")[1]
    registry.register("lead", metrics={"auc": 0.9}, change_note="x", tags={"a": "b"})
    decision = registry.decide("lead", 2, policy=str(policy))
    [again] = answer("policy", "replay", "lead")["replayed"]
    assert (again["decision"], again["before"], again["outcome"]) == (decision.uid, "APPROVED", "APPROVED")
    assert [reason["text"] for reason in again["reasons"]] == [reason.text for reason in decision.reasons]


def test_a_policy_without_faults_is_shown(policy, command, answer):
    code, out, _ = command("policy", "check", policy)
    assert code == 0
    assert "model: lead\n" in out
    assert "auc at least 0.8" in out
    assert "require change_note, tags" in out
    found = answer("policy", "check", policy)
    assert list(found) == ["policy", "digest", "asks", "warnings"]
    assert found["policy"]["rules"][0] == {"metric": "auc", "at_least": 0.8}


def test_a_policy_is_told_what_an_evaluation_must_contain_and_what_it_leaves_open(tmp_path, command, answer):
    file = tmp_path / "lead.yaml"
    file.write_text(
        "rules:\n"
        "  - {metric: roc_auc, by: region, at_least: 0.6}\n"
        "  - {metric: roc_auc, against: anchor, version: 3, no_worse_than: 0.01, confidence: 0.95}\n"
        "  - {metric: acuracy, at_least: 0.8}\n"
        "  - {approval: {people: 2}}\n"
        "burn_in: {for: 3d, failed_partitions: 0}\n"
    )
    code, out, _ = command("policy", "check", file)
    assert code == 0
    for line in (
        "roc_auc at most 0.01 worse than anchor v3, confidence 0.95",
        "approval by 2 people, not_the_author",
        "burn_in: burn-in for 3d: failed_partitions 0",
        "metrics: roc_auc\n",
        "slices by: region\n",
        "versions: the challenger, the champion, anchor v3\n",
        "recorded by others: acuracy\n",
        "Warning: No rule compares with the champion",
        "Warning: rules[0] has no min_rows",
        "Warning: No evaluation computes 'acuracy'",
        "Did you mean 'accuracy'?",
    ):
        assert line in out
    found = answer("policy", "check", file)
    assert found["asks"] == {"metrics": ["roc_auc"], "slices": ["region"], "anchors": [{"version": 3}], "recorded": ["acuracy"]}
    assert len(found["warnings"]) == out.count("Warning: ")


def test_all_faults_of_a_policy_are_named_at_once(tmp_path, command):
    file = tmp_path / "bad.yaml"
    file.write_text("rules:\n  - {metric: auc, at_leest: 1}\n  - {require: [everything]}\n")
    code, out, err = command("policy", "check", file)
    assert (code, out) == (1, "")
    assert "at_leest" in err
    assert "everything" in err


def test_checking_a_policy_needs_no_registry(tmp_path, policy, command, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "nothing"))
    assert command("policy", "check", policy)[0] == 0
    assert not (tmp_path / "nothing").exists()


@pytest.fixture
def holdout(registry, tmp_path):
    """Two equal versions, the first of which is champion, and data to judge them on."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [0, 0, 1, 1], "carrier": ["AA", "UA", "AA", "UA"]})
    frame.to_csv(tmp_path / "holdout.csv", index=False)
    for _ in range(3):
        model = LogisticRegression().fit(frame[["x"]], frame["y"])
        registry.register("lead", model, signature=capture(model, frame[["x"]]))
    registry.promote("lead", 1, reason="first")
    return ["--data", tmp_path / "holdout.csv", "--target", "y", "--metric", "accuracy", "--name", "holdout"]


def test_evaluate_scores_challenger_and_champion_on_the_same_rows(holdout, command, answer):
    _, out, _ = command("evaluate", "lead:2", *holdout)
    heading, columns, row = out.splitlines()
    assert heading == "On holdout, 4 rows"
    assert (columns.split(), row.split()) == (["metric", "lead:1", "lead:2", "best", "constant"], ["accuracy", "1", "1", "0.5"])
    found = answer("evaluate", "lead:2", *holdout)
    assert found["results"] == {"2": {"accuracy": 1.0}, "1": {"accuracy": 1.0}}
    assert found["data"]["name"] == "holdout"
    assert (found["kind"], found["slices"], found["trivial"]) == ("binary", {}, {"accuracy": 0.5})


def test_evaluate_shows_slices_and_scores_anchors(holdout, command, answer):
    wanted = [*holdout, "--slice", "carrier", "--slice", "x:2", "--anchor", "3", "--metric", "sklearn.metrics:recall_score"]
    _, out, _ = command("evaluate", "lead:2", *wanted)
    lines = [line.split() for line in out.splitlines()]
    assert ["By", "carrier"] in lines
    assert ["slice", "rows", "metric", "lead:1", "lead:2", "lead:3"] in lines
    assert ["carrier=AA", "2", "accuracy", "1", "1", "1"] in lines
    found = answer("evaluate", "lead:2", *wanted)
    assert [entry["slice"] for entry in found["slices"]["carrier"]] == ["carrier=AA", "carrier=UA"]
    assert found["slices"]["x:2"][0]["results"]["3"] == {"accuracy": 1.0, "sklearn.metrics:recall_score": "nan"}
    assert [entry["rows"] for entry in found["slices"]["x:2"]] == [2, 2]


def test_evaluate_adds_what_a_policy_asks_for(holdout, tmp_path, answer):
    (tmp_path / "asks.yaml").write_text("rules:\n  - {metric: fpr, by: carrier, at_most: 0.5}\n")
    found = answer("evaluate", "lead:2", *holdout, "--policy", tmp_path / "asks.yaml")
    assert found["results"]["2"] == {"accuracy": 1.0, "fpr": 0.0}
    assert list(found["slices"]) == ["carrier"]


def test_many_slices_are_cut_short_for_people_and_whole_for_machines(holdout, registry, tmp_path, command, answer):
    import pandas as pd

    rows = range(60)
    pd.DataFrame({"x": [float(row) for row in rows], "y": [row % 2 for row in rows], "id": rows}).to_csv(tmp_path / "many.csv")
    wanted = ["--data", tmp_path / "many.csv", "--target", "y", "--metric", "accuracy", "--slice", "id"]
    assert "10 more slices by id: see --json." in command("evaluate", "lead:2", *wanted)[1]
    assert len(answer("evaluate", "lead:2", *wanted)["slices"]["id"]) == 60
