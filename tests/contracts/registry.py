"""What every registry must do, on whichever database. A registry's tests subclass the suite and fill in fixtures and hooks.

The parts stand in `registry_*.py`; here they are joined, with what a database can do to a registry.
"""

from __future__ import annotations

import threading

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import DatabaseNotInitializedError, SchemaVersionError, StorageUnavailableError
from tests.contracts.registry_auditing import Auditing
from tests.contracts.registry_base import POLICY, run
from tests.contracts.registry_burn_in import BurningIn
from tests.contracts.registry_copying import Copying
from tests.contracts.registry_deployments import Deployments
from tests.contracts.registry_digested import Digesting
from tests.contracts.registry_drifting import Drifting
from tests.contracts.registry_evaluating import Evaluating
from tests.contracts.registry_inferring import Ledger, Pinning
from tests.contracts.registry_judging import Judging
from tests.contracts.registry_outcomes import Outcomes
from tests.contracts.registry_people import People
from tests.contracts.registry_promoting import Promoting
from tests.contracts.registry_proving import Proving
from tests.contracts.registry_recalling import Recalling
from tests.contracts.registry_registering import Registering
from tests.contracts.registry_reporting import Reporting
from tests.contracts.registry_restoring import Restoring
from tests.contracts.registry_shadow import Shadowing
from tests.contracts.registry_storing import Storing


class RegistryContract(
    Registering,
    Storing,
    Promoting,
    Auditing,
    Proving,
    Digesting,
    Pinning,
    Ledger,
    Recalling,
    Deployments,
    Restoring,
    Copying,
    BurningIn,
    People,
    Evaluating,
    Judging,
    Reporting,
    Shadowing,
    Outcomes,
    Drifting,
):
    """Subclasses set `__test__ = True`, give the fixtures `url` and `empty_url` and the four hooks."""

    __test__ = False

    # -- hooks: what can happen to a database ------------------------------------------------------------------------------
    def impatient(self, url: str) -> str:
        """The same address with a waiting time of a fraction of a second."""
        raise NotImplementedError

    def locked(self, url: str):
        """A context in which another writer holds what every writer needs."""
        raise NotImplementedError

    def read_only(self, url: str) -> str:
        """An address of the same database under which nothing can be written."""
        raise NotImplementedError

    def take_away(self, url: str) -> None:
        """Make the database unreachable."""
        raise NotImplementedError

    # -- somebody else writes ------------------------------------------------------------------------------------------------
    def test_a_writer_that_waits_too_long_is_told_so_and_changes_nothing(self, registry, url, open_registry, everything):
        patient = open_registry(self.impatient(url))
        before = everything()
        with self.locked(url):
            for call in (lambda: patient.register("lead"), lambda: patient.register("lead", run=run())):
                with pytest.raises(StorageUnavailableError, match="another process holds a lock") as caught:
                    call()
                assert caught.value.retryable
        assert everything() == before
        assert patient.register("lead").number == 1

    def test_a_writer_waits_for_another_one_that_finishes(self, registry, url):
        done = []
        with self.locked(url):
            writer = threading.Thread(target=lambda: done.append(registry.register("lead").number))
            writer.start()
            writer.join(0.3)
            assert not done
        writer.join(30)
        assert done == [1]

    def test_readers_do_not_wait_for_a_writer(self, registry, url, champions):
        champions(1)
        with self.locked(url):
            assert registry.production("lead").number == 1
            assert registry.decide("lead", 1, policy=POLICY, dry_run=True).number == 1

    # -- the database is not what it should be ---------------------------------------------------------------------------------
    def test_an_empty_database_is_an_error_and_never_an_empty_registry(self, empty_url):
        with pytest.raises(DatabaseNotInitializedError, match="airflow-registry db upgrade"):
            ModelRegistry(empty_url)
        assert ModelRegistry(empty_url, create=True).register("lead").number == 1
        assert len(ModelRegistry(empty_url).models()) == 1

    def test_a_newer_schema_is_refused(self, registry, sql, url, unchanged):
        sql("UPDATE airflow_registry_alembic_version SET version_num = '0099'")
        sql("UPDATE airflow_registry_meta SET value = '0098' WHERE key = 'oldest_usable'")
        unchanged()
        for create in (False, True):
            with pytest.raises(SchemaVersionError, match="'0099'.*newer release"):
                ModelRegistry(url, create=create)

    def test_a_newer_schema_that_allows_us_to_work_on_is_used(self, registry, sql, url):
        sql("UPDATE airflow_registry_alembic_version SET version_num = '0099'")
        assert ModelRegistry(url).register("lead").number == 1

    def test_an_older_schema_is_refused_with_the_command(self, registry, url, sql, unchanged):
        sql("UPDATE airflow_registry_alembic_version SET version_num = '0001'")
        unchanged()
        with pytest.raises(SchemaVersionError, match="'0001' of an older release.*airflow-registry db upgrade"):
            ModelRegistry(url)

    def test_what_can_only_be_read_can_be_read(self, registry, url, champions, unchanged):
        champions(1)
        unchanged()
        reader = ModelRegistry(self.read_only(url))
        assert reader.production("lead").number == 1
        assert list(reader.get_production_model("lead")["version"]) == [1]
        with pytest.raises(StorageUnavailableError, match="can only be read"):
            reader.register("lead")
        with pytest.raises(StorageUnavailableError, match="can only be read"):
            reader.move("lead", 1, "ARCHIVED")

    def test_tables_that_are_gone_are_said_to_be_gone(self, registry, sql):
        registry.register("lead")
        sql("DROP TABLE airflow_registry_audit_texts")
        with pytest.raises(DatabaseNotInitializedError, match="tables are gone"):
            registry.register("lead", change_note="x")
        assert [version.number for version in registry.versions("lead")] == [1]

    def test_a_database_that_is_gone_is_out_of_reach_and_not_made_anew(self, registry, url):
        registry.register("lead")
        self.take_away(url)
        for call in (lambda: registry.register("lead"), registry.models):
            with pytest.raises(StorageUnavailableError) as caught:
                call()
            assert caught.value.retryable
            assert isinstance(caught.value, OSError)

    def test_where_it_is_can_be_told_without_its_password(self, registry, url):
        told = registry.describe()
        assert told["schema"] == "0004"
        assert told["origins"]["database"] == "argument"
        assert told["database"]
