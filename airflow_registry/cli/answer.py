"""What a command answers: one document for machines, and the same as tables and facts for people.

A command returns an `Answer` and prints nothing itself, so that `--json` is one JSON document and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DONE, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings; cells are values (None, numbers, times, text), which `render` writes for people.

    Attributes:
        columns: The headings.
        rows: One sequence for each row, as long as the headings.
        title: Stands above the table.
        empty: What is said instead of a table without rows.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str | None = None
    empty: str = "Nothing to list."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names with values, one line each; what is None or empty is left out."""

    pairs: Mapping[str, object]
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command found or did.

    Attributes:
        document: For `--json`: names in snake_case that stay the same from release to release. Times, digests, stages and numbers that
            JSON has no form for (NaN) may stand in it as they are; `render` writes them.
        blocks: For people: tables, facts and sentences, in this order.
        text: For people instead of blocks: a finished text, which is written as it is.
        exit_code: 0 done, 1 refused (a gate that says no, a check that found something).
    """

    document: Mapping[str, Any]
    blocks: Sequence[Table | Facts | str] = field(default=())
    text: str | None = None
    exit_code: int = DONE


class UsageError(Exception):
    """Options that do not go together, which the parser cannot see: exit code 2, with the usage."""
