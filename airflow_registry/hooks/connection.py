"""Reads the Airflow connection of a registry, and tells "there is none" from "it could not be read".

That difference matters: without a connection the registry falls through to the environment and to a file in `$AIRFLOW_HOME`.
Airflow's own look-up answers "isn't defined" also when its API server was out of reach; believing it would make a task write
into a second registry that nobody looks at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException, ErrorType

from airflow_registry import config
from airflow_registry.config import ConnectionFields
from airflow_registry.errors import ConfigurationError, StorageUnavailableError

if TYPE_CHECKING:
    from airflow.sdk import Connection

DEFAULT_CONNECTION = config.DEFAULT_CONNECTION
CONNECTION_TYPE = "airflow_registry"


def connection_fields(conn_id: str) -> ConnectionFields | None:
    """The fields of the connection; None if it is the default one and does not exist.

    Raises:
        ConfigurationError: If any other connection does not exist, or the connection is of another type.
        StorageUnavailableError: If Airflow could not say whether the connection exists.
    """
    try:
        return _parse(BaseHook.get_connection(conn_id))
    except AirflowNotFoundException as error:
        if conn_id != DEFAULT_CONNECTION:
            raise _undefined(conn_id) from error
    confirm_undefined(conn_id)
    return None


def _undefined(conn_id: str) -> ConfigurationError:
    return ConfigurationError(
        f"There is no Airflow connection {conn_id!r}. Create it with type {CONNECTION_TYPE!r} (Admin, Connections, or the variable "
        f"AIRFLOW_CONN_{conn_id.upper()}), or leave registry_conn_id out to use {DEFAULT_CONNECTION!r}, the environment or the defaults."
    )


def _parse(connection: Connection) -> ConnectionFields:
    if connection.conn_type != CONNECTION_TYPE:
        raise ConfigurationError(
            f"The Airflow connection {connection.conn_id!r} is of type {connection.conn_type!r}. A registry needs one of type "
            f"{CONNECTION_TYPE!r}: change its type, or name another connection in registry_conn_id."
        )
    return ConnectionFields.of(connection.conn_id, password=connection.password, extra=connection.extra_dejson)


def supervisor() -> Any:  # noqa: ANN401  Airflow gives it no public type
    """The channel to Airflow's API server that tasks and triggers have; None in any other process."""
    from airflow.sdk.execution_time import task_runner

    return getattr(task_runner, "SUPERVISOR_COMMS", None)


def confirm_undefined(conn_id: str) -> None:
    """In a task or trigger, hear it from the API server itself; elsewhere there is nobody to ask.

    Raises:
        StorageUnavailableError: If the answer is anything but "not found".
    """
    channel = supervisor()
    if channel is None:
        return
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection

    answer = channel.send(GetConnection(conn_id=conn_id))
    if isinstance(answer, ErrorResponse) and answer.error is not ErrorType.CONNECTION_NOT_FOUND:
        raise StorageUnavailableError(
            f"Airflow could not say whether the connection {conn_id!r} exists: {answer.error.value} {answer.detail}. Nothing was done, "
            "because going on without it could mean another registry. Try again when Airflow's API server answers."
        )
