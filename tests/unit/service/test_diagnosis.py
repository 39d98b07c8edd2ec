"""`doctor` on one machine: what it says of a whole registry, and of everything that can be wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_registry import ModelRegistry, config
from airflow_registry.artifacts import trial
from airflow_registry.domain.diagnosis import Diagnosis, Severity
from airflow_registry.errors import InvalidInputError, StorageUnavailableError
from airflow_registry.service.core import utc_now
from airflow_registry.service.diagnosis import diagnose, formats
from airflow_registry.service.diagnosis.clocks import clock_diagnosis

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(registry):
    return registry.core.settings


def found(settings, topic=None, *, now=utc_now):
    return [one for one in diagnose(settings, now=now) if topic in {None, one.topic}]


def problems(settings, **options):
    return [one for one in found(settings, **options) if one.is_problem]


def test_a_whole_registry_has_no_problem_and_every_part_is_named(settings):
    told = found(settings)
    assert {one.severity for one in told} == {Severity.OK}
    assert {"settings", "database", "artifact store", "clock", "agreement", "packages"} <= {one.topic for one in told}
    assert not [path for path in Path(settings.artifacts).rglob("*") if path.is_file()]


def test_each_setting_is_told_with_where_it_came_from(monkeypatch, tmp_path, registry):
    monkeypatch.setenv("AIRFLOW_REGISTRY_DEPLOYMENT", "berlin")
    told = [one.found for one in found(config.resolve(artifacts=str(tmp_path / "argued")), "settings")]
    assert f"artifacts = {tmp_path / 'argued'} (from argument)" in told
    assert "deployment = berlin (from environment AIRFLOW_REGISTRY_DEPLOYMENT)" in told
    assert "trusted = own (from default)" in told


def test_no_password_is_told(tmp_path):
    settings = config.resolve(database_url=f"postgresql://approver:s3cret@/db?host={tmp_path}", artifacts=str(tmp_path / "a"))
    told = found(settings)
    assert "s3cret" not in str(told)
    assert any("approver:***@" in one.found for one in told)


def test_with_the_database_down_the_rest_is_looked_at(tmp_path):
    settings = config.resolve(database_url=f"postgresql://approver@/db?host={tmp_path}", artifacts=str(tmp_path / "a"))
    (problem,) = problems(settings)
    assert (problem.topic, "did not answer" in problem.found) == ("database", True)
    assert {"artifact store", "packages"} <= {one.topic for one in found(settings)}


@pytest.mark.parametrize(
    ("url", "told"),
    [("sqlite:///{folder}/mistyped.db", "the file does not exist"), ("nonsense", "not a URL"), ("sqlite:///{folder}/text", "no SQLite")],
)
def test_a_database_that_is_none_is_a_problem_and_none_is_made(tmp_path, url, told):
    (tmp_path / "text").write_text("these are not the bytes of a database " * 100)
    settings = config.resolve(database_url=url.format(folder=tmp_path), artifacts=str(tmp_path / "a"))
    (problem,) = problems(settings)
    assert told in problem.found
    assert problem.remedy
    assert not (tmp_path / "mistyped.db").exists()


def test_the_default_file_may_not_be_there_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    assert problems(config.resolve()) == []
    assert not (tmp_path / "home" / "airflow_registry.db").exists()


def test_a_file_that_can_only_be_read_is_a_problem(registry, tmp_path):
    settings = config.resolve(database_url=f"sqlite:///file:{tmp_path / 'registry.db'}?mode=ro&uri=true", artifacts=str(tmp_path / "a"))
    (problem,) = problems(settings)
    assert "nothing can be written" in problem.found


def test_trusting_everybody_is_a_warning(settings):
    from dataclasses import replace

    [told] = [one for one in found(replace(settings, trusted="all"), "settings") if one.severity is Severity.WARNING]
    assert "run code" in told.found


# -- the artifact store ------------------------------------------------------------------------------------------------------
def test_a_store_that_cannot_be_written_is_one_problem(settings):
    Path(settings.artifacts).write_text("in the way")
    told = [one for one in found(settings, "artifact store") if one.is_problem]
    assert [one.found.partition(":")[0] for one in told] == ["nothing can be written"]


def test_a_store_that_nobody_knows_is_a_problem(registry, tmp_path):
    settings = config.resolve(database_url=f"sqlite:///{tmp_path / 'registry.db'}", artifacts="ftp://host/models")
    assert [one.topic for one in problems(settings)] == ["artifact store"]


def broken(*_):
    raise StorageUnavailableError("forbidden")


@pytest.mark.parametrize(
    ("step", "behaves", "severity", "told"),
    [
        ("read", lambda _: b"other", Severity.PROBLEM, "other bytes"),
        ("read", broken, Severity.PROBLEM, "cannot be used (read): forbidden"),
        ("is_listed", lambda _: False, Severity.WARNING, "not listed"),
        ("is_listed", broken, Severity.PROBLEM, "cannot be used (list): forbidden"),
        ("is_protected", lambda _: False, Severity.WARNING, "second writer"),
        ("delete", broken, Severity.WARNING, "nothing can be deleted"),
        ("written_at", lambda _: utc_now() + timedelta(hours=1), Severity.PROBLEM, "ahead of this machine"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_right_that_is_missing_is_told(settings, monkeypatch, step, behaves, severity, told):
    monkeypatch.setattr(trial._FolderTrial, step, behaves)
    bad = [one for one in found(settings) if one.severity is not Severity.OK]
    assert [one.severity for one in bad] == [severity]
    assert told in bad[0].found
    assert bad[0].remedy


# -- clocks ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("off", "severity", "told"),
    [
        (timedelta(seconds=-29), Severity.OK, "agree"),
        (timedelta(seconds=31), Severity.WARNING, "31 seconds ahead of"),
        (timedelta(minutes=-4), Severity.WARNING, "4 minutes behind"),
        (timedelta(minutes=5), Severity.PROBLEM, "5 minutes ahead of"),
        (timedelta(hours=-1), Severity.PROBLEM, "60 minutes behind"),
        (timedelta(hours=3), Severity.PROBLEM, "3.0 hours ahead of"),
    ],
)
def test_a_clock_that_is_off_is_told_with_what_follows_from_it(off, severity, told):
    found = clock_diagnosis("the database server", NOON + off, NOON, NOON)
    assert (found.severity, told in found.found) == (severity, True)
    assert ("S3 refuses" in found.found) == (severity is Severity.PROBLEM)


def test_the_time_that_the_answer_took_is_no_difference():
    assert clock_diagnosis("x", NOON, NOON - timedelta(minutes=10), NOON + timedelta(minutes=10)).severity is Severity.OK


# -- the two stores together ---------------------------------------------------------------------------------------------------
def test_a_database_that_is_older_than_the_store_is_a_problem_with_the_command(registry, settings):
    registry.register("lead")
    registry.core.artifacts.write_mark("lead", {"registry_uid": registry.core.registry_uid, "model": "lead"}, 9)
    (problem,) = problems(settings)
    assert (problem.topic, problem.subject) == ("agreement", "lead")
    assert "doctor --after-restore" in problem.remedy


def test_another_registry_in_the_store_is_a_warning(registry, settings, tmp_path):
    other = ModelRegistry(f"sqlite:///{tmp_path / 'other.db'}", artifacts=settings.artifacts, create=True)
    other.register("churn")
    [told] = [one for one in found(settings) if one.severity is Severity.WARNING]
    assert (told.topic, "churn" in told.found) == ("agreement", True)


def test_a_damaged_mark_is_a_problem_and_stops_nothing_else(registry, settings):
    registry.register("lead")
    (Path(settings.artifacts) / "numbers" / "lead.json").write_text("{")
    (problem,) = problems(settings)
    assert problem.topic == "agreement"
    assert any(one.topic == "packages" for one in found(settings))


# -- packages ----------------------------------------------------------------------------------------------------------------
def test_a_champion_that_cannot_be_loaded_here_is_a_warning(registry, settings, monkeypatch, tmp_path):
    (tmp_path / "model.skops").write_bytes(b"x")
    registry.register("lead", str(tmp_path / "model.skops"))
    registry.register("other", str(tmp_path / "model.skops"))
    registry.promote("lead", 1, reason="x")
    versions = {"skops": None}
    monkeypatch.setattr(formats, "_version", lambda package: versions.get(package, "1.0"))
    told = found(settings, "packages")
    assert "airflow-registry[sklearn]" in told[1].found
    assert (told[2].severity, told[2].found.rpartition(": ")[2]) == (Severity.WARNING, "lead")


def test_a_diagnosis_that_asks_for_something_says_what():
    with pytest.raises(InvalidInputError, match="says nothing about what to do"):
        Diagnosis(topic="x", severity=Severity.WARNING, found="bad")
    assert json.dumps(Diagnosis.ok("x", "good").to_json())
