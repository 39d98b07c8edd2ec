"""SQL inputs and outputs of operators: what a DAG says of them as JSON that templates can take, and where they are at run time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.databases import database_url
from airflow_registry.operators.partitions import partition_input, partition_target
from airflow_registry.scoring.sql_values import SqlInput, SqlOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.ledger import Intent
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.inputs import RowInput
    from airflow_registry.scoring.places import Target

__all__ = [
    "GivenInput",
    "GivenOutput",
    "SqlInput",
    "SqlOutput",
    "input_of",
    "keys_in",
    "ledger_name",
    "placed",
    "plain_input",
    "plain_output",
    "target_of",
]

GivenInput: TypeAlias = "str | SqlInput | Mapping[str, Any]"
GivenOutput: TypeAlias = "str | SqlOutput | Mapping[str, Any]"


def plain_input(given: Any) -> Any:  # noqa: ANN401  also what turns into an input only at run time, such as an XComArg
    """An input as a template field holds it: a path, or the JSON of a SQL input.

    Raises:
        InvalidInputError: If it is a SQL input that cannot be used in a DAG.
    """
    return _checked(SqlInput.of(given), "input") if isinstance(given, (SqlInput, dict)) else given


def plain_output(given: Any) -> Any:  # noqa: ANN401  as above
    """An output as a template field holds it: a path, or the JSON of a SQL output.

    Raises:
        InvalidInputError: If it is a SQL output that cannot be used in a DAG.
    """
    return _checked(SqlOutput.of(given), "output") if isinstance(given, (SqlOutput, dict)) else given


def input_of(given: str | dict[str, Any], partition: str, storage: StorageOptions) -> RowInput:
    """The input of one partition.

    Raises:
        InputNotReadyError: If it has not arrived.
        InvalidInputError: If it is none, or does not depend on the partition.
        ConfigurationError: If the connection cannot be used.
    """
    if not isinstance(given, dict):
        return partition_input(given, partition, storage)
    from airflow_registry.scoring.sql_source import find_sql

    asked = SqlInput.of(given)
    return find_sql(replace(asked, conn_id=None, database=database_url(str(asked.conn_id))), partition)


def target_of(given: str | dict[str, Any], partition: str) -> Target:
    """Where a partition's predictions go.

    Raises:
        InvalidInputError: If that is no place for them.
        ConfigurationError: If the connection cannot be used.
    """
    if not isinstance(given, dict):
        return partition_target(given, partition)
    from airflow_registry.scoring.sql_place import sql_target

    asked = SqlOutput.of(given)
    return sql_target(replace(asked, conn_id=None, database=database_url(str(asked.conn_id))), partition)


def keys_in(given: str | dict[str, Any], storage: StorageOptions) -> list[str]:
    """The keys of the partitions that an input has.

    Raises:
        InputNotReadyError: If the input does not exist.
        InvalidInputError: If it does not tell, as a query does not.
    """
    if not isinstance(given, dict):
        from airflow_registry.scoring.partitions import list_partitions

        return [part.key for part in list_partitions(given, storage)]
    from airflow_registry.scoring.sql_source import sql_keys

    asked = SqlInput.of(given)
    return sql_keys(replace(asked, conn_id=None, database=database_url(str(asked.conn_id))))


def ledger_name(target: Target) -> str:
    """What the ledger calls a target."""
    from airflow_registry.scoring.places import open_place

    return target if isinstance(target, str) else open_place(target).name


def placed(target: Target, intent: Intent) -> Target:
    """The target under the ledger's spelling, where it has one."""
    return intent.output if isinstance(target, str) else target


def _checked(value: SqlInput | SqlOutput, what: str) -> dict[str, Any]:
    if value.database is not None:
        raise InvalidInputError(
            f"The SQL {what} of an operator is named by conn_id=, an Airflow connection: an address in a DAG may hold a password, and "
            "every reader of the DAG would see it."
        )
    return value.to_json()
