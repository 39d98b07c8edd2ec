"""Bad input and bad days, each of which ends in an error that is printed in `docs/reference/errors.md`.

A case is a function that provokes its error on real servers and lets it pass. What varies from run to run (addresses, folders, names)
is replaced by words, so that the printed text is the one that people read.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry, config
from airflow_registry.domain.model import Column, Signature
from airflow_registry.domain.names import RunKey
from airflow_registry.objects.options import StorageOptions
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import Provenance
from airflow_registry.testing.faulty_http import Answer

if TYPE_CHECKING:
    from pathlib import Path

CASES: dict[str, list[tuple[str, Any]]] = {"Object stores": [], "Databases": [], "Several installations": [], "Files and data": []}
ROOT = "team"


@dataclass
class Stage:
    """What a case may use.

    Attributes:
        folder: An empty folder.
        server: The S3 server; `bucket` is empty.
        proxy: In front of it.
        database: URL of an empty PostgreSQL database.
        names: What is replaced in the message, by what.
    """

    folder: Path
    server: Any
    proxy: Any
    bucket: str
    database: str
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.names |= {self.proxy.url: "http://s3:8333", self.bucket: "models", self.database: "postgresql://db/registry"}

    def options(self, identity=None, **changed):
        wanted = {"attempts": 2, "first_delay_s": 0.01, "read_timeout_s": 1.0, **changed}
        return StorageOptions(endpoint_url=self.proxy.url, s3_session=lambda: self.server.session(identity), **wanted)

    def in_bucket(self, bucket=None, identity=None):
        """A registry whose artifacts are in a bucket."""
        settings = config.Settings(
            database_url=f"sqlite:///{self.folder}/registry.db",
            artifacts=f"s3://{bucket or self.bucket}/{ROOT}",
            storage=self.options(identity),
        )
        return ModelRegistry.from_settings(settings, create=True)

    def on_postgres(self, url=None, **options):
        return ModelRegistry(url or self.database, artifacts=str(self.folder / "artifacts"), **options)

    def file(self, size=1000):
        path = self.folder / "model.bin"
        path.write_bytes(os.urandom(size))
        return str(path)

    def sql(self, *statements):
        """Past the registry, each statement by itself."""
        with create_engine(self.database, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            for statement in statements:
                connection.execute(text(statement))


def case(chapter, title):
    """Put a function into the table of contents."""

    def add(function):
        CASES[chapter].append((title, function))
        return function

    return add


# -- object stores ---------------------------------------------------------------------------------------------------------------
@case("Object stores", "The bucket does not exist")
def no_bucket(stage):
    stage.in_bucket("no-such-bucket").register("churn", stage.file())


@case("Object stores", "The bucket is forbidden")
def forbidden(stage):
    stage.in_bucket(identity=stage.server.reader).register("churn", stage.file())


@case("Object stores", "The bucket goes away in the middle of an upload")
def gone_in_mid_upload(stage):
    # Answered as S3 does: this server lets a part that is on its way make the bucket's folder again.
    stage.proxy.order("answer", method="PUT", path="partNumber=2", times=None, answer=Answer(status=404, code="NoSuchBucket"))
    stage.in_bucket().register("churn", stage.file(20 << 20))


@case("Object stores", "The store says 503 SlowDown for longer than it is tried")
def slow_down(stage):
    stage.proxy.order("answer", method="PUT", times=None, answer=Answer(status=503, code="SlowDown"))
    stage.in_bucket().register("churn", stage.file())


@case("Object stores", "The connection is reset again and again")
def reset(stage):
    stage.proxy.order("reset", times=None)
    stage.in_bucket().register("churn", stage.file())


@case("Object stores", "A download stalls in the middle")
def stalled(stage):
    registry = stage.in_bucket()
    version = registry.register("churn", stage.file(100_000))
    stage.proxy.order("stall", method="GET", path="/plain/", times=None)
    version = registry.get(version.ref)
    version.download(str(stage.folder / "copy"))


@case("Object stores", "A byte was changed on the way, or in the store")
def wrong_bytes(stage):
    registry = stage.in_bucket()
    registry.register("churn", stage.file(100_000))
    stage.proxy.order("flip", method="GET", path="/plain/", times=None)
    stage.names[str(registry.get("churn:1").digest)] = "sha256:4c1f…"
    registry.get("churn:1").download(str(stage.folder / "copy"))


@case("Object stores", "The credentials have expired")
def expired(stage):
    stage.proxy.order("answer", method="PUT", times=None, answer=Answer(status=400, code="ExpiredToken"))
    stage.in_bucket().register("churn", stage.file())


@case("Object stores", "This machine's clock is an hour off")
def clock_off(stage):
    stage.proxy.order("answer", method="PUT", times=None, answer=Answer(status=403, code="RequestTimeTooSkewed"))
    stage.in_bucket().register("churn", stage.file())


# -- databases -------------------------------------------------------------------------------------------------------------------
@case("Databases", "The address has a typo: there is no registry in that database")
def typo(stage):
    stage.on_postgres()


@case("Databases", "The address has a typo: there is no such file")
def typo_in_file(stage):
    ModelRegistry(f"sqlite:///{stage.folder}/regsitry.db")


@case("Databases", "The server restarts in the middle of a transaction")
def restarted(stage):
    registry = stage.on_postgres(create=True)
    engine = registry.core.store.engine
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    event.listen(engine, "after_cursor_execute", lambda _c, _k, said, *_: stage.sql(end_all) if "INSERT INTO" in said else None)
    registry.register("churn", metrics={"auc": 0.7})


@case("Databases", "Another transaction came between (serialization failure)")
def serialization(stage):
    registry = stage.on_postgres(create=True)
    stage.sql(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON airflow_registry_versions FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    registry.register("churn", metrics={"auc": 0.7})


@case("Databases", "The server has too many connections")
def too_many(stage):
    stage.on_postgres(create=True)
    role = f"r{os.urandom(4).hex()}"
    stage.names[role] = "registry_app"
    stage.sql(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
    stage.on_postgres(stage.database.replace("postgres@", f"{role}@"))


@case("Databases", "The database can only be read")
def read_only(stage):
    registry = stage.on_postgres(create=True)
    name = stage.database.partition("?")[0].rpartition("/")[2]
    stage.sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    registry.register("churn", metrics={"auc": 0.7})


@case("Databases", "Another process holds the lock")
def locked(stage):
    url = f"sqlite:///{stage.folder}/registry.db"
    ModelRegistry(url, create=True)
    with closing(sqlite3.connect(stage.folder / "registry.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ModelRegistry(f"{url}?timeout=0.1").register("churn", metrics={"auc": 0.7})


@case("Databases", "A backup was restored that is older than the artifact store")
def restored(stage):
    registry = stage.in_bucket()
    backup = (stage.folder / "registry.db").read_bytes()
    registry.register("churn", stage.file())
    for left in stage.folder.glob("registry.db*"):
        left.unlink()
    (stage.folder / "registry.db").write_bytes(backup)
    stage.in_bucket().register("churn", stage.file())


# -- several installations -------------------------------------------------------------------------------------------------------
@case("Several installations", "Two Airflow installations of one name have the same DAG and run ids")
def one_name(stage):
    run = RunKey(dag_id="train", run_id="scheduled__2026-01-05", task_id="fit", started_at=datetime(2026, 1, 5, 2, 0, 1, tzinfo=UTC))
    registry = stage.in_bucket()
    registry.register("churn", run=run)
    registry.register("churn", run=replace(run, started_at=datetime(2026, 1, 5, 2, 0, 7, tzinfo=UTC)))


@case("Several installations", "Nothing is configured, and tasks run on several machines (CeleryExecutor)")
def default_under_celery(_stage):
    config.refuse_defaults(config.resolve(environ={}), "CeleryExecutor")


# -- files and data --------------------------------------------------------------------------------------------------------------
@case("Files and data", "A folder holds links that lead out of it")
def links(stage):
    model = stage.folder / "model"
    model.mkdir()
    (model / "weights.bin").write_bytes(b"1")
    (model / "passwd").symlink_to("/etc/passwd")
    (model / "up").symlink_to("../registry.db")
    stage.in_bucket().register("churn", str(model))


@case("Files and data", "A name leads out of its folder")
def dots(stage):
    stage.in_bucket().core.artifacts.put(stage.file(), model="churn", name="../../etc/cron.d/job")


@case("Files and data", "Columns are missing or of another type")
def columns(stage):
    wanted = Signature(inputs=(Column(name="age", type="int64"), Column(name="visits", type="int64"), Column(name="plan", type="string")))
    score(stage, pa.table({"id": [1], "visits": ["three"]}), wanted)


@case("Files and data", "More rows than allowed do not fit the signature")
def quarantine(stage):
    wanted = Signature(inputs=(Column(name="age", type="int64", nullable=False),))
    score(stage, pa.table({"id": list(range(1000)), "age": [None if row % 20 == 0 else row for row in range(1000)]}), wanted)


def score(stage, table, signature):
    class Constant:
        def predict(self, rows):
            return [0.0] * len(rows)

    pq.write_table(table, stage.folder / "day.parquet")
    source, provenance = open_source(stage.folder / "day.parquet"), Provenance(model="churn", version=1)
    score_partition(Constant(), signature, source, str(stage.folder / "scores"), provenance=provenance, generation=1, keys=["id"])
