"""What a task read and wrote, in words of our own; `openlineage.py` puts it into theirs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Flow", "Wrote"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """Something that the task wrote: its address, and its rows (count) where they were counted."""

    uri: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What went into a task and what came out of it, besides the version that it was about.

    Attributes:
        reads: Addresses of data.
        writes: What was written.
        makes_version: Whether the version came out of the task; else it went in.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[Wrote, ...] = ()
    makes_version: bool = False
