"""The registry's contract on a real PostgreSQL, and what only a server can do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry
from airflow_registry.domain.audit import GENESIS
from airflow_registry.errors import ConfigurationError, StorageUnavailableError
from airflow_registry.sql.schema import HEAD
from airflow_registry.sql.tables import metadata
from tests.contracts.registry import RegistryContract
from tests.contracts.registry_base import run

pytestmark = pytest.mark.postgres


def engine_of(url):
    return create_engine(url, poolclass=NullPool)


@pytest.fixture(scope="module")
def admin(postgres_server):
    """Runs a statement in the database `postgres`, outside any transaction."""

    def execute(statement):
        with engine_of(postgres_server.url()).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))

    return execute


class Reused:
    """One registry for many tests: emptying its tables takes a tenth of the time of a new database."""

    def __init__(self, server):
        self.server, self.name = server, None

    def url(self):
        if self.name is None:
            self.name = self.server.create_database()
            ModelRegistry(self.server.url(self.name), create=True)
        return self.server.url(self.name)

    def empty(self):
        """Back to the first moment; a test that broke the database has the next one get another."""
        try:
            with engine_of(self.url()).begin() as connection:
                connection.exec_driver_sql(";".join(_EMPTYING))
        except DBAPIError:
            self.drop()

    def drop(self):
        if self.name is not None:
            self.server.drop_database(self.name)
        self.name = None


_EMPTYING = [
    *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables) if not table.name.endswith("_meta")),
    *(
        f"SELECT setval('{table.name}_id_seq', 1, false)"
        for table in metadata.sorted_tables
        if "id" in table.c and table.c.id.autoincrement is not False
    ),
    f"INSERT INTO airflow_registry_audit_head VALUES (1, 0, '{GENESIS}')",
    f"UPDATE airflow_registry_alembic_version SET version_num = '{HEAD}'",
    "UPDATE airflow_registry_meta SET value = '0001' WHERE key = 'oldest_usable'",
    "UPDATE airflow_registry_meta SET value = gen_random_uuid() WHERE key = 'registry_uid'",  # an emptied one is another one
]


@pytest.fixture(scope="module")
def reused(postgres_server):
    database = Reused(postgres_server)
    yield database
    database.drop()


class TestRegistryOnPostgres(RegistryContract):
    __test__ = True

    @pytest.fixture
    def url(self, reused):
        yield reused.url()
        reused.empty()

    @pytest.fixture
    def empty_url(self, postgres_url):
        return postgres_url

    def impatient(self, url):
        return f"{url}&timeout=0.1"

    @contextmanager
    def locked(self, url):
        with engine_of(url).begin() as other:
            other.execute(text("LOCK TABLE airflow_registry_audit_head IN ROW EXCLUSIVE MODE"))
            other.execute(text("UPDATE airflow_registry_audit_head SET seq = seq"))
            yield

    def read_only(self, url):
        return f"{url}&options=-cdefault_transaction_read_only%3Don"

    def take_away(self, url):
        name = make_url(url).database
        with engine_of(url.replace(f"/{name}?", "/postgres?")).connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            other.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))

    # -- only here -----------------------------------------------------------------------------------------------------------
    def test_a_connection_that_breaks_during_the_commit_leaves_the_outcome_open(self, registry, url):
        registry.register("lead")
        writing = registry.core.store.write()
        tx = writing.__enter__()
        tx.run(text("UPDATE airflow_registry_models SET purpose = 'x'"))
        with engine_of(url).begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": tx.scalar(text("SELECT pg_backend_pid()"))})
        with pytest.raises(StorageUnavailableError, match=r"broke during the commit.*is unknown.*run= or idempotency_key="):
            writing.__exit__(None, None, None)
        assert registry.models()[0].purpose is None

    def test_a_connection_that_breaks_before_the_commit_has_changed_nothing(self, registry, url):
        registry.register("lead")
        with pytest.raises(StorageUnavailableError, match="Nothing was changed"), registry.core.store.write() as tx:
            tx.run(text("UPDATE airflow_registry_models SET purpose = 'x'"))
            with engine_of(url).begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": tx.scalar(text("SELECT pg_backend_pid()"))})
            tx.run(text("UPDATE airflow_registry_models SET owner = 'x'"))
        assert registry.models()[0].purpose is None

    def test_a_deadlock_is_retryable_and_changes_nothing(self, registry, url, sql):
        registry.register("a")
        registry.register("b")
        touch = "UPDATE airflow_registry_models SET purpose = 'mine' WHERE key = '{}'"
        other = engine_of(url).connect()
        try:
            in_a_circle = pytest.raises(StorageUnavailableError, match="another transaction changed the same rows")
            with in_a_circle as caught, registry.core.store.write() as tx:
                tx.run(text("SET LOCAL deadlock_timeout = '10ms'"))
                tx.run(text(touch.format("a")))
                other.execute(text("SET LOCAL deadlock_timeout = '60s'"))
                other.execute(text(touch.format("b")))
                other.connection.driver_connection.pgconn.send_query(touch.format("a").encode())  # its answer is not awaited here
                tx.run(text(touch.format("b")))
            assert caught.value.retryable
        finally:
            other.invalidate()
            other.close()
        assert sql("SELECT count(*) FROM airflow_registry_models WHERE purpose IS NOT NULL") == [(0,)]

    def test_a_writer_that_stopped_in_the_middle_is_ended_by_the_server(self, registry, url, open_registry):
        stopped = open_registry(f"{url}&timeout=0.4").core.store.write()
        tx = stopped.__enter__()
        tx.run(text("UPDATE airflow_registry_audit_head SET seq = seq"))
        assert registry.register("lead").number == 1  # waits until the server has ended the other one
        with pytest.raises(StorageUnavailableError):
            stopped.__exit__(None, None, None)

    # -- locks: what was looked up stays so until the commit -------------------------------------------------------------------
    def waiting(self, sql, count):
        """Until that many sessions wait for a lock."""
        while sql("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") != [(count,)]:
            pass

    def test_a_promotion_by_hand_waits_for_another_one_and_then_replaces_it(self, registry, url, sql, lead):
        registry.promote("lead", 1, reason="x")
        with engine_of(url).connect() as other, ThreadPoolExecutor() as pool:
            other.execute(text("UPDATE airflow_registry_champions SET revision = revision + 1"))
            promoted = pool.submit(registry.promote, "lead", 2, reason="x")
            self.waiting(sql, 1)
            other.commit()
            assert (promoted.result().revision, promoted.result().replaced) == (3, 1)

    def test_two_clears_with_the_same_bytes_at_once_make_one_version(self, registry, url, sql, tmp_path):
        registry.register("lead")
        (tmp_path / "model.bin").write_bytes(b"weights")
        with engine_of(url).connect() as other, ThreadPoolExecutor() as pool:
            other.execute(text("SELECT 1 FROM airflow_registry_models FOR NO KEY UPDATE"))
            clears = (0, 1, 0)
            submitted = [pool.submit(registry.register, "lead", tmp_path / "model.bin", run=run(clear=clear)) for clear in clears]
            self.waiting(sql, 3)
            other.rollback()
            assert [registration.result().number for registration in submitted] == [2, 2, 2]

    def test_a_registration_and_a_promotion_of_one_model_do_not_wait_for_each_other_s_rows(self, registry, url, lead):
        with engine_of(url).connect() as other:
            other.execute(text("UPDATE airflow_registry_models SET next_number = next_number"))
            assert registry.promote("lead", 1, reason="x").revision == 1

    def test_a_reader_sees_one_moment(self, registry, champions):
        champions(1)
        with registry.core.store.read() as tx:
            count = text("SELECT count(*) FROM airflow_registry_versions")
            before = tx.scalar(count)
            registry.register("lead")
            assert tx.scalar(count) == before == 1

    def test_a_reader_cannot_write(self, registry):
        with pytest.raises(StorageUnavailableError, match="can only be read"), registry.core.store.read() as tx:
            tx.run(text("DELETE FROM airflow_registry_meta"))

    def test_no_prepared_statement_stays_on_the_server(self, registry):
        """A pooler in transaction mode hands the next statement to another session."""
        with registry.core.store.read() as tx:
            for _ in range(20):
                tx.scalar(text("SELECT 1"))
            assert tx.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0

    def test_nothing_is_set_for_a_session(self, registry):
        """The settings of a writer must not reach whoever gets its session from the pooler next."""
        writing = registry.core.store.write()
        tx = writing.__enter__()
        inside = tx.scalar(text("SHOW lock_timeout"))
        session = tx.connection.connection.driver_connection
        session.commit()
        assert (inside, session.execute("SHOW lock_timeout").fetchone()) == ("1min", ("0",))
        assert session.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("0",)
        writing.__exit__(None, None, None)

    def test_a_user_without_the_right_is_told_to_get_it(self, registry, url, admin, champions):
        champions(1)
        role = make_url(url).database.replace("test_", "role_")
        admin(f'CREATE ROLE "{role}" LOGIN')
        try:
            with engine_of(url).begin() as owner:
                owner.execute(text(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"'))
            reader = ModelRegistry(url.replace("postgres@", f"{role}@"))
            assert reader.production("lead").number == 1
            with pytest.raises(ConfigurationError, match="grant the user the right"):
                reader.register("lead")
        finally:
            with engine_of(url).begin() as owner:
                owner.execute(text(f'DROP OWNED BY "{role}"'))
            admin(f'DROP ROLE "{role}"')

    def test_an_engine_of_the_caller_is_used_as_it_is(self, registry, url):
        engine = create_engine(url, pool_size=1)
        mine = ModelRegistry(engine)
        mine.promote("lead", mine.register("lead").number, reason="x")
        with engine.connect() as connection:
            assert connection.scalar(text("SHOW lock_timeout")) == "0"
            assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
            assert connection.scalar(text("SHOW transaction_read_only")) == "off"
        engine.dispose()

    def test_a_server_that_is_not_there_is_out_of_reach_and_no_password_is_shown(self, tmp_path):
        with pytest.raises(StorageUnavailableError, match="did not answer") as caught:
            ModelRegistry(f"postgresql://approver:secret@/registry?host={tmp_path}")
        assert "secret" not in str(caught.value)
        assert caught.value.retryable

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
    def test_every_usual_spelling_of_the_address_means_the_same_driver(self, registry, url, scheme):
        assert ModelRegistry(url.replace("postgresql+psycopg", scheme)).models() == ()

    @pytest.mark.parametrize("name", ["Models", "order", "model_registry"])
    def test_the_view_has_its_name_in_lower_case_as_sql_means_it(self, url, registry, sql, name):
        registry.register("lead", metrics={"auc": 0.5})
        for _ in range(2):
            ModelRegistry(url, table_name=name)
        try:
            [row] = sql(f'SELECT * FROM "{name.lower()}"')
            assert (row[1:3], row[3], row[4:]) == (("lead", 1), "2026-01-01 12:00:00", ('{"auc": 0.5}', "", "DEVELOPMENT"))
        finally:
            sql(f'DROP VIEW "{name.lower()}"')

    def test_a_table_of_the_original_design_is_imported(self, url, registry, sql):
        sql("CREATE TABLE theirs (id int, name text, version text, registered_date timestamp, metrics text, remote_path text, stage text)")
        sql("INSERT INTO theirs VALUES (7, 'churn', '3', '2020-02-25 12:42:49', '{}', 's3://m', 'PRODUCTION')")
        try:
            champion = ModelRegistry(url, table_name="theirs").production("churn")
            assert (champion.number, str(champion.registered_at), champion.remote_path) == (3, "2020-02-25 12:42:49+00:00", "s3://m")
            assert sql("SELECT id FROM theirs_before_airflow_registry") == [(7,)]
        finally:
            sql("DROP VIEW theirs")
            sql("DROP TABLE theirs_before_airflow_registry")
