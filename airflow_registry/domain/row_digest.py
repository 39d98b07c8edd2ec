"""Digests of what stands in rows of the database: entries of the audit hold them instead of repeating long facts.

They are made of the stored rows, when the entry is written and when it is verified, and are the same on every database: sorted here,
because databases sort text differently, and made of JSON, which holds every finite float exactly. Nothing that somebody has put into a
column past the registry is an error; it only has another digest.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_registry.domain.audit import text_digest
from airflow_registry.domain.clock import utc

if TYPE_CHECKING:
    from collections.abc import Iterable

_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=str).encode  # made once: there are many rows
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def digest_of(values: Iterable[object]) -> str:
    """`sha256:…` of columns of one row, in the given order.

    >>> digest_of(["auc", 0.9]) == digest_of(["auc", 0.90])
    True
    """
    return text_digest(_json(_plain(values)))


def digest_of_lines(lines: Iterable[Iterable[object]]) -> str:
    """`sha256:…` of rows whose order says nothing.

    >>> digest_of_lines([["a"], ["b"]]) == digest_of_lines([["b"], ["a"]])
    True
    """
    # Sorted by `ascii`, which compares a text with None and a number, and tells them apart; `repr` changes with the release of Unicode.
    return text_digest(_json(sorted(map(_plain, lines), key=ascii)))


def _plain(values: Iterable[object]) -> list[object]:
    """Values as both databases give them back."""
    return [value if type(value) in _AS_THEY_ARE else _same(value) for value in values]


def _same(value: object) -> object:
    if isinstance(value, float):
        return value + 0.0  # SQLite keeps no sign of a zero
    return utc(value).isoformat() if isinstance(value, datetime) else value
