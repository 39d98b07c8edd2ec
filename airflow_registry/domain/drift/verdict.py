"""Whether features have drifted: more than chance explains, and more than anybody needs to care about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.drift.psi import compare, filled
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_registry.domain.drift.bins import Bins, Counts, Profile
    from airflow_registry.domain.drift.psi import Index

ALPHA = 0.01
FLOOR = 0.02
ROWS_PER_BIN = 5


class Verdict(StrEnum):
    """What is said about a feature, or about all of a partition."""

    DRIFTED = "drifted"
    STABLE = "stable"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What counts as drift.

    Attributes:
        alpha: Probability of a false alarm over all features together, in (0, 1).
        floor: PSI up to which a difference does not matter however sure it is, >= 0. Without one, a large partition drifts every day.
        ignore: Features that differ by their nature, such as the month in a partition of one month; they are not judged.

    Raises:
        InvalidInputError: If a number is out of its range, or `ignore` is no list.
    """

    alpha: float = ALPHA
    floor: float = FLOOR
    ignore: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise InvalidInputError(f"alpha={self.alpha!r} is no probability of a false alarm. Expected a number between 0 and 1, as 0.01.")
        if not 0 <= self.floor < float("inf"):
            raise InvalidInputError(f"floor={self.floor!r} is no size of an effect. Expected a PSI from 0 on, as {FLOOR}.")
        if isinstance(self.ignore, str):
            raise InvalidInputError(f"ignore= is a list of features, also of one: [{self.ignore!r}].")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """What is said about one feature.

    Attributes:
        name: The feature: a column of the input, `prediction`, or `probability_<class>`.
        verdict: `drifted` if `psi` is above `cutoff` and above `floor`; `insufficient` if there are too few rows to say.
        reason: The same in words, with the bin that changed most.
        rows: Rows that were counted (count).
        reference_rows: Rows of what they are compared with (count).
        psi: None if it is insufficient.
        cutoff: What chance alone exceeds with probability `alpha / features`; None if it is insufficient.
        floor: The smallest PSI that matters.
        alpha: For all features together.
        features: How many features `alpha` is shared by (count).
        bins: Bins that were compared, rare ones merged (count).
    """

    name: str
    verdict: Verdict
    reason: str
    rows: int
    reference_rows: int
    psi: float | None
    cutoff: float | None
    floor: float
    alpha: float
    features: int
    bins: int

    def to_json(self) -> dict[str, Any]:
        """For tables and XCom."""
        names = ("name", "reason", "rows", "reference_rows", "psi", "cutoff", "floor", "alpha", "features", "bins")
        return {"verdict": str(self.verdict), **{name: getattr(self, name) for name in names}}


def judge(reference: Profile, counts: Mapping[str, Counts], limits: Limits) -> tuple[FeatureDrift, ...]:
    """Each feature of the reference that was counted, the one that drifted most first.

    Args:
        reference: What was counted at registration, or by whatever else the counts are compared with.
        counts: By feature, in the same bins.
        limits: What counts as drift. `alpha` is divided by the number of features that have enough rows (Bonferroni).
    """
    return judge_together([(reference, counts)], limits)[0]


def judge_together(pairs: Sequence[tuple[Profile, Mapping[str, Counts]]], limits: Limits) -> tuple[tuple[FeatureDrift, ...], ...]:
    """The same for several references, one answer each; all of their features share one `alpha`."""
    compared = [_compared(*pair, limits.ignore) for pair in pairs]
    features = sum(is_enough(one.counts, one.reference) for found in compared for one in found)
    return tuple(
        tuple(sorted((_judged(one, limits, features) for one in found), key=lambda one: (one.psi is None, -excess(one), one.name)))
        for found in compared
    )


def is_enough(counts: Counts, reference: Counts) -> bool:
    """Whether both sides have five rows for each bin that holds any."""
    least = min(sum(counts), sum(reference))
    return least > 0 and least >= ROWS_PER_BIN * filled(counts, reference)


def overall(features: Sequence[FeatureDrift]) -> Verdict:
    """`drifted` if any feature has; `insufficient` if none had enough rows."""
    verdicts = {one.verdict for one in features}
    if Verdict.DRIFTED in verdicts:
        return Verdict.DRIFTED
    return Verdict.STABLE if Verdict.STABLE in verdicts else Verdict.INSUFFICIENT


def excess(one: FeatureDrift) -> float:
    """PSI as a multiple of what it had to exceed; 0 if nothing is known."""
    if one.psi is None or one.cutoff is None:
        return 0.0
    return one.psi / (max(one.cutoff, one.floor) or 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """A feature on both sides."""

    name: str
    bins: Bins
    counts: Counts
    reference: Counts


def _compared(reference: Profile, counts: Mapping[str, Counts], ignore: Sequence[str]) -> list[_Compared]:
    return [
        _Compared(name=name, bins=feature.bins, counts=counts[name], reference=feature.counts)
        for name, feature in reference.features.items()
        if name in counts and name not in ignore
    ]


def _judged(one: _Compared, limits: Limits, features: int) -> FeatureDrift:
    known: dict[str, Any] = {"name": one.name, "alpha": limits.alpha, "floor": limits.floor, "features": features}
    if not is_enough(one.counts, one.reference):
        known |= {"rows": sum(one.counts), "reference_rows": sum(one.reference), "bins": filled(one.counts, one.reference)}
        return FeatureDrift(**known, verdict=Verdict.INSUFFICIENT, psi=None, cutoff=None, reason=_too_few(known))
    index = compare(one.counts, one.reference)
    cutoff = index.cutoff(limits.alpha / features)
    verdict = Verdict.DRIFTED if index.value > max(cutoff, limits.floor) else Verdict.STABLE
    known |= {"rows": index.rows, "reference_rows": index.reference_rows, "bins": index.groups}
    return FeatureDrift(**known, verdict=verdict, psi=index.value, cutoff=cutoff, reason=_reason(one, index, cutoff, limits.floor))


def _too_few(known: Mapping[str, Any]) -> str:
    needed = max(ROWS_PER_BIN * known["bins"], 1)
    return (
        f"{known['name']}: too few rows to say. There are {known['rows']}, against {known['reference_rows']} of the reference; "
        f"{known['bins']} bins hold any, which takes {needed} on both sides."
    )


def _reason(one: _Compared, index: Index, cutoff: float, floor: float) -> str:
    said = f"{one.name}: PSI {index.value:.3g}"
    if index.value <= cutoff:
        return f"{said}, within chance (up to {cutoff:.3g})."
    if index.value <= floor:
        return f"{said}, more than chance (up to {cutoff:.3g}) and too little to matter (up to {floor:.3g})."
    most = max(range(len(index.parts)), key=index.parts.__getitem__)
    here, there = one.counts[most] / index.rows, one.reference[most] / index.reference_rows
    label = one.bins.label(most)
    return f"{said}, above {max(cutoff, floor):.3g}. Most of it: {label} is {here:.1%} of the rows, {there:.1%} in the reference."
