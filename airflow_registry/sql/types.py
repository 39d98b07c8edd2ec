"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, Integer, String, Text
from sqlalchemy.types import TypeDecorator

from airflow_registry.domain.clock import utc
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_FORMAT = "%Y-%m-%d %H:%M:%S.%f+00:00"

# SQLite numbers rows by itself only in a column that is called INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")


class Words(TypeDecorator[str]):
    """Free text. Both databases refuse the same: PostgreSQL has no NUL, and SQLite would keep it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """Plain text, whatever subclass of `str` it is."""
        return None if value is None else _storable(value)


class Name(TypeDecorator[str]):
    """Text of a limited length, in characters. SQLite would keep any length."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """Plain text, whatever subclass of `str` it is."""
        most = self.impl_instance.length  # type: ignore[attr-defined]
        if isinstance(value, str) and len(value) > most:
            raise InvalidInputError(f"The text {value[:60]!r}… has {len(value)} characters; at most {most} can be kept here. Shorten it.")
        return None if value is None else _storable(value)


def _storable(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInputError(f"Expected text; found {value!r} ({type(value).__name__}).")
    if _UNSTORABLE.search(value):
        raise InvalidInputError(f"The text {value[:60]!r} holds a NUL or half a character, which no database keeps. Take it out.")
    return str(value)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times with microseconds; text of fixed width on SQLite, so that it sorts as time."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`timestamptz` on PostgreSQL, text on SQLite."""
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else String(32))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Refuses naive times."""
        if value is None:
            return None
        return utc(value) if dialect.name == "postgresql" else utc(value).strftime(_FORMAT)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401  the driver's type
        """Always aware."""
        if value is None:
            return None
        moment: datetime = value if dialect.name == "postgresql" else datetime.fromisoformat(value)
        return moment.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON as canonical text: the same value is the same bytes on every database, so it can be hashed and compared."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """None stays NULL."""
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        """The value again."""
        return None if value is None else json.loads(value)


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces, and no NaN (which is not JSON)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
