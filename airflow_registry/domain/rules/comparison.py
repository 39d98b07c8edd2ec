"""Rules that compare a challenger with a baseline."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_registry.domain.faults import finite, hint
from airflow_registry.domain.metrics import GOALS, TESTABLE, Goal, known_goal
from airflow_registry.domain.names import parse_version
from airflow_registry.domain.rules.margin import Margin
from airflow_registry.domain.rules.shared import check_slices, count, metric_faults, normalize, slices_mapping, slices_text, without_none
from airflow_registry.errors import InvalidPolicyError, one_of

if TYPE_CHECKING:
    from airflow_registry.domain.faults import Faults

BASELINES = ("champion", "anchor", "trivial")
DATA = ("same", "any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A fixed version that a policy also compares with, so that many small losses do not add up unseen.

    Attributes:
        version: Its number.
        promotions_ago: Instead: who was champion before the newest N promotions; exactly one of the two is given.
    """

    version: int | None = None
    promotions_ago: int | None = None

    def __str__(self) -> str:
        return f"anchor v{self.version}" if self.version is not None else f"the champion {self.promotions_ago} promotions ago"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rule against a baseline; it has exactly one margin.

    Attributes:
        metric: Name of the metric.
        against: What the challenger is compared with: the champion, an anchor, or the best trivial model on the data.
        version: Number of the anchor.
        promotions_ago: Instead: the anchor is who was champion before the newest N promotions (count, >= 1).
        no_worse_than: The gain may be this far below zero. A `Margin` once the rule is made, whatever was given.
        improve_by: The gain must be above this; 0 asks for any improvement. A `Margin` once the rule is made.
        confidence: With it the rule looks at the one-sided lower limit of the gain, in (0.5, 1); None looks at the gain itself.
        by: Name of a slice column: the rule must hold in each slice; with `confidence` corrected by Holm's method.
        values: Slices of `by` that must be there, with enough rows; None for those that the data have.
        min_rows: With `by`, smaller slices are not judged (and named); without, fewer rows are inconclusive.
        goal: Which direction is better, for a metric whose direction is not known.
        data: `same` compares on the same data only, `any` also on other or unknown data.
    """

    metric: str
    _: KW_ONLY
    against: Literal["champion", "anchor", "trivial"] = "champion"
    version: int | None = None
    promotions_ago: int | None = None
    no_worse_than: Margin | float | str | None = None
    improve_by: Margin | float | str | None = None
    confidence: float | None = None
    by: str | None = None
    values: tuple[str, ...] | None = None
    min_rows: int | None = None
    goal: Goal | None = None
    data: Literal["same", "any"] = "same"

    def __post_init__(self) -> None:
        faults = metric_faults(self.metric)
        if (self.no_worse_than is None) == (self.improve_by is None):
            faults.add("no_worse_than", "give either no_worse_than or improve_by, and not both.")
        for key in ("no_worse_than", "improve_by"):
            normalize(self, key, Margin.parse, faults)
        faults.choice("against", self.against, BASELINES)
        faults.choice("data", self.data, DATA)
        self._check_anchor(faults)
        if self.goal is not None:
            self._check_goal(faults)
        if self.confidence is not None:
            self._check_confidence(faults)
        check_slices(self, faults)
        faults.refuse(f"rule on {self.metric!r}")

    def _check_anchor(self, faults: Faults) -> None:
        given = [key for key in ("version", "promotions_ago") if getattr(self, key) is not None]
        if self.against == "anchor" and len(given) != 1:
            faults.add("version", "an anchor needs either version or promotions_ago, and not both. Write version: 12, for example.")
        for key in given if self.against in ("champion", "trivial") else ():
            faults.add(key, f"names an anchor, but the rule compares with the {self.against}. Write against: anchor, or leave {key} out.")
        normalize(self, "version", parse_version, faults)
        normalize(self, "promotions_ago", count, faults)

    def _check_goal(self, faults: Faults) -> None:
        faults.choice("goal", self.goal, GOALS)
        known = known_goal(self.metric)
        if known and self.goal in GOALS and self.goal != known:
            faults.add("goal", f"{self.goal!r} contradicts what is known of {self.metric!r}: its goal is to {known}. Leave goal out.")

    def _check_confidence(self, faults: Faults) -> None:
        normalize(self, "confidence", _confidence, faults)
        if isinstance(self.metric, str) and self.metric not in TESTABLE:
            testable = one_of(sorted(TESTABLE))
            faults.add("confidence", f"there is no test for {self.metric!r}; there is one for {testable}.{hint(self.metric, TESTABLE)}")
        if self.data == "any":
            faults.add("data", "a test with confidence pairs the rows of the same data. Leave out data: any, or confidence.")

    @property
    def anchor(self) -> Anchor | None:
        """Which anchor it is, None if it is none."""
        return Anchor(version=self.version, promotions_ago=self.promotions_ago) if self.against == "anchor" else None

    @property
    def margin(self) -> Margin:
        """The one margin of this rule."""
        return cast(Margin, self.no_worse_than if self.improve_by is None else self.improve_by)

    @property
    def direction(self) -> Goal | None:
        """Which direction is better, None if nobody said and it is not known."""
        return self.goal or known_goal(self.metric)

    def __str__(self) -> str:
        what = f"at most {self.margin} worse" if self.improve_by is None else f"more than {self.margin} better"
        baseline = self.anchor or ("the best trivial model" if self.against == "trivial" else "the champion")
        confidence = "" if self.confidence is None else f", confidence {self.confidence!r}"
        return f"{self.metric} {what} than {baseline}{confidence}{slices_text(self)}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        key = "no_worse_than" if self.improve_by is None else "improve_by"
        return without_none(
            metric=self.metric,
            against=self.against,
            version=self.version,
            promotions_ago=self.promotions_ago,
            **{key: self.margin.to_plain()},
            confidence=self.confidence,
            **slices_mapping(self),
            goal=self.goal,
            data=None if self.data == "same" else self.data,
        )


def _confidence(value: object) -> float:
    number = finite(value)
    if not 0.5 < number < 1:
        raise InvalidPolicyError(f"expected a number above 0.5 and below 1, such as 0.95; found {value!r}.")
    return number
