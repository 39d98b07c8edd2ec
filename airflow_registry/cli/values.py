"""What arguments are made of: texts of the command line become values, or wrong usage (exit code 2)."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_registry.cli.answer import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

Value = TypeVar("Value")


def metric(text: str) -> tuple[str, float]:
    """`auc=0.91`; `nan` and `inf` are numbers too, and never approved.

    >>> metric("auc=0.91")
    ('auc', 0.91)
    """
    name, value = named(text)
    try:
        return name, float(value)
    except ValueError:
        raise ArgumentTypeError(f"{text!r}: {value!r} is not a number; expected NAME=NUMBER, for example auc=0.91") from None


def named(text: str) -> tuple[str, str]:
    """`team=growth`."""
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value.strip()


def parameter(text: str) -> tuple[str, Any]:
    """`depth=3` is the number 3, `kernel=rbf` the text rbf: JSON where it is JSON, else text.

    >>> parameter("depth=3"), parameter("kernel=rbf")
    (('depth', 3), ('kernel', 'rbf'))
    """
    name, value = named(text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def dataset(text: str) -> tuple[str, str | None]:
    """`leads` or `leads=s3://lake/leads/`: a name, and where it is."""
    name, equals, uri = text.partition("=")
    if not name.strip() or (equals and not uri.strip()):
        raise ArgumentTypeError(f"{text!r} is not NAME or NAME=URI")
    return name.strip(), uri.strip() or None


def count(text: str) -> int:
    """A whole number from 1.

    >>> count("3")
    3
    """
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def duration(text: str) -> timedelta:
    """`90s`, `30m`, `12h`, `7d`."""
    from airflow_registry.domain.policy import parse_duration
    from airflow_registry.errors import InvalidInputError

    try:
        return parse_duration(text)
    except InvalidInputError as error:
        raise ArgumentTypeError(str(error)) from None


def since(text: str) -> timedelta | datetime:
    """`7d`, so long ago; or a time with its zone; or a day, which begins at midnight UTC.

    >>> since("2026-01-31")
    datetime.datetime(2026, 1, 31, 0, 0, tzinfo=datetime.timezone.utc)
    """
    from datetime import UTC, datetime

    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return duration(text)
    if moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no time zone; expected for example 2026-01-31T12:00+01:00")
    return moment


def moment(text: str) -> datetime:
    """A time with its zone; or a day, which ends at midnight UTC.

    >>> moment("2026-01-31")
    datetime.datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc)
    """
    from datetime import timedelta

    found = since(text)
    if isinstance(found, timedelta):
        raise ArgumentTypeError(f"{text!r} is no time; expected for example 2026-01-31, or 2026-01-31T12:00+01:00")
    return found + timedelta(days=1, microseconds=-1) if len(text) == len("2026-01-31") else found


def age(text: str) -> tuple[str, timedelta]:
    """`30d` for every model, `lead_scoring=7d` for one: a model's name, '' for all, and how old its champion may be."""
    model, _, limit = text.rpartition("=")
    return model.strip(), duration(limit)


def together(pairs: Iterable[tuple[str, Value]] | None, option: str) -> dict[str, Value]:
    """Repeated options as one mapping.

    Raises:
        UsageError: If a name is given twice: one of the two would be lost in silence.
    """
    found: dict[str, Value] = {}
    for name, value in pairs or ():
        if name in found:
            raise UsageError(f"{option} {name} is given twice; one of the two would be lost")
        found[name] = value
    return found
