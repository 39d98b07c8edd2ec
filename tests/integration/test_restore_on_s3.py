"""`doctor`, marks and copies with artifacts in a bucket of a real S3 server."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from airflow_registry import config
from airflow_registry.domain.diagnosis import Severity
from airflow_registry.errors import DatabaseBehindStoreError
from airflow_registry.objects.options import StorageOptions
from airflow_registry.service.diagnosis import diagnose
from airflow_registry.service.registry import ModelRegistry
from airflow_registry.service.restore import after_restore
from airflow_registry.service.transfer import copy_version

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def sessions(s3_server):
    """Who may do everything, and who may only look; a session reads what boto3 knows of S3, so each is made once."""
    return {"admin": s3_server.session(), "reader": s3_server.session(s3_server.reader)}


@pytest.fixture
def settings_of(s3_server, s3_bucket, sessions, tmp_path):
    def make(who="admin", *, bucket=s3_bucket, file="registry.db"):
        storage = StorageOptions(endpoint_url=s3_server.endpoint_url, s3_session=lambda: sessions[who], first_delay_s=0.01)
        found = config.resolve(database_url=f"sqlite:///{tmp_path / file}", artifacts=f"s3://{bucket}/models")
        return replace(found, storage=storage)

    return make


@pytest.fixture
def registry(settings_of):
    return ModelRegistry.from_settings(settings_of(), create=True)


def bad(settings):
    return [one for one in diagnose(settings) if one.severity is not Severity.OK]


def test_a_bucket_in_which_everything_is_allowed_has_no_problem_and_is_left_as_it_was(registry, settings_of, s3_server, s3_bucket):
    assert bad(settings_of()) == []
    assert s3_server.client().list_objects_v2(Bucket=s3_bucket).get("KeyCount") == 0


def test_a_bucket_that_is_missing_or_cannot_be_written_is_one_problem_each(registry, settings_of):
    (missing,) = bad(settings_of(bucket="no-such-bucket"))
    assert (missing.topic, "no-such-bucket" in missing.found) == ("artifact store", True)
    (forbidden,) = bad(settings_of("reader"))
    assert "nothing can be written" in forbidden.found


def test_a_restored_database_is_refused_and_lifted(registry, settings_of, tmp_path):
    (tmp_path / "m.bin").write_text("one")
    registry.register("lead", str(tmp_path / "m.bin"))
    registry.promote("lead", 1, reason="first")
    shutil.copy(tmp_path / "registry.db", tmp_path / "backup.db")
    with registry.core.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "registry.db", tmp_path / "backup.db")
    (tmp_path / "m.bin").write_text("two")
    registry.register("lead", str(tmp_path / "m.bin"))
    registry.promote("lead", 2, reason="second")

    restored = ModelRegistry.from_settings(settings_of(file="backup.db"))
    with pytest.raises(DatabaseBehindStoreError, match="version 2 was registered before"):
        restored.register("lead")
    assert [one.topic for one in bad(settings_of(file="backup.db"))] == ["agreement"]
    done = after_restore(restored.core)
    assert [(one.next_number, one.revision, one.champion) for one in done.lifted] == [(3, 3, 1)]
    assert [path.rpartition("/")[2] for path in done.without_rows] == ["m.bin"]
    assert restored.core.artifacts.read_pointer("lead")["version"] == 1
    assert restored.register("lead").number == 3
    assert bad(settings_of(file="backup.db")) == []


def test_a_version_is_copied_from_a_bucket_to_a_folder_and_back(registry, settings_of, tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "weights").write_text("w")
    made = registry.register("lead", str(tmp_path / "bundle"))
    local = ModelRegistry(f"sqlite:///{tmp_path / 'local.db'}", artifacts=str(tmp_path / "local"), create=True)
    there = copy_version(registry.core, local.core, "lead:1")
    back = copy_version(local.core, registry.core, "lead:1")
    assert (there.digest, back.digest, back.number, back.remote_path) == (made.digest, made.digest, 2, made.remote_path)
    assert back.origin["origin"]["uid"] == made.uid
