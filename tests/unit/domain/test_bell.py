"""A consumer that does not answer is rung again: later each time, and not for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.bell import GRACE, MOST_RINGS, next_ring

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ring(after, *, rings=0, rung_revision=None, has_rung=None):
    """The ring that is due `after` the champion changed, or after the last ring, to revision 2."""
    has_rung = rings > 0 if has_rung is None else has_rung
    return next_ring(
        changed_at=NOON,
        revision=2,
        rung_revision=(2 if rings else 0) if rung_revision is None else rung_revision,
        rings=rings,
        rung_at=NOON if has_rung else None,
        now=NOON + after,
    )


def test_the_first_ring_waits_for_the_event_to_do_its_work():
    assert ring(GRACE - timedelta(microseconds=1)) is None
    assert ring(GRACE) == 1


@pytest.mark.parametrize("rings", range(1, MOST_RINGS))
def test_each_ring_waits_twice_as_long_as_the_one_before(rings):
    wait = GRACE * 2**rings
    assert ring(wait - timedelta(microseconds=1), rings=rings) is None
    assert ring(wait, rings=rings) == rings + 1


@given(st.integers(MOST_RINGS, 100), st.timedeltas(timedelta(0), timedelta(days=365)))
def test_after_the_last_ring_there_is_silence(rings, after):
    assert ring(after, rings=rings) is None


def test_a_new_champion_is_rung_from_the_first_ring_on_whatever_the_old_one_had():
    assert ring(GRACE, rings=MOST_RINGS, rung_revision=1) == 1
    assert ring(timedelta(0), rings=MOST_RINGS, rung_revision=1) is None


def test_a_revision_that_was_never_rung_starts_at_one():
    assert ring(GRACE, rung_revision=2, has_rung=False) == 1
