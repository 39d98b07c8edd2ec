"""`db copy`: SQLite to PostgreSQL and back, with every row, number and hash."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.pool import NullPool

from airflow_registry import Dataset, ModelRegistry
from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.errors import (
    ConflictError,
    CorruptionError,
    DatabaseBehindStoreError,
    DatabaseNotInitializedError,
    SchemaVersionError,
    StorageUnavailableError,
)
from airflow_registry.sql import clone
from airflow_registry.sql.clone import copy_database
from airflow_registry.sql.tables import metadata
from airflow_registry.sql.upgrade import upgrade_database

pytestmark = pytest.mark.postgres
RUN = RunKey(dag_id="train", run_id="monday", task_id="fit")
POLICY = {"schema": 1, "model": "lead", "rules": [{"metric": "auc", "at_least": 0.5}]}


def contents(url):
    """Every row of every table, as the registry reads them."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }


@pytest.fixture
def artifacts(tmp_path):
    return str(tmp_path / "artifacts")


@pytest.fixture
def lived_in(tmp_path, artifacts):
    """URL of a SQLite registry in which everything has happened at least once, with odd values."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    registry = ModelRegistry(url, artifacts=artifacts, create=True)
    (tmp_path / "m.bin").write_bytes(b"bytes")
    facts = {"change_note": "größer, 100 % \u2603", "parameters": {"depth": 3, "rates": [0.1, 1e-300]}, "tags": {"a": "'; DROP"}}
    registry.register("Lead", str(tmp_path / "m.bin"), metrics={"auc": 0.9, "nan": float("nan")}, datasets=[Dataset("d", rows=3)], **facts)
    registry.register("lead", metrics={"auc": 0.95, "loss": float("-inf")}, run=RUN)
    registry.register("risk.churn", idempotency_key="x")
    registry.describe_model("lead", owner="model_owner")
    registry.promote("lead", 1, decision=registry.decide("lead", 1, policy=POLICY))
    registry.decide("lead", 2, policy={**POLICY, "rules": [{"metric": "auc", "at_least": 0.99}]})
    registry.promote("lead", 2, reason="override")
    registry.rollback("lead", reason="back")
    registry.pin("lead", RUN, acknowledges=["score"])
    intent = registry.open_output("/out/1", partition="p=1", model="lead", version=1, run=RUN)
    registry.commit_output(intent, Written(uri="/out/1/predictions.parquet", rows=10, seconds=0.5))
    registry.open_output("/out/2", partition="p=2", model="lead", version=1, run=RUN)
    return url


def test_to_postgresql_and_back_every_row_is_the_same(lived_in, postgres_url, tmp_path):
    before = contents(lived_in)
    done = copy_database(lived_in, postgres_url)
    assert contents(postgres_url) == before
    assert contents(lived_in) == before
    assert done.rows == {name: len(rows) for name, rows in before.items() if rows}
    assert (done.audit_entries, done.audit_head) == (*before["airflow_registry_audit"][-1][:1], before["airflow_registry_audit"][-1][-1])
    back = f"sqlite:///{tmp_path / 'back.db'}"
    copy_database(postgres_url, back)
    assert contents(back) == before


def test_the_copy_is_proven_by_the_audit_of_its_source_and_back_again(lived_in, postgres_url, artifacts, tmp_path):
    copy_database(lived_in, postgres_url)
    copy = ModelRegistry(postgres_url, artifacts=artifacts)
    odd = {"third": 1 / 3, "least": 5e-324, "most": 1.7976931348623157e308, "no sign on SQLite": -0.0, "big": 1e22, "nan": float("nan")}
    copy.record_metrics("lead", 2, odd, evaluated_on=Dataset("größer", rows=1 << 40))
    copy.decide("lead", 2, policy={**POLICY, "rules": [{"metric": name, "at_least": 0.1} for name in odd]})
    back = f"sqlite:///{tmp_path / 'back.db'}"
    copy_database(postgres_url, back)
    proven = [ModelRegistry(url, artifacts=artifacts).verify_audit() for url in (postgres_url, back)]
    assert [(report.faults, report.rows) for report in proven] == [((), 3 + 3 + 3 + 3)] * 2


def test_the_copy_goes_on_where_the_source_was(lived_in, postgres_url, artifacts):
    source = ModelRegistry(lived_in, artifacts=artifacts)
    copy_database(lived_in, postgres_url)
    copy = ModelRegistry(postgres_url, artifacts=artifacts)
    assert copy.describe()["registry_uid"] == source.describe()["registry_uid"]
    assert [version.uid for version in copy.versions("lead")] == [version.uid for version in source.versions("lead")]
    assert copy.register("lead", run=RUN).number == 2
    assert copy.register("lead").number == 3
    assert (copy.register("new").number, copy.promote("lead", 3, reason="on").revision) == (1, 4)
    assert copy.pin("lead", RUN).number == 1
    assert copy.open_output("/out/1", partition="p=1", model="lead", version=3).generation == 2


def test_whoever_goes_on_with_the_old_database_is_refused(lived_in, postgres_url, artifacts):
    copy_database(lived_in, postgres_url)
    ModelRegistry(postgres_url, artifacts=artifacts).register("lead")
    with pytest.raises(DatabaseBehindStoreError, match="version 3 was registered before.*old copy of the database"):
        ModelRegistry(lived_in, artifacts=artifacts).register("lead")


def test_more_rows_than_a_batch_come_over_and_progress_is_told(tmp_path, postgres_url, monkeypatch):
    url, told = f"sqlite:///{tmp_path / 'many.db'}", []
    monkeypatch.setattr(clone, "BATCH_ROWS", 7)
    registry = ModelRegistry(url, artifacts=str(tmp_path / "a"), create=True)
    for _ in range(15):
        registry.register("lead")
    copy_database(url, postgres_url, progress=lambda *step: told.append(step))
    assert contents(postgres_url) == contents(url)
    assert [step[1:] for step in told if step[0] == "airflow_registry_versions"] == [(7, 15), (14, 15), (15, 15)]


def test_a_freshly_upgraded_target_is_taken_and_one_that_holds_anything_is_not(lived_in, postgres_url, artifacts):
    upgrade_database(postgres_url)
    copy_database(lived_in, postgres_url)
    before = contents(postgres_url)
    with pytest.raises(ConflictError, match=r"a registry already \(.*airflow_registry_versions 3.*Nothing was copied"):
        copy_database(lived_in, postgres_url)
    with pytest.raises(ConflictError, match="a registry already"):
        copy_database(lived_in, lived_in)
    assert contents(postgres_url) == before


def test_a_copy_that_fails_half_way_leaves_an_empty_registry_that_can_be_copied_into(lived_in, postgres_url):
    class StopError(Exception):
        pass

    def stop(table, done, total):
        if table == "airflow_registry_promotions":
            raise StopError

    with pytest.raises(StopError):
        copy_database(lived_in, postgres_url, progress=stop)
    assert ModelRegistry(postgres_url).models() == ()
    copy_database(lived_in, postgres_url)
    assert contents(postgres_url) == contents(lived_in)


def test_a_copy_that_is_not_the_same_is_taken_back(lived_in, postgres_url, monkeypatch):
    def losing(reader, where, table):
        batches = list(original(reader, where, table))
        return [batch[:-1] for batch in batches] if table.name == "airflow_registry_events" else batches

    original = clone._batches
    monkeypatch.setattr(clone, "_batches", losing)
    with pytest.raises(CorruptionError, match="differs from its source, so it was taken back"):
        copy_database(lived_in, postgres_url)
    assert ModelRegistry(postgres_url).models() == ()


def test_what_is_written_meanwhile_is_not_in_the_copy_and_the_copy_is_of_one_moment(lived_in, postgres_url, artifacts):
    source = ModelRegistry(lived_in, artifacts=artifacts)
    before = contents(lived_in)
    copy_database(lived_in, postgres_url, progress=lambda *_: source.register("lead", metrics={"auc": 0.5}))
    assert contents(postgres_url) == before
    with pytest.raises(DatabaseBehindStoreError):
        ModelRegistry(postgres_url, artifacts=artifacts).register("lead")


def test_a_source_that_is_not_there_or_not_of_this_release_is_refused(lived_in, tmp_path, postgres_url):
    with pytest.raises(DatabaseNotInitializedError, match="the file does not exist"):
        copy_database(f"sqlite:///{tmp_path}/nothing.db", postgres_url)
    with create_engine(lived_in).begin() as connection:
        connection.execute(text("UPDATE airflow_registry_alembic_version SET version_num = '0001'"))
    with pytest.raises(SchemaVersionError, match="db upgrade"):
        copy_database(lived_in, postgres_url)
    with pytest.raises(DatabaseNotInitializedError):
        ModelRegistry(postgres_url)


def test_a_target_that_is_out_of_reach_is_named_without_its_password(lived_in, tmp_path):
    with pytest.raises(StorageUnavailableError, match="did not answer") as caught:
        copy_database(lived_in, f"postgresql://approver:secret@/registry?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_times_keep_their_microseconds(tmp_path, postgres_url):
    url = f"sqlite:///{tmp_path / 'times.db'}"
    registry = ModelRegistry(url, artifacts=str(tmp_path / "a"), create=True)
    registry.core.now = lambda: datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC)
    registry.register("lead")
    copy_database(url, postgres_url)
    assert ModelRegistry(postgres_url).get("lead:1").registered_at == datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC)
