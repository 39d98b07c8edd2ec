"""What people write down for a SQL input or output: where, which rows, and what a partition is there.

Law: of a partition's key nothing ever becomes part of a statement; it is bound. So statements are no templates either.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.files import is_hive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Engine

PARTITION = "partition"
_TEMPLATE_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlInput:
    """Rows of a table, or of a query, as the input of one partition.

    In a statement `:partition` is the partition's key and, of a key such as `day=2026-01-31`, `:day` is its value; other names stand
    in `parameters`. All of them are bound, so statements must not be templates.

    Attributes:
        conn_id: Airflow connection of the database (in a DAG).
        database: Its URL, or a SQLAlchemy engine (outside Airflow).
        query: A SELECT. Without an ORDER BY over a unique key a re-run may write the same rows in another order.
        table: Instead of `query`: a table, with its schema if need be. Only the columns that are used are read.
        partition_column: Of the table: the column that must equal the key; None only where there is no key.
        order_by: Of the table: columns that put its rows into one order.
        parameters: More values for the statements, by name; these may be templates.
        digest_by: A small SELECT whose answer changes whenever the rows do, such as `SELECT max(changed_at), count(*) FROM leads WHERE
            day = :partition`. With it, the same version over unchanged rows is not scored again; without it only in the same run.
    """

    conn_id: str | None = None
    database: str | Engine | None = field(default=None, repr=False)
    query: str | None = None
    table: str | None = None
    partition_column: str | None = None
    order_by: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    digest_by: str | None = None

    def __post_init__(self) -> None:
        _check_place(self.conn_id, self.database, "input")
        if (self.query is None) == (self.table is None):
            raise InvalidInputError("A SQL input is either query= or table=. Give one of them.")
        if self.query is not None and (self.partition_column is not None or self.order_by):
            raise InvalidInputError("partition_column= and order_by= belong to table=. In a query write WHERE … = :partition and ORDER BY.")
        if isinstance(self.order_by, str):
            raise InvalidInputError(f"order_by= is a list of columns, also of one: [{self.order_by!r}].")
        for name in ("query", "digest_by"):
            _refuse_template(name, getattr(self, name))

    @classmethod
    def of(cls, value: SqlInput | Mapping[str, Any]) -> SqlInput:
        """The value itself, or from the form that `to_json` gives it."""
        return value if isinstance(value, SqlInput) else cls(**_fields(cls, value, "input"))

    def to_json(self) -> dict[str, Any]:
        """A form that templates and JSON can take; a database's address may hold a password and stays out."""
        return _to_json(self)

    def known(self, partition: str | None) -> dict[str, Any]:
        """The values that statements may ask for.

        Raises:
            InvalidInputError: If a parameter has the name of a value of the partition's key, or is a template still.
        """
        for name, value in self.parameters.items():
            refuse_unrendered(value, f"parameter {name!r}")
        own = {} if partition is None else {PARTITION: partition, **_hive_values(partition)}
        doubled = sorted(set(own) & set(self.parameters))
        if doubled:
            raise InvalidInputError(f"The parameters {', '.join(doubled)} are values of the partition key {partition!r} already.")
        return {**own, **self.parameters}


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlOutput:
    """A table that holds the predictions of every partition; a partition is replaced in one transaction.

    The table is made if it is absent. Its columns are the partition's, those of the predictions, and the version's. Rows that were
    set aside go to `<table>_quarantine`.

    Attributes:
        table: Its name, with its schema if need be.
        conn_id: Airflow connection of the database (in a DAG).
        database: Its URL, or a SQLAlchemy engine (outside Airflow).
        partition_column: Holds the partition: its key or, of a key `day=2026-01-31` and a column `day`, the value.
        version_column: Holds the number of the version.
    """

    table: str
    conn_id: str | None = None
    database: str | Engine | None = field(default=None, repr=False)
    partition_column: str = PARTITION
    version_column: str = "model_version"

    def __post_init__(self) -> None:
        _check_place(self.conn_id, self.database, "output")
        if self.partition_column == self.version_column:
            raise InvalidInputError(f"partition_column and version_column are both {self.partition_column!r}. Expected two columns.")

    @classmethod
    def of(cls, value: SqlOutput | Mapping[str, Any]) -> SqlOutput:
        """The value itself, or from the form that `to_json` gives it."""
        return value if isinstance(value, SqlOutput) else cls(**_fields(cls, value, "output"))

    def to_json(self) -> dict[str, Any]:
        """A form that templates and JSON can take; a database's address may hold a password and stays out."""
        return _to_json(self)


def partition_value(key: str, column: str) -> str:
    """What stands in the partition's column: the key or, of a key `<column>=<value>`, the value.

    >>> partition_value("day=2026-01-31", "day"), partition_value("2026-01-31", "day"), partition_value("day=1/region=b", "day")
    ('2026-01-31', '2026-01-31', 'day=1/region=b')
    """
    name, mark, value = key.partition("=")
    return value if mark and name == column and is_hive(key) else key


def _hive_values(key: str) -> dict[str, str]:
    parts = key.split("/")
    return {name: value for name, _, value in (part.partition("=") for part in parts)} if all(map(is_hive, parts)) else {}


def _check_place(conn_id: str | None, database: str | Engine | None, what: str) -> None:
    if (conn_id is None) == (database is None):
        raise InvalidInputError(
            f"A SQL {what} is in a database: conn_id= of an Airflow connection or, outside Airflow, database=. Give one."
        )


def _refuse_template(name: str, statement: str | None) -> None:
    if statement is None:
        return
    if not isinstance(statement, str) or not statement.strip():
        raise InvalidInputError(f"{name}={statement!r} is not a statement. Expected a SELECT.")
    if any(mark in statement for mark in _TEMPLATE_MARKS):
        raise InvalidInputError(
            f"{name}= is a template, and what it renders to would become part of the statement, whoever chose it. Write :partition or "
            f"another name with a colon, and give its value in parameters=, which may be templates: {name}='… WHERE day = :day', "
            "parameters={'day': '{{ ds }}'}."
        )


def _fields(cls: type, value: object, what: str) -> dict[str, Any]:
    known = [one.name for one in fields(cls)]
    needed = {one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING}
    if not isinstance(value, dict) or not needed <= set(value) <= set(known):
        found = f"the fields {', '.join(map(str, value))}" if isinstance(value, dict) else repr(value)
        must = f" ({', '.join(needed)} always)" if needed else ""
        raise InvalidInputError(f"A SQL {what} has the fields {', '.join(known)}{must}; found {found}.")
    return value


def _to_json(value: SqlInput | SqlOutput) -> dict[str, Any]:
    shown = asdict(value) if value.database is None else {**{one.name: getattr(value, one.name) for one in fields(value)}, "database": None}
    plain = {name: list(one) if isinstance(one, tuple) else one for name, one in shown.items()}
    return {name: one for name, one in plain.items() if one not in (None, [], {})}
