"""Every fact of an entry, and its place, is under its hash; free text is under its digest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_registry.domain.audit import GENESIS, AuditEntry, AuditHead, entry_hash, hash_of, text_digest
from airflow_registry.domain.names import Digest
from airflow_registry.errors import InvalidInputError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENTRY = AuditEntry(actor="auditor", action="promote", subject="lead:7", body={"b": 1, "a": [2, None]}, text="because")
PLACE = {"seq": 1, "at": NOON, "deployment": "prod", "digest": text_digest("because"), "previous": GENESIS}


def test_a_hash_is_a_digest():
    assert Digest(entry_hash(ENTRY, **PLACE))
    assert Digest(text_digest("because")) == text_digest("because") != text_digest("because ")
    assert Digest(GENESIS)


@pytest.mark.parametrize("change", [{"actor": "checker"}, {"action": "move"}, {"subject": "lead:8"}, {"body": {"b": 1, "a": [2, 0]}}])
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


def test_a_head_is_read_as_the_log_shows_it():
    head = AuditHead(seq=42, hash=text_digest("x"), at=NOON)
    assert str(head) == f"000000000042 {text_digest('x')}"
    for written in (str(head), f"42:{head.hash}", f" 42 {head.hash} "):
        assert AuditHead.parse(written) == AuditHead(seq=42, hash=head.hash)


@pytest.mark.parametrize("written", ["", "42", "42:abc", "x:" + GENESIS, GENESIS, "42:" + GENESIS[:-1], "-1:" + GENESIS, "٤٢:" + GENESIS])
def test_what_is_no_head_is_refused_with_what_one_looks_like(written):
    with pytest.raises(InvalidInputError, match="SEQ:sha256"):
        AuditHead.parse(written)


def test_hashes_of_the_first_release_are_hashed_the_same_for_ever():
    """Another form of the same facts would make every chain that exists look rewritten."""
    assert entry_hash(ENTRY, **PLACE) == "sha256:ec86bcf3ee5232b402be47f28afc59059c449ff62a7231c38df4c2a27287e037"
    bare = AuditEntry(actor='a"\n€', action="x", subject="", body={"n": 1.5, "ü": {"z": 1, "a": []}})
    assert (
        entry_hash(bare, **{**PLACE, "digest": None, "deployment": "größer"})
        == "sha256:ace53bca1a34aa73c99a94ea2bd6d0855d8c42a0e691cb71fb4d062427346d25"
    )


def test_a_body_counts_to_the_letter():
    facts = {"seq": 1, "at": NOON, "deployment": "", "actor": "", "action": "", "subject": "", "digest": None, "previous": GENESIS}
    assert hash_of(body='{"a":1}', **facts) != hash_of(body='{"a": 1}', **facts)
    assert hash_of(body="\ud800", **facts) != hash_of(body="", **facts)  # what no database keeps may stand in an edited file
