"""Databases of data behind Airflow connections: PostgreSQL and SQLite without a provider, others through the provider's hook.

A registry's own connection names its database too, so that predictions can stand beside the ledger and be committed with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_registry.errors import ConfigurationError, MissingDependencyError
from airflow_registry.hooks.connection import CONNECTION_TYPE, confirm_undefined
from airflow_registry.hooks.registry import RegistryHook

if TYPE_CHECKING:
    from airflow.sdk import Connection

_POSTGRES = ("postgres", "postgresql")
_PASSED_ON = (
    "application_name", "connect_timeout", "gssencmode", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval",
    "options", "passfile", "sslcert", "sslcrl", "sslkey", "sslmode", "sslrootcert", "target_session_attrs",
)  # fmt: skip


def database_url(conn_id: str) -> str:
    """The SQLAlchemy URL of a connection's database.

    Raises:
        ConfigurationError: If there is no such connection, or it is of a type that has no URL.
        MissingDependencyError: If its provider is not installed.
        StorageUnavailableError: If Airflow could not be asked.
    """
    found = _connection(conn_id)
    if found.conn_type == CONNECTION_TYPE:
        return RegistryHook(conn_id).settings().database_url
    if found.conn_type in _POSTGRES:
        return _postgres(found)
    if found.conn_type == "sqlite":
        return _sqlite(found)
    return _by_provider(found)


def _connection(conn_id: str) -> Connection:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        confirm_undefined(conn_id)
        raise ConfigurationError(
            f"There is no Airflow connection {conn_id!r}, which a SQL input or output names. Create it (Admin, Connections, or the "
            f"variable AIRFLOW_CONN_{conn_id.upper()}) with type 'postgres' or 'sqlite', or of another database's provider for an input."
        ) from error


def _postgres(found: Connection) -> str:
    from airflow_registry.sql.data.connect import postgres_url

    extra = found.extra_dejson
    if extra.get("iam"):
        raise ConfigurationError(
            f"The Airflow connection {found.conn_id!r} asks for a token of AWS (iam), which predictions are not read or written with. "
            "Give a user with a password, or a password file (passfile)."
        )
    options = {name: str(extra[name]) for name in _PASSED_ON if extra.get(name) not in (None, "")}
    place = {"host": found.host, "port": found.port, "database": found.schema}
    return postgres_url(**place, user=found.login, password=found.password, options=options)  # type: ignore[arg-type]


def _sqlite(found: Connection) -> str:
    path = found.host or found.schema
    if not path:
        raise ConfigurationError(f"The Airflow connection {found.conn_id!r} names no file. Put the absolute path into its field Host.")
    return f"sqlite:///{path}" if path.startswith("/") else f"sqlite:////{path}"


def _by_provider(found: Connection) -> str:
    from airflow.sdk.exceptions import AirflowException

    try:
        hook: Any = found.get_hook()  # type: ignore[no-untyped-call]
        url = hook.sqlalchemy_url
    except (ImportError, AirflowException) as error:
        raise MissingDependencyError(
            f"The Airflow connection {found.conn_id!r} is of type {found.conn_type!r}, whose provider cannot be loaded: {error}. "
            "Install it."
        ) from error
    except (AttributeError, NotImplementedError) as error:
        raise ConfigurationError(
            f"The Airflow connection {found.conn_id!r} is of type {found.conn_type!r}, which has no SQLAlchemy address: {error}. Expected "
            "'postgres', 'sqlite', or a database whose provider's hook has a sqlalchemy_url."
        ) from error
    return str(url.render_as_string(hide_password=False))
