"""The address of Spark that an Airflow connection of the Spark provider means. Its fields are read, so the provider need not be here."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_registry.errors import ConfigurationError
from airflow_registry.hooks.connection import confirm_undefined

if TYPE_CHECKING:
    from airflow.sdk import Connection

CONNECT, SUBMIT = "spark_connect", "spark"
_CONNECT_PORT = 15002


def spark_url(conn_id: str) -> str:
    """`sc://host:port/;token=…` of a connection of type `spark_connect`, or the master of one of type `spark`.

    Raises:
        ConfigurationError: If there is no such connection, or it is of another type.
        StorageUnavailableError: If Airflow could not say whether it exists.
    """
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        confirm_undefined(conn_id)
        raise ConfigurationError(
            f"There is no Airflow connection {conn_id!r}. Create it with type {CONNECT!r}, or name spark='sc://…'."
        ) from error
    if found.conn_type == CONNECT:
        return _connect(found)
    if found.conn_type == SUBMIT:
        return _master(found)
    raise ConfigurationError(
        f"The Airflow connection {conn_id!r} is of type {found.conn_type!r}. Expected {CONNECT!r} (Spark Connect) or {SUBMIT!r} (a master)."
    )


def _connect(found: Connection) -> str:
    """The password is the token, as the provider has it; a server that is given one is spoken to by TLS."""
    extra = found.extra_dejson
    options = {"user_id": found.login, "token": found.password, "use_ssl": extra.get("use_ssl")}
    text = "".join(f";{name}={quote(str(value), safe='')}" for name, value in options.items() if value)
    host = (found.host or "localhost").removeprefix("sc://").rstrip("/")
    return f"sc://{host}:{found.port or _CONNECT_PORT}/{text}"


def _master(found: Connection) -> str:
    host = found.host or "yarn"  # the provider's own default
    return f"{host}:{found.port}" if found.port else host
