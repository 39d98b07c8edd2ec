"""`doctor`, `check`, `copy` and `db copy` as commands: exit codes, documents, and what is printed."""

from __future__ import annotations

import json

import pytest

from airflow_registry import ModelRegistry


def test_doctor_ends_with_0_where_there_is_no_problem(registry, answer, command):
    told = answer("doctor")
    assert (told["ok"], told["problems"]) == (True, 0)
    assert {"topic", "subject", "severity", "found", "remedy"} == set(told["findings"][0])
    code, out, _ = command("doctor")
    assert code == 0
    assert "No problem was found." in out


def test_doctor_ends_with_1_on_a_problem_and_its_remedy_stands_below_it(registry, command, tmp_path):
    code, out, _ = command("doctor", "--database", f"sqlite:///{tmp_path}/mistyped.db")
    lines = out.splitlines()
    position = next(number for number, line in enumerate(lines) if line.startswith("problem"))
    assert code == 1
    assert "the file does not exist" in lines[position]
    assert "-> Check the address, then `airflow-registry db upgrade`." in lines[position + 1]
    assert lines[-1] == "1 problem, 0 warnings."
    code, out, _ = command("doctor", "--json", "--database", f"sqlite:///{tmp_path}/mistyped.db")
    assert (code, json.loads(out)["ok"]) == (1, False)


def test_doctor_after_a_restore_lifts_the_counters_and_lists_what_is_lost(registry, command, answer, model_file):
    registry.register("lead", str(model_file))
    registry.core.artifacts.write_mark("lead", {"registry_uid": registry.core.registry_uid, "model": "lead"}, 3)
    (model_file.with_name("lost.bin")).write_bytes(b"lost")
    lost = registry.core.artifacts.put(str(model_file.with_name("lost.bin")), model="lead").remote_path
    code, out, err = command("doctor", "--after-restore")
    assert code == 0
    assert "Registry: sqlite:///" in err
    for text in ("lead   4             2 to 3", lost, "cannot be brought back"):
        assert text in out
    assert answer("doctor", "--after-restore") == {"lifted": [], "without_rows": []}
    assert "Nothing was changed" in command("doctor", "--after-restore")[1]
    assert registry.register("lead").number == 4


def test_check_ends_with_0_or_1_for_a_monitor(registry, command, answer):
    registry.register("lead")
    registry.promote("lead", 1, reason="x")
    assert answer("check", "--max-age", "30d") == {"ok": True, "problems": 0, "warnings": 0, "findings": []}
    registry.open_output("/out/1", partition="p", model="lead", version=1)
    code, out, _ = command("check", "--grace", "1s", "--json")
    while code == 0:  # until the second has passed
        code, out, _ = command("check", "--grace", "1s", "--json")
    [found] = json.loads(out)["findings"]
    assert (code, found["topic"], found["subject"]) == (1, "output left half-written", "/out/1")
    assert "Nothing to report." in command("check")[1]


@pytest.mark.parametrize("options", [["--grace", "soon"], ["--max-age", "lead="], ["--max-age", "30"]])
def test_a_duration_that_is_none_is_wrong_usage(registry, command, options):
    with pytest.raises(SystemExit) as caught:
        command("check", *options)
    assert caught.value.code == 2
    assert command("check", "--max-age", "1d", "--max-age", "2d")[0] == 2


@pytest.fixture
def other(tmp_path):
    """Options of a second registry, and the registry itself."""
    url, artifacts = f"sqlite:///{tmp_path / 'other.db'}", str(tmp_path / "other_artifacts")
    return ("--to", url, "--to-artifacts", artifacts), ModelRegistry(url, artifacts=artifacts, create=True)


def test_copy_brings_a_version_to_another_registry(registry, other, command, answer, model_file):
    options, target = other
    made = registry.register("lead", str(model_file), metrics={"auc": 0.9})
    code, out, err = command("copy", "lead:1", *options)
    assert code == 0
    assert "lead:1 is lead:1 over there, in DEVELOPMENT." in out
    assert "To: sqlite:///" in err
    told = answer("copy", "lead:1", *options)
    assert (told["created"], told["origin"]["uid"], told["origin"]["metrics"]) == (False, made.uid, {"auc": 0.9})
    assert [version.origin["uid"] for version in target.versions("lead")] == [made.uid]


def test_copy_takes_a_connection_of_the_environment(registry, other, command, model_file, monkeypatch):
    (_, url, _, artifacts), target = other
    extra = {"database_dsn": url, "artifacts": artifacts}
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_PROD", json.dumps({"conn_type": "airflow_registry", "extra": extra}))
    registry.register("lead", str(model_file))
    assert command("copy", "lead:1", "--to", "registry_prod")[0] == 0
    assert target.get("lead:1").artifact.is_stored
    code, _, err = command("copy", "lead:1", "--to", "registry_nowhere")
    assert code == 1
    assert "registry_nowhere" in err


@pytest.mark.parametrize("options", [("--to", "sqlite:////x.db"), ("--to", "conn", "--to-artifacts", "/x")])
def test_where_the_artifacts_go_is_said_with_an_address_and_not_with_a_connection(registry, command, options):
    registry.register("lead")
    code, _, err = command("copy", "lead:1", *options)
    assert code == 2
    assert "--to-artifacts" in err


def test_copy_makes_no_registry_where_there_is_none(registry, command, tmp_path):
    registry.register("lead")
    code, _, err = command("copy", "lead:1", "--to", f"sqlite:///{tmp_path}/typo.db", "--to-artifacts", str(tmp_path / "a"))
    assert code == 1
    assert "There is no registry" in err
    assert not (tmp_path / "typo.db").exists()


def test_db_copy_moves_a_registry_and_says_that_artifacts_stay(registry, command, answer, tmp_path):
    registry.register("lead", change_note="x")
    source, target = f"sqlite:///{tmp_path / 'registry.db'}", f"sqlite:///{tmp_path / 'new.db'}"
    code, out, _ = command("db", "copy", source, target)
    assert code == 0
    assert "artifacts stay where they are" in out
    assert [version.uid for version in ModelRegistry(target).versions("lead")] == [version.uid for version in registry.versions("lead")]
    code, _, err = command("db", "copy", source, target)
    assert (code, "a registry already" in err) == (1, True)
    told = answer("db", "copy", source, f"sqlite:///{tmp_path / 'third.db'}")
    assert (told["rows"]["airflow_registry_versions"], told["audit_entries"]) == (1, 1)
