"""The time after a promotion in which the new champion is watched, and undone when it does badly."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, cast

from airflow_registry.domain.durations import checked_duration, print_duration
from airflow_registry.domain.faults import Faults, finite
from airflow_registry.domain.rules.shared import count, metric_faults, needed, normalize, not_negative, share, without_none

if TYPE_CHECKING:
    from datetime import timedelta

MIN_LABELS = 200
"""With fewer labelled rows a live metric says little."""
LIMITS = ("failed_partitions", "null_share", "quarantine_share", "live", "prediction_drift")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLimit:
    """Bounds of a metric by labels that arrived after the promotion.

    Attributes:
        metric: Its name, as evaluations call it.
        at_least: Lower bound, inclusive; None for none.
        at_most: Upper bound, inclusive; None for none.
        min_rows: It is judged from so many labelled rows on (count, >= 1).
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    min_rows: int = MIN_LABELS

    def __post_init__(self) -> None:
        faults = metric_faults(self.metric)
        normalize(self, "at_least", finite, faults)
        normalize(self, "at_most", finite, faults)
        faults.attempt("min_rows", lambda: object.__setattr__(self, "min_rows", count(self.min_rows)))
        if not faults.found and self.at_least is None and self.at_most is None:
            faults.add("at_least", "missing. Give at_least, at_most or both.")
        if not faults.found and None not in {self.at_least, self.at_most} and cast(float, self.at_least) > cast(float, self.at_most):
            faults.add("at_least", f"{self.at_least!r} is above at_most: {self.at_most!r}. No value can satisfy both.")
        faults.refuse("part 'live'")

    def __str__(self) -> str:
        bounds = [f"{words} {bound!r}" for words, bound in (("at least", self.at_least), ("at most", self.at_most)) if bound is not None]
        return f"live {self.metric} {' and '.join(bounds)}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return without_none(metric=self.metric, at_least=self.at_least, at_most=self.at_most, min_rows=self.min_rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLimit:
    """How far predictions may drift from those of the champion before, or from those at registration where there was none.

    Attributes:
        at_most: Largest population stability index, >= 0; what chance explains never counts.
    """

    at_most: float

    def __post_init__(self) -> None:
        faults = Faults()
        needed(self, faults, at_most="0.2")
        normalize(self, "at_most", not_negative, faults)
        faults.refuse("part 'prediction_drift'")

    def __str__(self) -> str:
        return f"prediction_drift at most {self.at_most:g}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return {"at_most": self.at_most}


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnIn:
    """Limits of what the ledger may say of a new champion; beyond one of them the previous holder comes back by itself.

    Attributes:
        lasts: How long after the promotion, `for` in a policy file.
        failed_partitions: Most partitions that may have failed (count, >= 0); None for no limit.
        null_share: Largest share of predictions that are null, in [0, 1]; None for no limit.
        quarantine_share: Largest share of input rows put into quarantine, in [0, 1]; None for no limit.
        live: Bounds of a metric by labels that arrive later; None for none.
        prediction_drift: How far predictions may drift; None for no limit.
        cool_down: How long a version that was undone cannot be promoted again by a gate; None for ever: then only a person brings it back.
    """

    lasts: timedelta
    failed_partitions: int | None = None
    null_share: float | None = None
    quarantine_share: float | None = None
    live: LiveLimit | None = None
    prediction_drift: DriftLimit | None = None
    cool_down: timedelta | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        if self.lasts is None:
            faults.add("for", "missing. Say how long the new champion is watched, for example for: 3d.")
        normalize(self, "lasts", checked_duration, faults, path="for")
        normalize(self, "failed_partitions", lambda value: count(value, least=0), faults)
        normalize(self, "null_share", share, faults)
        normalize(self, "quarantine_share", share, faults)
        for key, kind in (("live", LiveLimit), ("prediction_drift", DriftLimit)):
            if not isinstance(getattr(self, key), (kind, NoneType)):
                faults.add(key, f"expected a {kind.__name__}; found {getattr(self, key)!r}.")
        normalize(self, "cool_down", checked_duration, faults)
        if not faults.found and all(getattr(self, limit) is None for limit in LIMITS):
            faults.add(LIMITS[0], f"missing. Give at least one limit: {', '.join(LIMITS)}.")
        faults.refuse("part 'burn_in'")

    def __str__(self) -> str:
        limits = [_told(limit, value) for limit in LIMITS if (value := getattr(self, limit)) is not None]
        cool_down = [] if self.cool_down is None else [f"cool_down {print_duration(self.cool_down)}"]
        return f"burn-in for {print_duration(self.lasts)}: {', '.join([*limits, *cool_down])}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        cool_down = None if self.cool_down is None else print_duration(self.cool_down)
        limits = {limit: _plain(getattr(self, limit)) for limit in LIMITS}
        return without_none(**{"for": print_duration(self.lasts)}, **limits, cool_down=cool_down)


def _told(limit: str, value: object) -> str:
    return str(value) if isinstance(value, (LiveLimit, DriftLimit)) else f"{limit} {value!r}"


def _plain(value: Any) -> Any:  # noqa: ANN401  a number, or limits of their own
    return value.to_mapping() if isinstance(value, (LiveLimit, DriftLimit)) else value
