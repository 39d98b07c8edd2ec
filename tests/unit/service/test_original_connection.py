"""A connection that is handed in stays its owner's: its transaction, its settings, its life."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import (
    IllegalTransitionError,
    InvalidInputError,
    StorageUnavailableError,
    VersionConflictError,
)
from tests.unit.service.originals import Cloud, use

pytestmark = pytest.mark.usefixtures("own_folder")


# -- the connection stays its owner's --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"isolation_level": None},
        {"isolation_level": "EXCLUSIVE"},
        {"detect_types": sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES},
        {"cached_statements": 0},
        {"check_same_thread": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", [":memory:", "registry.db"])
def test_a_connection_opened_in_any_way_can_be_used(place, options):
    with closing(sqlite3.connect(place, **options)) as connection:
        use(connection)
        assert connection.isolation_level == options.get("isolation_level", "")
        assert not connection.in_transaction


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("row_factory", sqlite3.Row),
        ("row_factory", lambda cursor, row: {"first": row[0]}),
        ("text_factory", bytes),
        ("text_factory", lambda text: 5),
    ],
)
def test_what_the_owner_has_set_stays_set_and_does_not_matter(memory, name, value):
    setattr(memory, name, value)
    use(memory)
    assert getattr(memory, name) is value


def test_pragmas_functions_and_journal_of_the_owner_stay_as_they_are():
    with closing(sqlite3.connect("registry.db")) as connection:
        connection.create_function("regexp", 2, lambda pattern, text: "the owner's")
        connection.create_function("floor", 1, lambda number: "the owner's")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA busy_timeout = 123")
        names = (
            "foreign_keys",
            "synchronous",
            "journal_mode",
            "busy_timeout",
            "recursive_triggers",
            "query_only",
            "encoding",
            "read_uncommitted",
        )
        settings = [connection.execute(f"PRAGMA {name}").fetchone() for name in names]
        use(connection)
        assert [connection.execute(f"PRAGMA {name}").fetchone() for name in names] == settings
        assert connection.execute("SELECT 'x' REGEXP 'y', floor(1.5)").fetchone() == ("the owner's", "the owner's")
        assert connection.isolation_level == ""


def test_an_open_transaction_is_refused_by_every_verb_and_stays_open(memory):
    memory.execute("CREATE TABLE mine (x)")
    model_registry = use(memory)
    memory.execute("INSERT INTO mine VALUES (1)")
    for call in (
        lambda: ModelRegistry(conn=memory),
        lambda: model_registry.publish_model(Cloud(), "other", {}),
        lambda: model_registry.increment_version(Cloud(), "lead_scoring", {}),
        lambda: model_registry.update_stage("lead_scoring", "1", "ARCHIVED"),
        lambda: model_registry.get_production_model("lead_scoring"),
        lambda: model_registry.versions("lead_scoring"),
    ):
        with pytest.raises(InvalidInputError, match=r"Call conn\.commit\(\)"):
            call()
    assert memory.in_transaction
    memory.rollback()
    assert memory.execute("SELECT count(*) FROM mine").fetchone() == (0,)
    model_registry.increment_version(Cloud(), "lead_scoring", {})


def test_a_refusal_leaves_no_transaction_open(memory):
    model_registry = use(memory)
    with pytest.raises(VersionConflictError):
        model_registry.publish_model(Cloud(), "lead_scoring", {})
    with pytest.raises(IllegalTransitionError):
        model_registry.update_stage("lead_scoring", "1", "SHADOW")
    assert not memory.in_transaction
    memory.execute("CREATE TABLE still_usable (x)")


def test_it_is_never_closed(memory):
    model_registry = use(memory)
    del model_registry
    __import__("gc").collect()
    assert memory.execute("SELECT 1").fetchone() == (1,)


def test_a_closed_connection_is_said_to_be_closed():
    connection = sqlite3.connect(":memory:")
    model_registry = use(connection)
    connection.close()
    for call in (lambda: ModelRegistry(conn=connection), lambda: model_registry.publish_model(Cloud(), "x", {}), model_registry.models):
        with pytest.raises(InvalidInputError, match=r"cannot be used: Cannot operate on a closed database"):
            call()


def test_a_connection_of_another_thread_is_said_to_be_one(memory):
    model_registry, told = use(memory), []

    def elsewhere():
        for call in (lambda: ModelRegistry(conn=memory), model_registry.models, lambda: model_registry.publish_model(Cloud(), "x", {})):
            try:
                call()
            except InvalidInputError as error:
                told.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(told) == 3
    assert all("Use the registry in the thread that opened the connection" in text for text in told)
    assert [model.name for model in model_registry.models()] == ["lead_scoring"]


def test_a_connection_that_can_only_be_read_reads():
    with closing(sqlite3.connect("registry.db")) as connection:
        use(connection)
    with closing(sqlite3.connect("file:registry.db?mode=ro", uri=True)) as connection:
        model_registry = ModelRegistry(conn=connection)
        assert list(model_registry.get_production_model("lead_scoring")["version"]) == [1]
        with pytest.raises(StorageUnavailableError, match="can only be read"):
            model_registry.increment_version(Cloud(), "lead_scoring", {})


def test_a_reader_that_keeps_its_cursor_open_makes_a_commit_fail_and_nothing_stays_open():
    with closing(sqlite3.connect("registry.db", timeout=0.1)) as connection, closing(sqlite3.connect("registry.db")) as reader:
        model_registry = use(connection)
        cursor = reader.execute("SELECT * FROM airflow_registry_versions JOIN airflow_registry_audit")
        cursor.fetchone()
        with pytest.raises(StorageUnavailableError, match="another process holds a lock"):
            model_registry.increment_version(Cloud(), "lead_scoring", {})
        assert not connection.in_transaction
        cursor.close()
        assert model_registry.increment_version(Cloud(), "lead_scoring", {}).number == 2
