"""The migrated schema is the one that the code expects, on both databases, whoever migrates and how often."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry
from airflow_registry.errors import SchemaVersionError
from airflow_registry.sql import schema
from airflow_registry.sql.tables import PREFIX, metadata
from airflow_registry.sql.upgrade import upgrade_database

pytestmark = pytest.mark.postgres


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path / 'registry.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def engine(url):
    return create_engine(url, poolclass=NullPool)


def tables(engine):
    return {name for name in inspect(engine).get_table_names() if name.startswith(PREFIX)}


def test_every_migration_is_known_and_the_newest_is_ours():
    scripts = ScriptDirectory(str(Path(schema.__file__).with_name("migrations")))
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == schema.REVISIONS
    assert scripts.get_heads() == [schema.HEAD]
    assert schema.OLDEST_USABLE in schema.REVISIONS


def test_what_the_migrations_make_is_what_the_code_expects(url, engine):
    upgrade_database(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _parents: kind != "table" or (name.startswith(PREFIX) and "alembic" not in name),
            },
        )
        assert compare_metadata(context, metadata) == []
    assert tables(engine) == {*metadata.tables, "airflow_registry_alembic_version"}


def test_constraints_that_alembic_does_not_compare_are_the_same_too(url, engine, tmp_path):
    """Checks, primary keys, the condition of a partial index: compared with what `create_all` makes from the same tables."""
    upgrade_database(url)
    migrated = described(engine)
    if engine.dialect.name == "sqlite":
        other = create_engine(f"sqlite:///{tmp_path / 'other.db'}", poolclass=NullPool)
    else:
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA other"))
        other = create_engine(f"{url}&options=-csearch_path%3Dother", poolclass=NullPool)
    metadata.create_all(other)
    assert described(other) == migrated


def described(engine):
    """Everything that the database says about our tables, in an order of its own."""
    inspector, found = inspect(engine), {}
    for table in sorted(metadata.tables):
        found[table] = {
            "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)),
            "checks": sorted((c["name"], re.sub(r"\s+", " ", c["sqltext"])) for c in inspector.get_check_constraints(table)),
            "key": (inspector.get_pk_constraint(table)["name"], inspector.get_pk_constraint(table)["constrained_columns"]),
            "unique": sorted((u["name"], u["column_names"]) for u in inspector.get_unique_constraints(table)),
            "foreign": sorted((f["name"], f["constrained_columns"], f["referred_table"]) for f in inspector.get_foreign_keys(table)),
            "indexes": sorted((i["name"], i["column_names"], bool(i["unique"]), _condition(i)) for i in inspector.get_indexes(table)),
        }
    return found


def _condition(index):
    return str(next((value for name, value in index.get("dialect_options", {}).items() if name.endswith("_where")), None))


def test_every_constraint_has_a_name(url, engine):
    upgrade_database(url)
    for table, facts in described(engine).items():
        names = [facts["key"][0], *(entry[0] for kind in ("checks", "unique", "foreign", "indexes") for entry in facts[kind])]
        assert all(names), table
        assert all(re.fullmatch(rf"(pk|ck|uq|fk|ix)_{PREFIX}\w+", name) for name in names), names
        assert max(map(len, names)) <= 63, "PostgreSQL cuts longer names"


def test_an_upgrade_may_be_repeated(url, engine):
    address, before, after = upgrade_database(url)
    assert (before, after) == (None, schema.HEAD)
    assert address
    ModelRegistry(url).register("lead")
    with engine.connect() as connection:
        uid = connection.execute(text("SELECT value FROM airflow_registry_meta WHERE key = 'registry_uid'")).scalar()
    assert upgrade_database(url)[1:] == (schema.HEAD, schema.HEAD)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT value FROM airflow_registry_meta WHERE key = 'registry_uid'")).scalar() == uid
        assert connection.execute(text("SELECT seq FROM airflow_registry_audit_head")).scalar() == 1
    assert [version.number for version in ModelRegistry(url).versions("lead")] == [1]


def test_two_registries_have_different_names(url, engine, tmp_path):
    upgrade_database(url)
    upgrade_database(f"sqlite:///{tmp_path}/second.db")
    second = create_engine(f"sqlite:///{tmp_path}/second.db", poolclass=NullPool)
    names = set()
    for one in (engine, second):
        with one.connect() as connection:
            names.add(connection.execute(text("SELECT value FROM airflow_registry_meta WHERE key = 'registry_uid'")).scalar())
    assert len(names) == 2


def test_processes_that_upgrade_at_the_same_time_all_succeed(url, engine):
    command = [sys.executable, "-m", "airflow_registry.cli", "db", "upgrade", "--database", url, "--json"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    told = [process.communicate(timeout=60) for process in started]
    assert [(process.returncode, err) for process, (_, err) in zip(started, told, strict=True)] == [(0, "")] * 6
    assert tables(engine) == {*metadata.tables, "airflow_registry_alembic_version"}
    assert ModelRegistry(url).register("lead").number == 1


def test_threads_that_make_a_registry_at_the_same_time_all_succeed(url):
    numbers, start = [], threading.Barrier(6)

    def make():
        start.wait()
        numbers.append(ModelRegistry(url, create=True).register("lead").number)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


def test_threads_that_make_different_registries_at_the_same_time_all_succeed(tmp_path):
    numbers, start = [], threading.Barrier(6)

    def make(place):
        start.wait()
        numbers.append(ModelRegistry(f"sqlite:///{tmp_path}/{place}.db", create=True).register("lead").number)

    threads = [threading.Thread(target=make, args=[place]) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1] * 6


def test_a_migration_that_fails_leaves_nothing(url, engine, monkeypatch):
    monkeypatch.setattr(schema, "_first_rows", lambda _connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ModelRegistry(url, create=True)
    assert tables(engine) == set()
    monkeypatch.undo()
    assert ModelRegistry(url, create=True).register("lead").number == 1


def at_revision(engine, revision):
    """A database as an earlier release made it."""
    config = Config()
    config.set_main_option("script_location", "airflow_registry.sql:migrations")
    with engine.connect() as plain:
        connection = plain.execution_options(registry_writes=True)
        config.attributes["connection"] = connection
        with connection.begin():
            command.upgrade(config, revision)
            schema._first_rows(connection)


def write_as_the_first_release(engine, number):
    """One version, with the columns that an earlier release knew."""
    now = "2026-01-01 00:00:00.000000" if engine.dialect.name == "sqlite" else "2026-01-01T00:00:00+00:00"
    with engine.begin() as connection:
        if number == 1:
            connection.execute(text(INSERT_MODEL), {"at": now})
        facts = {"n": number, "uid": f"uid-{number}", "at": now}
        row = connection.execute(text(INSERT_VERSION.format(empty="'{}'", none="'[]'")), facts).scalar()
        connection.execute(text(f"INSERT INTO {PREFIX}version_stages VALUES (:row, 1, 'DEVELOPMENT')"), {"row": row})


INSERT_MODEL = f"INSERT INTO {PREFIX}models (id, key, name, next_number, created_at) VALUES (1, 'lead', 'lead', 3, :at)"
INSERT_VERSION = f"""
    INSERT INTO {PREFIX}versions (uid, model_id, number, registered_at, is_imported, remote_path, format, is_stored, metrics,
        parameters, tags, datasets, packages, deployment)
    VALUES (:uid, 1, :n, :at, FALSE, '', 'none', FALSE, '{{{{}}}}', {{empty}}, {{empty}}, {{none}}, {{empty}}, 'default')
    RETURNING id
"""


@pytest.mark.parametrize("revision", schema.REVISIONS[:-1])
def test_what_an_earlier_release_wrote_is_read_after_the_upgrade_and_it_can_go_on_writing(url, engine, revision):
    at_revision(engine, revision)
    write_as_the_first_release(engine, 1)
    with pytest.raises(SchemaVersionError, match="airflow-registry db upgrade"):
        ModelRegistry(url)
    upgrade_database(url)
    write_as_the_first_release(engine, 2)  # a worker that was not restarted yet
    registry = ModelRegistry(url)
    assert [(version.number, version.uid) for version in registry.versions("lead")] == [(1, "uid-1"), (2, "uid-2")]
    assert registry.register("lead").number == 3
