"""Digests of stored rows: the same on every database, for ever."""

from __future__ import annotations

import json
import math
import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.audit import text_digest
from airflow_registry.domain.row_digest import digest_of, digest_of_lines

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary())


def test_a_digest_stays_what_it_is_because_entries_hold_it_for_ever():
    row = ["größer", None, 3, 0.1, "2026-01-01", datetime(2026, 1, 1, 12, tzinfo=UTC)]
    assert digest_of(row) == "sha256:611921ce47e09cb57f22d8c031226f164fca84c328d2a4ed2533269ff60927d9"
    assert digest_of_lines([["b", 1.0], ["a", None]]) == text_digest('[["a",null],["b",1.0]]')
    assert digest_of_lines([]) == text_digest("[]")


@given(st.lists(st.lists(VALUES)), st.randoms(use_true_random=False))
def test_the_order_of_lines_says_nothing(lines, chance):
    shuffled = list(lines)
    chance.shuffle(shuffled)
    assert digest_of_lines(shuffled) == digest_of_lines(lines)


@given(st.lists(st.lists(st.text()), max_size=3), st.lists(st.lists(st.text()), max_size=3))
def test_other_lines_have_another_digest(some, others):
    assert (digest_of_lines(some) == digest_of_lines(others)) == (sorted(map(json.dumps, some)) == sorted(map(json.dumps, others)))


@given(st.lists(VALUES, min_size=1), st.integers(0))
def test_a_column_that_is_another_one_gives_another_digest(row, place):
    changed = list(row)
    changed[place % len(row)] = "what nobody wrote \x00"
    assert digest_of(changed) != digest_of(row)


@given(st.floats(allow_nan=False))
def test_the_next_float_is_another_one(value):
    above = math.nextafter(value, math.inf)
    assert (digest_of([above]) == digest_of([value])) == (above == value)


@given(st.floats(allow_nan=False))
def test_a_float_is_the_same_after_sqlite_has_kept_it(value):
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE kept (value FLOAT)")
        database.execute("INSERT INTO kept VALUES (?)", [value])
        [(kept,)] = database.execute("SELECT value FROM kept")
    database.close()
    assert digest_of([kept]) == digest_of([value])


def test_a_time_is_the_same_in_every_zone():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert digest_of([noon]) == digest_of([noon.astimezone(timezone(timedelta(hours=5)))])


@pytest.mark.parametrize("value", [b"bytes", "\ud800", float("nan"), float("inf"), 1 << 80, True, object])
def test_what_somebody_has_put_into_a_column_is_no_error(value):
    assert digest_of([value]) != digest_of([None])
