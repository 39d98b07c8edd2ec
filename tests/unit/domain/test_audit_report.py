"""What a report says, and when it is a pass."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_registry.domain.audit import AuditHead, text_digest
from airflow_registry.domain.audit_report import AuditReport, anchoring_notes
from airflow_registry.domain.chain import AuditFault, FaultKind

HEAD = AuditHead(seq=9, hash=text_digest("x"))
GOOD = AuditReport(source="db", registry_uid="uid", entries=9, head=HEAD, witnesses=2, anchored_to=9)
FAULT = AuditFault(kind=FaultKind.CHANGED, seq=4, text="Entry 4 was changed.")


def test_only_what_is_right_and_was_looked_at_as_a_whole_is_a_pass():
    assert GOOD.ok
    assert not replace(GOOD, faults=(FAULT,)).ok
    assert not replace(GOOD, unchecked=("the store",)).ok
    assert replace(GOOD, notes=("not anchored",), anchored_to=3).ok


def test_a_report_is_json_with_the_first_bad_entry():
    assert json.loads(json.dumps(GOOD.to_json())) == {
        "ok": True, "source": "db", "registry_uid": "uid", "head": {"seq": 9, "hash": HEAD.hash}, "entries": 9, "witnesses": 2,
        "anchored_to": 9, "unanchored": 0, "texts": 0, "erased": 0, "rows": 0, "first_bad_entry": None, "faults": [], "unchecked": [],
        "notes": [],
    }  # fmt: skip
    told = replace(GOOD, head=None, anchored_to=0, entries=0, faults=(FAULT, replace(FAULT, seq=2))).to_json()
    assert (told["ok"], told["head"], told["first_bad_entry"], told["unanchored"]) == (False, None, 4, 0)
    assert told["faults"][0] == {"kind": "changed", "seq": 4, "last": None, "text": "Entry 4 was changed."}


@pytest.mark.parametrize(
    ("anchored_to", "promoted", "said"),
    [
        (9, 9, []),
        (0, 0, ["no head of this chain was found outside the database, so 9 entries"]),
        (8, 7, ["the 1 entry behind 8, up to 9"]),
        (5, 7, ["the 4 entries behind 5, up to 9", "The promotion in entry 7 should have left an anchor"]),
    ],
)
def test_it_is_said_where_the_end_is_not_anchored(anchored_to, promoted, said):
    notes = anchoring_notes(replace(GOOD, anchored_to=anchored_to), promoted)
    assert len(notes) == bool(said)
    for text in said:
        assert text in notes[0]
    assert all(note.startswith("Not anchored") for note in notes)
