"""When a consumer that did not answer is rung again.

A promotion rings its consumers by an asset event. Events get lost (two within half a second, a paused DAG, a worker that died between
commit and event), so a champion that a consumer has not resolved after a while rings it once more: with back-off, and not for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta

GRACE = timedelta(seconds=30)
MOST_RINGS = 5


def next_ring(
    *, changed_at: datetime, revision: int, rung_revision: int, rings: int, rung_at: datetime | None, now: datetime
) -> int | None:
    """Which ring is due now for a revision that is not answered.

    Args:
        changed_at: When the champion changed.
        revision: The champion's revision.
        rung_revision: The revision of the last ring, 0 for none.
        rings: How often that revision was rung (count).
        rung_at: When it was rung last.
        now: The present.

    Returns:
        1 for the first ring of this revision, up to 5; None if it is too early, or enough.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> next_ring(changed_at=noon, revision=2, rung_revision=0, rings=0, rung_at=None, now=noon + timedelta(seconds=31))
    1
    """
    if rung_revision != revision or rung_at is None:
        return 1 if now - changed_at >= GRACE else None
    if rings >= MOST_RINGS:
        return None
    return rings + 1 if now - rung_at >= GRACE * 2**rings else None
