"""What a report's page is made of. A block holds values; how they look is the business of `markdown` and `html`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from airflow_registry.cli.render import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MISSING = "not recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names with values; what is None or empty is said to be missing."""

    pairs: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows under headings; a cell that is None is said to be missing, an empty text stays empty.

    Attributes:
        note: Stands below: what was left out.
        empty: What is said instead of a table without rows.
        folded: Whether a reader must open it first, where the form allows that.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    note: str = ""
    empty: str = "None."
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Text that is shown letter by letter."""

    text: str
    language: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Sentences, one below the other."""

    items: Sequence[str]
    empty: str = "None."


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Drawings side by side, whose facts also stand in a table near them."""

    drawings: Sequence[str]
    caption: str


Block: TypeAlias = Facts | Grid | Text | Code | Listing | Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with what stands below it."""

    title: str
    blocks: Sequence[Block]


def said(value: object) -> str:
    """A value in one line, or that there is none.

    >>> said(None), said(""), said(0.5), said(("a", None))
    ('not recorded', '', '0.5', 'a')
    """
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(entry) for entry in value if entry is not None)
    return MISSING if value is None else shown(value)


def fact(value: object) -> str:
    """The same for a fact that stands alone: empty is missing too."""
    return said(value) or MISSING
