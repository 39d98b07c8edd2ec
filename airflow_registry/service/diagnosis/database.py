"""The registry database: is it there, is it of this release, and what may its user do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.errors import DatabaseNotInitializedError, RegistryError
from airflow_registry.service.diagnosis.clocks import clock_diagnosis
from airflow_registry.sql import schema
from airflow_registry.sql.rights import rights
from airflow_registry.sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from airflow_registry.config import Settings
    from airflow_registry.sql.rights import Rights

_TOPIC = "database"
_FEW = 4


def opened(settings: Settings) -> tuple[Store | None, list[Diagnosis]]:
    """The database, or None and why it cannot be opened."""
    try:
        store = Store(settings.database_url)
    except DatabaseNotInitializedError as error:
        if settings.uses_default_database:
            return None, [Diagnosis.ok(_TOPIC, "the default SQLite file does not exist yet; it is made at the first registration")]
        return None, [Diagnosis.problem(_TOPIC, str(error), "Check the address, then `airflow-registry db upgrade`.")]
    except RegistryError as error:
        return None, [
            Diagnosis.problem(
                _TOPIC, str(error), "Do what the message says, then run this again: nothing else about the database was looked at."
            )
        ]
    return store, [_schema(store)]


def database_diagnoses(store: Store, settings: Settings, now: Callable[[], datetime]) -> list[Diagnosis]:
    """What is behind the address."""
    before = now()
    try:
        held = rights(store)
    except RegistryError as error:
        return [Diagnosis.problem(_TOPIC, str(error), "Correct what the message names, then run this again.")]
    found = [Diagnosis.ok(_TOPIC, f"{held.server} answers{f' user {held.user}' if held.user else ''}"), *_rights(held)]
    if held.clock is not None:
        found.append(clock_diagnosis("the database server", held.clock, before, now()))
    return found + list(_sharing(held, settings))


def _schema(store: Store) -> Diagnosis:
    if store.schema == schema.HEAD:
        return Diagnosis.ok(_TOPIC, f"schema {store.schema}, the one of this release")
    return Diagnosis.warning(
        _TOPIC,
        f"schema {store.schema} is of a newer release than this one ({schema.HEAD}), which may go on working on it",
        "Install the newer release here too, before the next one arrives.",
    )


def _rights(held: Rights) -> Iterator[Diagnosis]:
    if held.fault:
        yield Diagnosis.problem(
            _TOPIC, f"nothing can be written: {held.fault}", "Give the user the right to write, or name another database."
        )
    if held.missing:
        yield Diagnosis.problem(
            _TOPIC,
            f"the user {held.user} lacks {_some(held.missing)}",
            f"As the owner of the tables: GRANT … TO {held.user}. docs/howto/deploy.md lists what is needed, after every `db upgrade`.",
        )
    if not held.fault and not held.missing:
        yield Diagnosis.ok(_TOPIC, "all rights that are needed are there (SELECT, INSERT, and UPDATE where state is kept)")
    if held.is_server:
        ddl = "may also change tables (DDL), which only `db upgrade` needs" if held.may_change_tables else "may not change tables (no DDL)"
        yield Diagnosis.ok(_TOPIC, f"the user {held.user} {ddl}")
    if held.surplus and held.is_server:
        told = f"the user {held.user} could rewrite history: {_some(held.surplus)}; the registry never needs it"
        yield Diagnosis.ok(_TOPIC, told)


def _sharing(held: Rights, settings: Settings) -> Iterator[Diagnosis]:
    if held.is_server and settings.deployment == "default":
        yield Diagnosis.warning(
            "deployment",
            "this Airflow calls itself 'default' on a database that other installations can share; two of one name take each other's "
            "retries for their own",
            "Set `deployment` in the connection, or AIRFLOW_REGISTRY_DEPLOYMENT, to a name of its own.",
        )


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
