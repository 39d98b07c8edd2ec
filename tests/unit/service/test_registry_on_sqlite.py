"""The registry's contract on a SQLite file, and what only a file can do."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import uuid
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from airflow_registry import ModelRegistry
from airflow_registry.errors import ConfigurationError, CorruptionError, DatabaseNotInitializedError, StorageUnavailableError
from airflow_registry.sql import view
from tests.contracts.registry import RegistryContract


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A registry's file, made once: copying it is a hundred times faster."""
    file = tmp_path_factory.mktemp("made") / "registry.db"
    ModelRegistry(f"sqlite:///{file}", create=True)
    return file


class TestRegistryOnSqlite(RegistryContract):
    __test__ = True

    @pytest.fixture
    def url(self, tmp_path, made):
        shutil.copy(made, tmp_path / "registry.db")
        with closing(sqlite3.connect(tmp_path / "registry.db")) as other:
            other.execute("UPDATE airflow_registry_meta SET value = ? WHERE key = 'registry_uid'", (str(uuid.uuid4()),))
            other.commit()
        return f"sqlite:///{tmp_path / 'registry.db'}"

    @pytest.fixture
    def empty_url(self, tmp_path):
        return f"sqlite:///{tmp_path / 'empty.db'}"

    def file(self, url):
        return Path(url.removeprefix("sqlite:///"))

    def impatient(self, url):
        return f"{url}?timeout=0.1"

    @contextmanager
    def locked(self, url):
        with closing(sqlite3.connect(self.file(url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def read_only(self, url):
        return f"sqlite:///file:{self.file(url)}?mode=ro&uri=true"

    def take_away(self, url):
        self.file(url).unlink()

    # -- only here -----------------------------------------------------------------------------------------------------------
    def test_a_deleted_file_stays_deleted(self, registry, url):
        self.take_away(url)
        with pytest.raises(StorageUnavailableError, match="cannot be opened"):
            registry.register("lead")
        assert not self.file(url).exists()

    def test_a_mistyped_path_makes_no_file(self, tmp_path):
        with pytest.raises(DatabaseNotInitializedError, match="the file does not exist"):
            ModelRegistry(f"sqlite:///{tmp_path}/mistyped/registry.db")
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_file_is_an_error_unless_it_was_to_be_created(self, tmp_path):
        (tmp_path / "empty.db").touch()
        with pytest.raises(DatabaseNotInitializedError, match="no registry tables"):
            ModelRegistry(f"sqlite:///{tmp_path}/empty.db")
        assert (tmp_path / "empty.db").stat().st_size == 0

    def test_a_file_that_is_no_database_is_said_to_be_none(self, tmp_path):
        (tmp_path / "model.pkl").write_bytes(b"these are not the bytes of a database " * 100)
        with pytest.raises(ConfigurationError, match="no SQLite database"):
            ModelRegistry(f"sqlite:///{tmp_path}/model.pkl", create=True)

    def test_a_new_file_that_somebody_writes_to_is_waited_for(self, tmp_path):
        """The switch to WAL is refused at once while somebody writes; SQLite itself does not wait."""
        made = []
        with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("CREATE TABLE theirs (x)")
            maker = threading.Thread(target=lambda: made.append(ModelRegistry(f"sqlite:///{tmp_path}/new.db", create=True)))
            maker.start()
            maker.join(0.3)
            assert not made
            with pytest.raises(StorageUnavailableError, match="another process holds a lock"):
                ModelRegistry(f"sqlite:///{tmp_path}/new.db?timeout=0.1", create=True)
            other.execute("COMMIT")
        maker.join(30)
        assert made[0].register("lead").number == 1

    def test_the_view_may_be_made_by_somebody_else_in_between(self, tmp_path, monkeypatch):
        url, real, told = f"sqlite:///{tmp_path}/registry.db", view.look, []

        def look(connection, name):
            found = real(connection, name)
            told.append(found)
            if len(told) == 1:  # both have seen that there is none
                ModelRegistry(url, create=True)
            return found

        monkeypatch.setattr(view, "look", look)
        assert ModelRegistry(url, create=True).register("lead").number == 1
        assert told == [view.Found.NOTHING, view.Found.NOTHING, view.Found.NOTHING, view.Found.VIEW]

    def test_a_damaged_file_is_said_to_be_damaged(self, registry, url, tmp_path):
        for _ in range(40):
            registry.register("lead", description="x" * 2000)
        with closing(sqlite3.connect(self.file(url))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = bytearray(self.file(url).read_bytes())
        content[8192:] = b"\xff" * (len(content) - 8192)
        self.file(url).write_bytes(content)
        with pytest.raises(CorruptionError, match="file is damaged"):
            registry.versions("lead")

    def test_a_full_disk_is_said_to_be_full_and_changes_nothing(self, registry, url, monkeypatch):
        from sqlalchemy import event

        registry.register("lead")

        @event.listens_for(registry.core.store.engine, "connect")
        def _no_room(connection, _record):
            connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")

        with pytest.raises(StorageUnavailableError, match="disk is full"):
            registry.register("lead", description="x" * 1_000_000)
        assert [version.number for version in ModelRegistry(url).versions("lead")] == [1]

    def test_a_file_that_may_not_grow_names_the_disk_and_changes_nothing(self, registry, url):
        registry.register("lead")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file(url).stat().st_size, hard))  # as a quota does
        try:
            with pytest.raises(StorageUnavailableError, match="disk .*full"):
                registry.register("lead", description="x" * 1_000_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [version.number for version in ModelRegistry(url).versions("lead")] == [1]

    def test_a_folder_that_cannot_be_made_is_a_configuration_error(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match="cannot be made"):
            ModelRegistry(f"sqlite:///{tmp_path}/file/registry.db", create=True)

    def test_the_default_registry_is_made_on_first_use(self, tmp_path, monkeypatch):
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
        registry = ModelRegistry()
        assert registry.register("lead").number == 1
        assert (tmp_path / "home" / "airflow_registry.db").exists()
        assert registry.describe()["origins"] == dict.fromkeys(("database", "artifacts", "deployment", "trusted"), "default")

    def test_it_does_not_matter_into_which_folder_the_process_changes_later(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        registry = ModelRegistry("sqlite:///registry.db", artifacts="artifacts", create=True)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert registry.register("lead").number == 1
        assert str(tmp_path / "registry.db") in registry.describe()["database"]

    def test_a_path_with_odd_characters_is_the_file_it_says(self, tmp_path):
        path = tmp_path / "50% größer #1 ü.db"
        ModelRegistry(f"sqlite:///{path}", create=True).register("lead")
        assert [version.number for version in ModelRegistry(f"sqlite:///{path}").versions("lead")] == [1]
        assert sorted(entry.name for entry in tmp_path.iterdir() if entry.suffix == ".db") == [path.name]

    def test_an_engine_of_the_caller_stays_as_it_is(self, tmp_path):
        engine = create_engine(f"sqlite:///{tmp_path / 'registry.db'}")
        registry = ModelRegistry(engine, create=True)
        assert registry.register("lead").number == 1
        begun = []
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            raw.set_trace_callback(begun.append)
            connection.execute(text("SELECT 1"))
            assert begun == ["SELECT 1"]
            raw.set_trace_callback(None)
        assert registry.describe()["database"].startswith("sqlite:///")
        engine.dispose()

    def test_an_in_memory_database_works_and_is_its_own(self):
        registry = ModelRegistry("sqlite://", create=True)
        registry.promote("lead", registry.register("lead").number, reason="x")
        assert registry.production("lead").number == 1
        with pytest.raises(DatabaseNotInitializedError):
            ModelRegistry("sqlite://")
        registry.core.store.engine.dispose()

    def test_the_commit_of_the_training_code_is_filled_in(self, tmp_path):
        script = tmp_path / "train.py"
        script.write_text(
            "from airflow_registry import ModelRegistry\n"
            f"r = ModelRegistry('sqlite:///{tmp_path}/r.db', artifacts='{tmp_path}/a', create=True)\n"
            "print(r.register('lead').lineage.git_commit)\n"
        )
        for command in (["init", "-q"], ["add", "train.py"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
            subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
        commit = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
        printed = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True, cwd="/").stdout
        assert printed == commit

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("registry.db", "not a URL"),
            ("mysql://host/db", "found 'mysql'"),
            ("postgresql+asyncpg://host/db", "asyncpg"),
            ("sqlite+aiosqlite:///x.db", "aiosqlite"),
            ("postgresql://host:port/db", "not a URL"),
            ("sqlite:///x.db?timeout=soon", "'soon'"),
            (5, "found int"),
        ],
    )
    def test_an_address_that_cannot_be_used_is_a_configuration_error(self, address, message):
        with pytest.raises(ConfigurationError, match=message):
            ModelRegistry(address)
