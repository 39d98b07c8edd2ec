"""What a column is good for: a number or a name to learn from, a key to find a row by, or nothing, with the reason."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMES = 50  # more different texts than this are no categories
_FEWEST_ROWS_PER_NAME = 4
_ID = re.compile(r"(^|[^a-z])(id|uuid|guid|key)$", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.:]\d{1,2}")
_SAMPLE = 500


class Use(StrEnum):
    """What is done with a column."""

    NUMBER = "number"
    NAME = "name"
    KEY = "key"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column that is not the target."""

    name: str
    use: Use
    why: str = ""


def column_of(name: str, values: pd.Series[Any], target: pd.Series[Any]) -> Column:
    """Decide about one column by what it holds.

    Args:
        name: Its name.
        values: Its values.
        target: The target's values in the same rows.
    """
    from pandas.api import types

    known = values.dropna()
    if known.empty:
        return _left_out(name, "empty")
    if values.equals(target) or _same_text(values, target):
        return _left_out(name, "the same as the target")
    if types.is_bool_dtype(known) or _holds(known, bool):
        return _left_out(name, "the same in every row") if known.nunique() < 2 else Column(name=name, use=Use.NAME)
    if types.is_numeric_dtype(known):
        return _numeric(name, values, known)
    if types.is_datetime64_any_dtype(known):
        return _left_out(name, _DATE_WHY)
    return _text(name, known) if _holds(known, str) else _left_out(name, f"it holds {type(known.iloc[0]).__name__} values")


_DATE_WHY = "a date: a weekday or an age made of it may be worth a column"


def _numeric(name: str, values: pd.Series[Any], known: pd.Series[Any]) -> Column:
    from pandas.api import types

    if known.nunique() < 2:
        return _left_out(name, "the same in every row")
    is_counter = types.is_integer_dtype(known) and known.is_unique and len(known) == len(values)
    counts_rows = known.is_monotonic_increasing and known.max() - known.min() + 1 == len(known)
    if is_counter and (_ID.search(name) or counts_rows):
        return Column(name=name, use=Use.KEY)
    return Column(name=name, use=Use.NUMBER)


def _text(name: str, known: pd.Series[Any]) -> Column:
    different = known.nunique()
    if different < 2:
        return _left_out(name, "the same in every row")
    if _are_dates(known):
        return _left_out(name, _DATE_WHY)
    if different <= min(MOST_NAMES, len(known) / _FEWEST_ROWS_PER_NAME):
        return Column(name=name, use=Use.NAME)
    if known.is_unique and not known.str.contains(r"\s").any():
        return Column(name=name, use=Use.KEY)
    return _left_out(name, f"{different} different texts")


def _are_dates(known: pd.Series[Any]) -> bool:
    import pandas as pd

    sample = known.drop_duplicates().head(_SAMPLE)
    if not sample.str.contains(_DATE).all():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about day and month, which does not matter here
        return bool(pd.to_datetime(sample, errors="coerce", format="mixed", utc=True).notna().all())


def _holds(known: pd.Series[Any], kind: type) -> bool:
    return all(isinstance(value, kind) for value in known.head(_SAMPLE))


def _same_text(values: pd.Series[Any], target: pd.Series[Any]) -> bool:
    return bool((values.astype(str) == target.astype(str)).all())


def _left_out(name: str, why: str) -> Column:
    return Column(name=name, use=Use.LEFT_OUT, why=why)
