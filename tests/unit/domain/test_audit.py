"""Every fact of an entry, and its place, is under its hash; free text is under its digest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_registry.domain.audit import GENESIS, AuditEntry, entry_hash, text_digest
from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENTRY = AuditEntry(actor="ann", action="promote", subject="lead:7", body={"b": 1, "a": [2, None]}, text="because")
PLACE = {"seq": 1, "at": NOON, "deployment": "prod", "digest": text_digest("because"), "previous": GENESIS}


def test_a_hash_is_a_digest():
    assert Digest(entry_hash(ENTRY, **PLACE))
    assert Digest(text_digest("because")) == text_digest("because") != text_digest("because ")
    assert Digest(GENESIS)


@pytest.mark.parametrize("change", [{"actor": "bob"}, {"action": "move"}, {"subject": "lead:8"}, {"body": {"b": 1, "a": [2, 0]}}])
def test_every_fact_counts(change):
    assert entry_hash(replace(ENTRY, **change), **PLACE) != entry_hash(ENTRY, **PLACE)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 2},
        {"at": NOON + timedelta(microseconds=1)},
        {"deployment": "test"},
        {"digest": None},
        {"digest": text_digest("other")},
        {"previous": text_digest("x")},
    ],
)
def test_its_place_counts(change):
    assert entry_hash(ENTRY, **{**PLACE, **change}) != entry_hash(ENTRY, **PLACE)


def test_the_order_of_keys_the_zone_and_an_erased_text_do_not_count():
    same = replace(ENTRY, body={"a": [2, None], "b": 1}, text=None)
    there = NOON.astimezone(timezone(timedelta(hours=2)))
    assert entry_hash(same, **{**PLACE, "at": there}) == entry_hash(ENTRY, **PLACE)


def test_what_cannot_be_said_the_same_way_twice_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        entry_hash(replace(ENTRY, body={"x": float("nan")}), **PLACE)
    with pytest.raises(InvalidInputError, match="has no time zone"):
        entry_hash(ENTRY, **{**PLACE, "at": NOON.replace(tzinfo=None)})
