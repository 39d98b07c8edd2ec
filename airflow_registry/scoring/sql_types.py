"""Values of a database's driver as Arrow arrays, and which Arrow type a column has."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.arrow_types import family, parse_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from airflow_registry.sql.data.query import ResultColumn

_NUMERIC = 1700
_LONGEST_INT64 = 18
_LONGEST_DECIMAL = 38


def column_type(column: ResultColumn, guessed: pa.DataType | None, wanted: Mapping[str, str | None], *, is_known: bool) -> pa.DataType:
    """The type of a column.

    Args:
        column: As the database describes it.
        guessed: What its first values suggest, null if they are all absent; None where the database knows.
        wanted: Types by column, of the model's signature.
        is_known: Whether there is such a signature.
    """
    expected = parse_type(wanted.get(column.name))
    if guessed is None:
        return _decimal(column, expected) if column.oid == _NUMERIC else _by_oid(column.oid)
    return _suggested(guessed, expected, is_other=is_known and column.name not in wanted)


def guessed_type(values: Sequence[Any]) -> pa.DataType:
    """What values suggest; null if all are absent."""
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.null()
    if kinds <= {int, float}:
        return pa.float64() if float in kinds else pa.int64()
    if len(kinds) > 1 and not kinds <= {int, float, bool}:
        return pa.string()
    try:
        return pa.array(list(values)).type
    except pa.ArrowException:
        return pa.string()


def array_of(values: Sequence[Any], field: pa.Field, where: str) -> pa.Array:
    """Values as an array of a column's type.

    Raises:
        InvalidInputError: If one does not fit.
    """
    import pyarrow as pa

    try:
        return _texts(values) if pa.types.is_string(field.type) else _plain(values, field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"A value of the column {field.name!r} of {where} does not fit {field.type}: {str(error).rstrip('. ')}. Expected what the "
            "database, the model's signature or the first rows say of it: cast the column in the query, or correct the rows."
        ) from error


def _plain(values: Sequence[Any], wanted: pa.DataType) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values, wanted)
    except (pa.ArrowException, TypeError):
        if pa.types.is_temporal(wanted):
            return pa.array(values, pa.string()).cast(wanted)  # SQLite's times are texts
        if not any(isinstance(value, Decimal) for value in values):
            raise
    number = float if pa.types.is_floating(wanted) else int
    return pa.array([number(value) if isinstance(value, Decimal) else value for value in values], wanted)


def _texts(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, TypeError):
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list)) else str(value)


def _by_oid(oid: int | None) -> pa.DataType:
    import pyarrow as pa

    known = {
        16: pa.bool_(),
        17: pa.binary(),
        20: pa.int64(),
        21: pa.int16(),
        23: pa.int32(),
        700: pa.float32(),
        701: pa.float64(),
        1082: pa.date32(),
        1083: pa.time64("us"),
        1114: pa.timestamp("us"),
        1184: pa.timestamp("us", tz="UTC"),
    }
    return known.get(oid or 0, pa.string())


def _decimal(column: ResultColumn, expected: pa.DataType | None) -> pa.DataType:
    """A number to a model that wants one; else its own digits, as text where nobody declared how many."""
    import pyarrow as pa

    digits, scale = column.precision, column.scale
    if digits is not None and scale == 0 and digits <= _LONGEST_INT64:
        return pa.int64()
    if expected is not None and family(str(expected)) in {"number", "truth"}:
        return pa.float64()
    if digits is None or scale is None or digits > _LONGEST_DECIMAL or scale < 0:
        return pa.string()
    return pa.decimal128(digits, scale)


def _suggested(guessed: pa.DataType, expected: pa.DataType | None, *, is_other: bool) -> pa.DataType:
    import pyarrow as pa

    is_unknown = pa.types.is_null(guessed)
    if expected is None:
        return (pa.string() if is_other else pa.float64()) if is_unknown else guessed
    widens = pa.types.is_integer(guessed) and pa.types.is_floating(expected)
    told_by_text = pa.types.is_string(guessed) and family(str(expected)) == "time"  # SQLite has no other way to say it
    return expected if is_unknown or widens or told_by_text else guessed
