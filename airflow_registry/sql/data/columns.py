"""Columns of a table of predictions: how Arrow's types are called in SQL, and whether an existing table can hold them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Time,
)
from sqlalchemy.types import Float, NullType, TypeEngine

from airflow_registry.errors import InvalidInputError
from airflow_registry.sql.data.query import LONGEST_NAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine.interfaces import ReflectedColumn

_PLAIN: dict[str, TypeEngine[Any]] = {
    **dict.fromkeys(("int8", "int16", "uint8"), SmallInteger()),
    **dict.fromkeys(("int32", "uint16"), Integer()),
    **dict.fromkeys(("int64", "uint32"), BigInteger()),
    "uint64": Numeric(20, 0),
    **dict.fromkeys(("halffloat", "float"), REAL()),
    "double": Double(),
    "bool": Boolean(),
    **dict.fromkeys(("string", "large_string", "string_view", "null"), Text()),
    **dict.fromkeys(("binary", "large_binary"), LargeBinary()),
    **dict.fromkeys(("date32[day]", "date64[ms]"), Date()),
}
_DECIMAL = re.compile(r"decimal\d+\((\d+), (-?\d+)\)")
_FAMILIES: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (Boolean, "truth"),
    (Integer, "whole number"),
    (Numeric, "number"),
    (Float, "number"),
    (DateTime, "time"),
    (Date, "date"),
    (Time, "time of day"),
    (LargeBinary, "bytes"),
)


def sql_type(name: str, arrow: str) -> TypeEngine[Any]:
    """The SQL type that holds values of an Arrow type.

    Args:
        name: Of the column, for the message.
        arrow: `str(type)`.

    Raises:
        InvalidInputError: If none does.
    """
    if (found := _PLAIN.get(arrow)) is not None:
        return found
    if digits := _DECIMAL.fullmatch(arrow):
        return Numeric(int(digits[1]), int(digits[2]))
    if arrow.startswith("timestamp["):
        return DateTime(timezone="tz=" in arrow)
    if arrow.startswith("time"):
        return Time()
    raise InvalidInputError(
        f"The column {name!r} is of type {arrow}, which a table cannot hold. Expected numbers, text, truth values, times or bytes: "
        "name the key columns with keys=, without it."
    )


def wanted_table(schema: str | None, name: str, columns: Mapping[str, str], partition_column: str) -> Table:
    """A table as it is made where it is absent; the partition is indexed, because partitions are replaced one by one."""
    for column in columns:
        _check_column(column)
    made = [Column(column, sql_type(column, arrow), nullable=column != partition_column) for column, arrow in columns.items()]
    table = Table(name, MetaData(), *made, schema=schema, prefixes=())
    Index(f"{name[:40]}_{partition_column[:14]}_idx", table.c[partition_column])
    return table


def faults_of(wanted: Table, found: Sequence[ReflectedColumn], partition_column: str) -> list[str]:
    """Why an existing table cannot hold the rows, a sentence each."""
    there = {column["name"]: column for column in found}
    absent = [f"it has no column {column.name!r} ({column.type})" for column in wanted.columns if column.name not in there]
    compared = [
        (column, there[column.name]["type"]) for column in wanted.columns if column.name in there and column.name != partition_column
    ]
    others = [
        f"its column {column.name!r} is {type_}, and {column.type} comes" for column, type_ in compared if not _holds(type_, column.type)
    ]
    needed = [name for name, column in there.items() if name not in wanted.columns and _must_be_given(column)]
    return absent + others + [f"its column {name!r} must have a value, and none comes" for name in needed]


def _must_be_given(column: ReflectedColumn) -> bool:
    is_filled = column.get("default") is not None or column.get("identity") or column.get("computed") or column.get("autoincrement") is True
    return not column["nullable"] and not is_filled


def _holds(found: TypeEngine[Any], wanted: TypeEngine[Any]) -> bool:
    if isinstance(found, NullType):
        return True  # a type of somebody's own: the database decides
    kinds = _family(found), _family(wanted)
    return kinds[0] == kinds[1] or kinds == ("number", "whole number")


def _family(kind: TypeEngine[Any]) -> str:
    return next((name for cls, name in _FAMILIES if isinstance(kind, cls)), "text")


def _check_column(name: str) -> None:
    if not name or "\0" in name or len(name.encode()) > LONGEST_NAME_BYTES:
        raise InvalidInputError(
            f"{name!r} cannot be the name of a table's column. Expected 1 to {LONGEST_NAME_BYTES} bytes without NUL: rename the key, "
            "or score without probabilities (proba=False) if it is made of a class."
        )
