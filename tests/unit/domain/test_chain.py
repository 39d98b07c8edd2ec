"""A chain that was rewritten is found, and the first bad entry is named; whatever was done to it, and wherever."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.audit import AuditHead, canonical, text_digest
from airflow_registry.domain.chain import ChainCheck, ChainEntry
from tests.unit.domain.chains import NOON, chain, checked, entry, faults, renumbered, rewritten, sealed

LENGTH = 7
EVERYWHERE = pytest.mark.parametrize("place", range(LENGTH))
GOOD = chain(LENGTH)
HEAD = GOOD[-1].head
OTHER = canonical({"uid": "uid-x", "digest": "sha256:e"})


def test_a_chain_that_nobody_touched_is_right():
    check, found = checked(GOOD, HEAD, anchors=[GOOD[2], GOOD[5]])
    assert found == ()
    assert (check.entries, check.compared, check.vouched_to, check.last) == (LENGTH, 2, 6, GOOD[-1])


def test_an_empty_chain_is_right_where_the_head_says_so():
    assert faults([], AuditHead(seq=0, hash="sha256:" + "0" * 64)) == []
    assert faults([], AuditHead(seq=0, hash=text_digest("x"))) == [("head", 0, None)]
    assert faults([], HEAD) == [("cut_off", 1, LENGTH)]
    assert faults([], None) == [("head", None, None)]


# -- one entry -------------------------------------------------------------------------------------------------------------------
@EVERYWHERE
@pytest.mark.parametrize(
    "change",
    [
        {"body": OTHER},
        {"body": "{}"},
        {"body": "no JSON"},
        {"actor": "risk_lead"},
        {"action": "promote"},
        {"subject": "lead:1000"},
        {"deployment": "test"},
        {"at": NOON},
        {"at": None},
        {"text_digest": text_digest("x")},
        {"hash": text_digest("x")},
    ],
    ids=str,
)
def test_an_entry_that_was_changed_is_named(place, change):
    entries = [*GOOD]
    entries[place] = replace(entries[place], **change)
    assert faults(entries, HEAD) == [("changed", place + 1, None)]


@EVERYWHERE
def test_an_entry_whose_hash_was_computed_again_is_named_by_the_one_behind_it(place):
    entries = [*GOOD]
    entries[place] = sealed(replace(entries[place], body=OTHER))
    kind = "changed" if place < LENGTH - 1 else "head"  # behind the last one there is only the head row
    assert faults(entries, HEAD) == [(kind, place + 1, None)]


@EVERYWHERE
def test_an_entry_that_names_another_one_before_it_is_named(place):
    entries = [*GOOD]
    entries[place] = sealed(entries[place], previous=text_digest("x"))
    assert faults(entries, HEAD)[0][1] in {place + 1, place}  # the last one could have been written behind another one
    assert faults(entries, HEAD)[0] == ("changed", place + 1 if place < LENGTH - 1 else place, None)


def test_a_body_that_means_the_same_and_is_written_otherwise_is_changed():
    entries = [*GOOD]
    entries[3] = replace(entries[3], body=entries[3].body.replace(":", ": "))
    assert faults(entries, HEAD) == [("changed", 4, None)]


# -- many entries ------------------------------------------------------------------------------------------------------------------
@EVERYWHERE
def test_an_entry_that_is_missing_is_named(place):
    kind = "dropped" if place < LENGTH - 1 else "cut_off"
    assert faults(GOOD[:place] + GOOD[place + 1 :], HEAD) == [(kind, place + 1, place + 1 if kind == "dropped" else LENGTH)]


@EVERYWHERE
def test_entries_that_were_numbered_anew_behind_a_missing_one_do_not_hide_it(place):
    entries = renumbered(GOOD[:place] + GOOD[place + 1 :])
    kind = "dropped" if place < LENGTH - 1 else "cut_off"
    for head in (HEAD, AuditHead(seq=LENGTH - 1, hash=HEAD.hash)):
        found = faults(entries, head)[0]
        assert found[:2] == ((kind, place + 1) if head is HEAD or kind == "dropped" else ("head", LENGTH - 1))


def test_several_missing_entries_are_named_as_a_range():
    assert faults(GOOD[:2] + GOOD[5:], HEAD) == [("dropped", 3, 5)]
    assert faults(renumbered(GOOD[:2] + GOOD[5:]), HEAD) == [("dropped", 3, 5)]
    assert checked(GOOD[:2] + GOOD[5:], HEAD)[1][0].text == "Entry 3 to 5 are missing."


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(LENGTH) for b in range(a + 1, LENGTH)])
def test_two_entries_that_were_swapped_are_named(first, second):
    entries = [*GOOD]
    entries[first], entries[second] = entries[second], entries[first]
    assert faults(renumbered(entries), HEAD)[0][:2] == ("reordered", first + 1)
    assert faults(entries, HEAD)[0][:2] == ("reordered", first + 1)  # lines of a file keep their numbers


@EVERYWHERE
def test_an_entry_that_was_inserted_is_named(place):
    before = GOOD[place - 1].hash if place else GOOD[0].previous
    new = entry(place + 1, before, actor="somebody_else")
    moved = renumbered([*GOOD[:place], new, *GOOD[place:]])
    for head in (HEAD, AuditHead(seq=LENGTH + 1, hash=HEAD.hash)):
        assert faults(moved, head)[0][:2] == ("inserted", place + 1)
    untrue = [*moved[:place], replace(new, hash=text_digest("x")), *moved[place + 1 :]]
    assert faults(untrue, HEAD)[0][:2] == ("inserted", place + 1)


@pytest.mark.parametrize("of", range(3))
def test_a_copy_of_an_earlier_entry_was_inserted(of):
    moved = renumbered([*GOOD[:4], GOOD[of], *GOOD[4:]])
    assert faults(moved, AuditHead(seq=LENGTH + 1, hash=HEAD.hash))[0][:2] == ("inserted", 5)


def test_several_inserted_entries_are_named_as_a_range():
    new = [entry(3, GOOD[1].hash, actor="somebody_else")]
    new.append(entry(4, new[0].hash))
    assert faults(renumbered([*GOOD[:2], *new, *GOOD[2:]]), HEAD)[0] == ("inserted", 3, 4)


def test_an_entry_behind_the_one_that_the_head_names_was_inserted():
    new = entry(LENGTH + 1, HEAD.hash)
    assert faults([*GOOD, new], HEAD) == [("inserted", LENGTH + 1, None)]
    assert faults([*GOOD, new, entry(LENGTH + 2, new.hash)], HEAD) == [("inserted", LENGTH + 1, LENGTH + 2)]
    assert faults([*GOOD, replace(new, hash="x")], HEAD) == [("inserted", LENGTH + 1, None)]
    assert faults([*GOOD, replace(new, seq=90)], HEAD) == [("inserted", 90, None)]


def test_what_is_no_entry_at_all_is_named_by_the_place_it_stands_at():
    nothing = replace(GOOD[3], seq=-1, at=None, hash="")
    assert faults([*GOOD[:3], nothing, *GOOD[4:]], HEAD) == [("reordered", 4, None)]
    assert faults([nothing, *GOOD], HEAD) == [("reordered", 1, None)]
    assert nothing.facts == {"uid": "uid-4", "digest": "sha256:é"}
    assert replace(nothing, body="[1]").facts == replace(nothing, body="x").facts == {}


def test_the_first_of_several_faults_is_named():
    entries = [*GOOD]
    entries[5] = replace(entries[5], actor="risk_lead")
    del entries[1]
    assert faults(entries, HEAD) == [("dropped", 2, 2)]


def test_an_entry_that_was_moved_far_away_is_only_changed():
    """Its true place is looked for nearby; a million places would be a million hashes."""
    entries = [replace(GOOD[0], seq=1), sealed(replace(GOOD[1], seq=2_000_000)), *GOOD[2:]]
    entries[1] = replace(entries[1], seq=2)
    assert faults(entries, HEAD) == [("changed", 2, None)]


# -- the end -----------------------------------------------------------------------------------------------------------------------
@EVERYWHERE
def test_an_end_that_was_cut_off_is_known_by_the_head(place):
    assert faults(GOOD[:place], HEAD) == [("cut_off", place + 1, LENGTH)]


@EVERYWHERE
def test_where_the_head_was_corrected_too_only_an_anchor_knows(place):
    head = GOOD[place - 1].head if place else AuditHead(seq=0, hash=GOOD[0].previous)
    assert faults(GOOD[:place], head) == []
    assert faults(GOOD[:place], head, anchors=GOOD[: place + 1]) == [("cut_off", place + 1, place + 1)]
    assert faults(GOOD[:place], head, anchors=GOOD) == [("cut_off", place + 1, LENGTH)]


def test_a_head_that_names_another_hash_is_a_fault():
    assert faults(GOOD, AuditHead(seq=LENGTH, hash=text_digest("x"))) == [("head", LENGTH, None)]
    assert faults(GOOD, None) == [("head", None, None)]


# -- everything ----------------------------------------------------------------------------------------------------------------------
@EVERYWHERE
def test_a_chain_that_was_computed_anew_is_known_by_the_first_anchor_behind(place):
    entries = [*GOOD[:place], replace(GOOD[place], body=OTHER), *GOOD[place + 1 :]]
    entries = rewritten(entries, place)
    head = entries[-1].head
    assert faults(entries, head) == [], "the chain is right in itself"
    anchors = [GOOD[1], GOOD[4], GOOD[6]]
    behind = next(one.seq for one in anchors if one.seq > place)
    good = max((one.seq for one in anchors if one.seq <= place), default=0)
    check, found = checked(entries, head, anchors)
    assert [(fault.kind, fault.seq, fault.last) for fault in found] == [("recomputed", good + 1, behind)]
    assert check.vouched_to == good
    assert f"entry {behind} has another hash than anchor {behind} knows" in found[0].text
    assert ("no earlier head is known" if not good else f"entry {good} is still as it was") in found[0].text


def test_an_anchor_right_behind_a_good_one_names_the_entry_itself():
    entries = rewritten([*GOOD[:3], replace(GOOD[3], body=OTHER), *GOOD[4:]], 3)
    [found] = checked(entries, entries[-1].head, anchors=GOOD[1:5])[1]
    assert "Entry 4 was rewritten" in found.text
    assert (found.seq, found.last) == (4, 4)


def test_an_anchor_that_a_later_one_contradicts_is_wrong_itself():
    wrong = replace(GOOD[1], hash=text_digest("x"))
    check, [found] = checked(GOOD, HEAD, anchors=[GOOD[0], wrong, GOOD[4]])
    assert (found.kind, found.seq, check.vouched_to) == ("anchor", 2, 5)
    assert "a later head proves all entries up to 5" in found.text
    assert faults(GOOD, HEAD, anchors=[GOOD[0], wrong]) == [("recomputed", 2, 2)]
    assert faults(GOOD, HEAD, anchors=[GOOD[0], wrong, replace(GOOD[4], hash="x")]) == [("recomputed", 2, 2)]


def test_what_the_chain_says_itself_is_not_said_again_by_the_anchors():
    entries = renumbered(GOOD[:2] + GOOD[3:])
    assert faults(entries, HEAD, anchors=GOOD) == [("dropped", 3, 3)]
    changed = [*GOOD[:2], replace(GOOD[2], actor="risk_lead"), *GOOD[3:]]
    assert faults(changed, HEAD, anchors=GOOD) == [("changed", 3, None)]


def test_a_fault_behind_the_first_bad_anchor_does_not_hide_it():
    entries = rewritten([replace(GOOD[0], body=OTHER), *GOOD[1:]])
    entries[5] = replace(entries[5], actor="risk_lead")
    assert faults(entries, entries[-1].head, anchors=[GOOD[1]]) == [("changed", 6, None), ("recomputed", 1, 2)]


def test_an_anchor_ahead_is_told_beside_a_changed_entry():
    entries = [replace(GOOD[0], actor="risk_lead"), *GOOD[1:4]]
    assert faults(entries, GOOD[3].head, anchors=GOOD) == [("changed", 1, None), ("cut_off", 5, LENGTH)]


# -- restores -------------------------------------------------------------------------------------------------------------------------
def restored(after, seq, **changes):
    body = canonical({"models": [], "lost_entries": [after.seq + 1, seq - 1]})
    return entry(seq, after.hash, **{"action": "after_restore", "subject": "registry", "body": body, **changes})


def test_a_restore_says_what_it_lost_and_is_a_fault_until_somebody_knows_of_it():
    told = restored(GOOD[2], 8)
    entries = [*GOOD[:3], told, entry(9, told.hash)]
    head = entries[-1].head
    anchors = [GOOD[1], GOOD[5], entries[-1]]
    check, found = checked(entries, head, anchors)
    assert [(fault.kind, fault.seq, fault.last) for fault in found] == [("restored", 4, 7)]
    assert "Entry 8 by model_owner says" in found[0].text
    assert (check.vouched_to, check.compared) == (9, 2)
    assert faults(entries, head, anchors, accepted={8}) == []
    assert faults(entries, head, anchors, accepted={9}) == [("restored", 4, 7)]


@pytest.mark.parametrize(
    "told",
    [
        restored(GOOD[2], 8, action="move"),
        restored(GOOD[2], 8, body=canonical({"lost_entries": [4, 6]})),
        restored(GOOD[2], 8, body=canonical({"lost_entries": None})),
        restored(GOOD[3], 8),
        replace(restored(GOOD[2], 8), actor="risk_lead"),
    ],
)
def test_a_gap_that_the_entry_behind_it_does_not_tell_of_is_a_gap(told):
    assert faults([*GOOD[:3], told], told.head, accepted={8})[0][:2] == ("dropped", 4)


def test_a_restore_without_a_gap_is_an_entry_like_any_other():
    told = restored(GOOD[2], 4, body=canonical({"models": [], "lost_entries": [4, 3]}))
    assert faults([*GOOD[:3], told], told.head) == []


def test_other_faults_are_named_before_a_restore():
    told = restored(GOOD[2], 8)
    entries = [*GOOD[:3], told, replace(entry(9, told.hash), actor="risk_lead")]
    assert faults(entries, entries[-1].head) == [("changed", 9, None), ("restored", 4, 7)]


# -- anything --------------------------------------------------------------------------------------------------------------------------
BODIES = st.dictionaries(st.text(max_size=4), st.one_of(st.integers(), st.text(max_size=4), st.none()), max_size=3).map(canonical)


@st.composite
def mutations(draw):
    """A chain, and the same after one mutation."""
    good = []
    for seq in range(1, draw(st.integers(1, 12)) + 1):
        good.append(entry(seq, good[-1].hash if good else GOOD[0].previous, body=draw(BODIES), actor=draw(st.text(max_size=3))))
    entries, place = [*good], draw(st.integers(0, len(good) - 1))
    kind = draw(st.sampled_from(["change", "seal", "drop", "swap", "insert", "double", "cut"]))
    if kind in {"change", "seal"}:
        name = draw(st.sampled_from([one.name for one in fields(ChainEntry) if one.name not in {"seq", "at"}]))
        entries[place] = replace(entries[place], **{name: draw(st.one_of(BODIES, st.text(max_size=5)))})
        entries[place] = sealed(entries[place]) if kind == "seal" else entries[place]
    elif kind == "drop":
        del entries[place]
        entries = renumbered(entries) if draw(st.booleans()) else entries
    elif kind == "swap":
        other = draw(st.integers(0, len(good) - 1))
        entries[place], entries[other] = entries[other], entries[place]
        entries = renumbered(entries) if draw(st.booleans()) else entries
    elif kind == "insert":
        entries = renumbered([*entries[:place], entry(place + 1, entries[place].previous, body=draw(BODIES)), *entries[place:]])
    elif kind == "double":
        entries.insert(draw(st.integers(0, len(good))), entries[place])
        entries = renumbered(entries) if draw(st.booleans()) else entries
    else:
        entries = entries[:place]
    return good, entries


@given(mutations())
def test_any_single_mutation_is_found_and_the_first_bad_entry_is_not_behind_it(case):
    good, entries = case
    found = checked(entries, good[-1].head)[1]
    if entries == good:
        assert found == ()
        return
    first = next((seq for seq, (a, b) in enumerate(zip(good, entries, strict=False), start=1) if a != b), min(len(good), len(entries)) + 1)
    assert len(found) == 1
    assert found[0].seq in {first, first - 1}, "one of the two that do not follow on each other"


@given(mutations(), st.integers(1, 12))
def test_any_single_mutation_is_found_by_an_anchor_where_all_hashes_were_computed_anew(case, anchored):
    good, entries = case
    entries = rewritten(renumbered(entries))
    anchor = good[min(anchored, len(good)) - 1]
    head = entries[-1].head if entries else AuditHead(seq=0, hash=GOOD[0].previous)
    assert checked(entries, head)[1] == ()
    assert bool(checked(entries, head, [anchor])[1]) == (entries[: anchor.seq] != good[: anchor.seq])


def test_memory_does_not_grow_with_the_chain():
    """What a check keeps: two entries at most, and the anchors that are still ahead."""
    check = ChainCheck(HEAD)
    for one in GOOD:
        check.feed(one)
        assert sum(isinstance(value, ChainEntry) for value in vars(check).values()) <= 1
