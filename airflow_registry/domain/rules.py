"""The rules of a policy as values, each checked when it is made.

Laws: `Margin.parse(str(margin)) == margin`; equal rules have equal mappings.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from airflow_registry.domain.faults import Faults, finite
from airflow_registry.domain.metrics import GOALS, Goal, known_goal
from airflow_registry.errors import InvalidPolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BASELINES = ("champion",)
DATA = ("same", "any")

# What a policy may require of a version, and where a version keeps it.
REQUIRABLE: Mapping[str, Callable[[Any], object]] = {
    path.rpartition(".")[2]: attrgetter(path)
    for path in (
        "change_note",
        "datasets",
        "description",
        "digest",
        "parameters",
        "signature",
        "tags",
        "lineage.bundle_version",
        "lineage.container_image",
        "lineage.git_commit",
        "lineage.packages",
        "lineage.published_by",
        "lineage.trained_by",
        "runtime.peak_memory_bytes",
        "runtime.training_seconds",
    )
}


@dataclass(frozen=True, slots=True)
class Margin:
    """How far a challenger may be from the baseline: in the metric's unit, or in percent of the baseline's absolute value.

    Attributes:
        amount: Finite and not negative; 1.0 with `is_percent` is one percent.

    >>> Margin.parse("1%")
    Margin(amount=1.0, is_percent=True)
    """

    amount: float
    is_percent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", finite(self.amount))
        if self.amount < 0:
            raise InvalidPolicyError(
                f"a margin is not negative; found {self}. Room to be worse is no_worse_than, a demand to be better is improve_by."
            )

    def __str__(self) -> str:
        return f"{repr(self.amount).removesuffix('.0')}{'%' if self.is_percent else ''}"

    @classmethod
    def parse(cls, value: object) -> Margin:
        """Read a number, or text such as `0.005` or `1%`.

        Raises:
            InvalidPolicyError: If it is neither, not finite, or negative.
        """
        if isinstance(value, Margin):
            return value
        if not isinstance(value, str):
            return cls(finite(value))
        try:
            amount = float(value.strip().removesuffix("%"))
        except ValueError:
            raise InvalidPolicyError(f"expected a margin such as 0.005 or 1%; found {value!r}.") from None
        return cls(amount, is_percent=value.strip().endswith("%"))

    def to_plain(self) -> float | str:
        """As it stands in a policy file: a number, or text with a percent sign."""
        return str(self) if self.is_percent else self.amount


@dataclass(frozen=True, slots=True)
class Threshold:
    """An absolute rule: the metric lies between bounds, which are inclusive.

    Attributes:
        metric: Name of the metric.
        at_least: Lower bound in the metric's unit, None for none.
        at_most: Upper bound; for a metric that rises with quality it is an alarm for leakage.
    """

    metric: str
    _: KW_ONLY
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        faults = _metric_faults(self.metric)
        for key in ("at_least", "at_most"):
            _normalize(self, key, finite, faults)
        if not faults.found:
            self._check_bounds(faults)
        faults.refuse(f"rule on {self.metric!r}")

    def _check_bounds(self, faults: Faults) -> None:
        if self.at_least is None and self.at_most is None:
            faults.add("at_least", "missing. Give at_least, at_most or both.")
        elif self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            faults.add("at_least", f"{self.at_least!r} is above at_most {self.at_most!r}, so that no value can satisfy the rule.")

    @property
    def needed(self) -> str:
        """The bounds in words, `at least 0.55 and at most 0.9`."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{words} {bound!r}" for words, bound in bounds if bound is not None)

    def __str__(self) -> str:
        return f"{self.metric} {self.needed}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return without_none(metric=self.metric, at_least=self.at_least, at_most=self.at_most)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rule against the champion; it has exactly one margin.

    Attributes:
        metric: Name of the metric.
        against: What the challenger is compared with.
        no_worse_than: The gain may be this far below zero. A `Margin` once the rule is made, whatever was given.
        improve_by: The gain must be above this; 0 asks for any improvement. A `Margin` once the rule is made.
        goal: Which direction is better, for a metric whose direction is not known.
        data: `same` compares on the same data only, `any` also on other or unknown data.
    """

    metric: str
    _: KW_ONLY
    against: Literal["champion"] = "champion"
    no_worse_than: Margin | float | str | None = None
    improve_by: Margin | float | str | None = None
    goal: Goal | None = None
    data: Literal["same", "any"] = "same"

    def __post_init__(self) -> None:
        faults = _metric_faults(self.metric)
        if (self.no_worse_than is None) == (self.improve_by is None):
            faults.add("no_worse_than", "give either no_worse_than or improve_by, and not both.")
        for key in ("no_worse_than", "improve_by"):
            _normalize(self, key, Margin.parse, faults)
        faults.choice("against", self.against, BASELINES)
        faults.choice("data", self.data, DATA)
        if self.goal is not None:
            self._check_goal(faults)
        faults.refuse(f"rule on {self.metric!r}")

    def _check_goal(self, faults: Faults) -> None:
        faults.choice("goal", self.goal, GOALS)
        known = known_goal(self.metric)
        if known and self.goal in GOALS and self.goal != known:
            faults.add("goal", f"{self.goal!r} contradicts what is known of {self.metric!r}: its goal is to {known}. Leave goal out.")

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
        return f"{self.metric} {what} than the {self.against}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        key = "no_worse_than" if self.improve_by is None else "improve_by"
        data = None if self.data == "same" else self.data
        return without_none(metric=self.metric, against=self.against, **{key: self.margin.to_plain()}, goal=self.goal, data=data)


@dataclass(frozen=True, slots=True)
class Require:
    """A rule about metadata: the version has all of these fields.

    Attributes:
        fields: Names from `REQUIRABLE`.
    """

    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        faults = Faults()
        if not isinstance(self.fields, (list, tuple)) or not self.fields:
            faults.add("require", f"expected a list of fields such as [git_commit, datasets]; found {self.fields!r}.")
            faults.refuse("rule 'require'")
        object.__setattr__(self, "fields", tuple(self.fields))
        for name in self.fields:
            faults.choice("require", name, REQUIRABLE)
        faults.refuse("rule 'require'")

    def __str__(self) -> str:
        return f"require {', '.join(self.fields)}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return {"require": list(self.fields)}


Rule: TypeAlias = Threshold | Comparison | Require


def without_none(**values: object) -> dict[str, Any]:
    """The values that were given, in their order."""
    return {key: value for key, value in values.items() if value is not None}


def _metric_faults(metric: object) -> Faults:
    faults = Faults()
    if not isinstance(metric, str) or not metric.strip():
        faults.add("metric", f"expected the name of a metric such as roc_auc; found {metric!r}.")
    return faults


def _normalize(rule: object, key: str, read: Callable[[object], object], faults: Faults) -> None:
    given = getattr(rule, key)
    if given is not None:
        object.__setattr__(rule, key, faults.attempt(key, lambda: read(given)))
