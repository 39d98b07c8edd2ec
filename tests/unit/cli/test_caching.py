"""`cache list`, `cache clear`, and what `doctor` says of the cache."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from airflow_registry import config
from airflow_registry.artifacts.cache.options import CacheOptions
from airflow_registry.artifacts.cache.store import ArtifactCache, Wanted
from airflow_registry.domain.diagnosis import Severity
from airflow_registry.domain.names import Digest
from airflow_registry.service.diagnosis.cache import cache_diagnoses


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    monkeypatch.setenv("AIRFLOW_REGISTRY_CACHE", str(path))
    monkeypatch.setenv("AIRFLOW_REGISTRY_CACHE_BYTES", "1MB")
    return path


def keep(folder, name, size):
    import hashlib

    data = name.encode() * size
    wanted = Wanted(digest=Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"), name=name, is_folder=False, size_bytes=size)
    cache = ArtifactCache(CacheOptions(folder=str(folder), limit_bytes=1_000_000))
    return cache.opened(wanted, lambda below: Path(below, name).write_bytes(data))


def test_what_is_kept_is_listed_and_cleared_but_not_while_it_is_used(folder, answer, command):
    with keep(folder, "a", 10), keep(folder, "b", 2048):
        found = answer("cache", "list")
        assert (found["size_bytes"], found["limit_bytes"], found["folder"]) == (2058, 1_000_000, str(folder))
        assert [(entry["name"], entry["size_bytes"], entry["is_in_use"]) for entry in found["models"]] == [
            ("b", 2048, True),
            ("a", 10, True),
        ]
        assert answer("cache", "clear")["freed_bytes"] == 0
    code, out, _ = command("cache", "list")
    assert (code, "2.0 KiB" in out, str(folder) in out) == (0, True, True)
    code, out, _ = command("cache", "clear")
    assert (code, out) == (0, f"Removed 2 models (2.0 KiB) from {folder}; 0 in use stay.\n")
    assert "No model is kept here." in command("cache", "list")[1]


def test_no_registry_is_needed_and_none_is_made(folder, answer, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    assert answer("cache", "list")["models"] == []
    assert not (tmp_path / "home").exists()


def test_a_cache_that_cannot_be_is_refused_in_a_sentence(folder, command, monkeypatch):
    folder.write_text("a file")
    code, out, _ = command("cache", "list", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (1, "configuration")
    for name in ("AIRFLOW_REGISTRY_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = command("cache", "clear")
    assert (code, "no home folder" in err) == (1, True)


# -- doctor --------------------------------------------------------------------------------------------------------------------
def told(artifacts="s3://models", **variables):
    [*found] = cache_diagnoses(config.resolve(artifacts=artifacts, environ=variables))
    return [(one.severity, one.found) for one in found]


def test_doctor_tells_folder_and_size(folder):
    with keep(folder, "a", 500_000):
        pass
    [(severity, found)] = told(AIRFLOW_REGISTRY_CACHE=str(folder), AIRFLOW_REGISTRY_CACHE_BYTES="2MB")
    assert severity is Severity.OK
    assert f"{folder} (from environment AIRFLOW_REGISTRY_CACHE) can be written: 1 models, 0.5 of at most 2.0 MB" in found
    assert list(Path(folder).rglob("parts/*")) == []


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, "off (no home folder)"),
        ({"HOME": "/home/ada", "AIRFLOW_REGISTRY_CACHE_BYTES": "0"}, "off (size 0, from environment AIRFLOW_REGISTRY_CACHE_BYTES)"),
    ],
)
def test_doctor_says_that_the_cache_is_off(variables, found):
    [(severity, said)] = told(**variables)
    assert (severity, said.startswith(found)) == (Severity.OK, True)


def test_doctor_makes_no_cache_where_none_is_needed(folder):
    assert told(artifacts=str(folder.parent / "artifacts"), AIRFLOW_REGISTRY_CACHE=str(folder)) == [
        (Severity.OK, "not needed while artifacts are in a folder of this machine")
    ]
    assert not folder.exists()


def test_doctor_warns_of_a_folder_that_cannot_be_used_or_that_others_can_write(folder):
    folder.mkdir()
    folder.chmod(0o777)
    [_, (severity, found)] = told(AIRFLOW_REGISTRY_CACHE=str(folder))
    assert (severity, "others may write" in found) == (Severity.WARNING, True)
    folder.chmod(0o1777)
    assert len(told(AIRFLOW_REGISTRY_CACHE=str(folder))) == 1
    (folder / f"user-{os.geteuid()}").chmod(0o777)
    [(severity, found)] = told(AIRFLOW_REGISTRY_CACHE=str(folder))
    assert (severity, "cannot be used" in found) == (Severity.WARNING, True)


# -- settings ------------------------------------------------------------------------------------------------------------------
def cache_of(**variables):
    return config.resolve(environ=variables).cache


def test_the_cache_is_in_the_user_s_cache_folder_unless_somebody_says_where():
    assert cache_of(HOME="/home/ada") == CacheOptions(folder="/home/ada/.cache/airflow-registry")
    assert cache_of(HOME="/home/ada", XDG_CACHE_HOME="/scratch").folder == "/scratch/airflow-registry"
    assert cache_of(HOME="/home/ada", AIRFLOW_REGISTRY_CACHE="/srv/cache").folder == "/srv/cache"
    assert not cache_of().is_on
    assert not cache_of(XDG_CACHE_HOME="relative").is_on


def test_the_connection_goes_before_the_environment():
    fields = config.ConnectionFields.of("registry", password=None, extra={"cache": "/conn", "cache_bytes": 5})
    settings = config.resolve(connection=fields, environ={"AIRFLOW_REGISTRY_CACHE": "/env", "AIRFLOW_REGISTRY_CACHE_BYTES": "7"})
    assert settings.cache == CacheOptions(folder="/conn", limit_bytes=5)
    assert (settings.origins["cache"], settings.origins["cache_bytes"]) == ("connection registry", "connection registry")
