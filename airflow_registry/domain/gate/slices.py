"""Which slices a rule judges: those that the data have or that it names, if they have enough rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.domain.gate.numbers import counted, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.rules import Comparison, Gap, Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """The slices of one column, sorted out.

    Attributes:
        by: The column, and into how many bins it is cut: `carrier`, `distance:4`.
        judged: Names of those that are judged.
        small: Those left out, with their rows.
        gaps: Why the rule cannot be satisfied, however good the judged ones are; '' if it can.
        left_out: What was left out, as the end of a reason's text; '' if nothing was.
    """

    by: str | None
    judged: tuple[str, ...]
    small: Mapping[str, int | None]
    gaps: str = ""
    left_out: str = ""

    @property
    def text(self) -> str:
        """`12 slices of carrier`."""
        return f"1 slice of {self.by}" if len(self.judged) == 1 else f"{len(self.judged)} slices of {self.by}"


def sort_out(rule: Threshold | Gap | Comparison, rows: Mapping[str, int | None], least: int = 1) -> Slices:
    """Which slices the rule judges.

    Args:
        rule: It says by which column, which values must be there, and how many rows a slice needs.
        rows: Rows of each slice that the data have, by its name; None where nobody knows.
        least: How many slices must be left (count).
    """
    wanted = list(rows) if rule.values is None else [f"{rule.by}={value}" for value in rule.values]
    there = [name for name in wanted if name in rows]
    small = {name: rows[name] for name in there if not _is_enough(rows[name], rule.min_rows)}
    judged = tuple(name for name in there if name not in small)
    missing = [name for name in wanted if name not in rows]
    gaps = _missing(missing) or _needed_and_small(rule, small) or _too_few(rule, judged, least)
    return Slices(by=rule.by, judged=judged, small=small, gaps=gaps, left_out=_left_out(rule, small))


def _is_enough(rows: int | None, needed: int | None) -> bool:
    return needed is None or (rows is not None and rows >= needed)


def _missing(names: list[str]) -> str:
    return f"The data have no rows of {listed(names)}." if names else ""


def _needed_and_small(rule: Threshold | Gap | Comparison, small: Mapping[str, int | None]) -> str:
    return f"The rule names {_with_rows(small)}, and needs {rule.min_rows:,} rows of each." if small and rule.values is not None else ""


def _too_few(rule: Threshold | Gap | Comparison, judged: tuple[str, ...], least: int) -> str:
    if len(judged) >= least:
        return ""
    size = "" if rule.min_rows is None else f" with {rule.min_rows:,} rows or more"
    if not judged:
        return f"No slice of {rule.by}{size} is there."
    return f"Only {judged[0]} is there{size}, and a difference needs two slices."


def _left_out(rule: Threshold | Gap | Comparison, small: Mapping[str, int | None]) -> str:
    return f" Left out, smaller than {counted(rule.min_rows)}: {_with_rows(small)}." if small and rule.values is None else ""


def _with_rows(small: Mapping[str, int | None]) -> str:
    return listed([f"{name} ({counted(rows)})" for name, rows in small.items()])
