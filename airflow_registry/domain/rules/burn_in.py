"""The time after a promotion in which the new champion is watched, and undone when it does badly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.durations import checked_duration, print_duration
from airflow_registry.domain.faults import Faults
from airflow_registry.domain.rules.shared import count, normalize, share, without_none

if TYPE_CHECKING:
    from datetime import timedelta

LIMITS = ("failed_partitions", "null_share", "quarantine_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnIn:
    """Limits of what the ledger may say of a new champion; beyond one of them the previous holder comes back by itself.

    Attributes:
        lasts: How long after the promotion, `for` in a policy file.
        failed_partitions: Most partitions that may have failed (count, >= 0); None for no limit.
        null_share: Largest share of predictions that are null, in [0, 1]; None for no limit.
        quarantine_share: Largest share of input rows put into quarantine, in [0, 1]; None for no limit.
        cool_down: How long a version that was undone cannot be promoted again by a gate; None for ever: then only a person brings it back.
    """

    lasts: timedelta
    failed_partitions: int | None = None
    null_share: float | None = None
    quarantine_share: float | None = None
    cool_down: timedelta | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        if self.lasts is None:
            faults.add("for", "missing. Say how long the new champion is watched, for example for: 3d.")
        normalize(self, "lasts", checked_duration, faults, path="for")
        normalize(self, "failed_partitions", lambda value: count(value, least=0), faults)
        normalize(self, "null_share", share, faults)
        normalize(self, "quarantine_share", share, faults)
        normalize(self, "cool_down", checked_duration, faults)
        if not faults.found and all(getattr(self, limit) is None for limit in LIMITS):
            faults.add(LIMITS[0], f"missing. Give at least one limit: {', '.join(LIMITS)}.")
        faults.refuse("part 'burn_in'")

    def __str__(self) -> str:
        limits = [f"{limit} {getattr(self, limit)!r}" for limit in LIMITS if getattr(self, limit) is not None]
        cool_down = [] if self.cool_down is None else [f"cool_down {print_duration(self.cool_down)}"]
        return f"burn-in for {print_duration(self.lasts)}: {', '.join([*limits, *cool_down])}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        cool_down = None if self.cool_down is None else print_duration(self.cool_down)
        limits = {limit: getattr(self, limit) for limit in LIMITS}
        return without_none(**{"for": print_duration(self.lasts)}, **limits, cool_down=cool_down)
