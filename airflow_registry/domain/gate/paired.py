"""Comparisons on the same rows: how sure the gain is, not only how large.

A rule holds where its border is below what the gain is with the rule's confidence; it fails where the gain is below the border with
that confidence; in between there are too few rows to tell. In slices it holds if it holds in each (an intersection-union test, which
needs no correction), and fails only if slices are worse by Holm's method, so that fifty slices do not refuse an equal challenger by
chance. Why: docs/decisions/0007-slices-and-holm.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.gate.baselines import challenger_of
from airflow_registry.domain.gate.case import is_wanted
from airflow_registry.domain.gate.gains import Balance, better, border_of, needed_words, percent_of_zero, share_of
from airflow_registry.domain.gate.numbers import counted, listed, percent, rounded, shown
from airflow_registry.domain.gate.reasons import no, unknown, yes
from airflow_registry.domain.gate.slices import sort_out
from airflow_registry.domain.gate.thresholds import is_too_small

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_registry.domain.evidence import Evidence, Pair
    from airflow_registry.domain.gate.case import Case, Subject
    from airflow_registry.domain.gate.slices import Slices
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.domain.rules import Comparison
    from airflow_registry.domain.stats.paired import PairedDifference

POWER = 0.8
_HOPELESS = 1000  # a million times the rows: nobody has them


def judge_pairs(rule: Comparison, case: Case, baseline: Subject, evidence: Evidence | None) -> Reason:
    """Judge what the rows of an evaluation say."""
    facts: dict[str, Any] = {"baseline_version": baseline.number}
    if evidence is None:
        return no(rule, f"How v{case.challenger.number} compares with {baseline.name} was not looked up. Decide again.", **facts)
    facts["evaluation"] = evidence.evaluation
    pairs = [pair for pair in evidence.pairs if is_wanted(pair.slice, rule.by)]
    if evidence.problem is not None or not pairs:
        return no(rule, evidence.problem or "The evaluation keeps no rows. Evaluate again.", **facts)
    matter = _Matter(rule=rule, who=challenger_of(case).name, baseline=baseline, evidence=evidence)
    return _in_slices(matter, pairs, facts) if rule.by is not None else _on_all_rows(matter, pairs[0], facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """A rule with the two that it compares, and what is known of them."""

    rule: Comparison
    who: str
    baseline: Subject
    evidence: Evidence

    def fault(self, pair: Pair) -> str | None:
        """Why this pair cannot satisfy the rule."""
        found, metric = pair.difference, self.rule.metric
        if found is None or not math.isfinite(found.challenger) or not math.isfinite(found.baseline):
            return f"{metric} of {self.who} or of {self.baseline.name} is not defined{self.place(pair)}, which is never approved."
        return percent_of_zero(self.rule, f"{self.baseline.name}{self.place(pair)}", found.baseline)

    def place(self, pair: Pair) -> str:
        """` in carrier=AA on 'holdout' (80 rows)`."""
        where = f" in {pair.slice}" if pair.slice else ""
        data = "" if self.evidence.data is None else f" on {self.evidence.data.name!r}"
        return f"{where}{data} ({counted(pair.rows)})"

    def measured(self, pair: Pair, found: PairedDifference) -> str:
        """Both values and where they come from."""
        mine, theirs = found.challenger, found.baseline
        return f"{self.rule.metric} of {self.who} is {shown(mine, theirs)}{self.place(pair)}, of {self.baseline.name} {shown(theirs, mine)}"


def _on_all_rows(matter: _Matter, pair: Pair, facts: dict[str, Any]) -> Reason:
    rule = matter.rule
    fault, found = matter.fault(pair), pair.difference
    facts |= {"rows": pair.rows, "observed": _finite(None if found is None else found.challenger)}
    if fault or found is None:
        return no(rule, str(fault), **facts)
    weighed = _Weighed.of(rule, found)
    facts |= {"lower": _finite(weighed.lower), "method": weighed.method}
    text = f"{matter.measured(pair, found)}: {weighed.told}"
    if is_too_small(pair.rows, rule.min_rows):
        return unknown(rule, f"{text}: too few rows to tell, the rule needs {counted(rule.min_rows)}. Evaluate on more rows.", **facts)
    if weighed.holds:
        return yes(rule, f"{text}: satisfied.", **facts)
    if weighed.is_below(weighed.confidence):
        return no(rule, f"{text}: not enough, {weighed.at_most}.", **facts)
    return unknown(rule, f"{text}: too few rows to tell. {weighed.power}", **facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """The gain on some rows beside the border of a rule."""

    rule: Comparison
    found: PairedDifference
    border: float
    confidence: float

    @classmethod
    def of(cls, rule: Comparison, found: PairedDifference) -> _Weighed:
        """Both values must be finite; a rule without confidence looks at the gain itself."""
        return cls(rule=rule, found=found, border=rounded(border_of(rule, found.baseline)), confidence=rule.confidence or 0.0)

    @property
    def is_enough(self) -> bool:
        """Whether the gain itself is."""
        return Balance.of(self.rule, self.found.challenger, self.found.baseline).is_enough

    @property
    def lower(self) -> float:
        """What the gain is at least, with the rule's confidence."""
        return self.found.lower_limit(self.confidence) if self.confidence else self.found.gain

    @property
    def holds(self) -> bool:
        """Whether the rule does."""
        if not self.confidence:
            return self.is_enough
        if self.rule.improve_by is None:
            return self.lower >= self.border
        return self.found.p_value(self.border) < 1 - self.confidence

    def is_below(self, confidence: float) -> bool:
        """Whether the rule certainly does not hold; a gain of exactly the border is no improvement, and no loss beyond it."""
        if not self.confidence:
            return not self.is_enough
        upper = self.found.upper_limit(confidence)
        return upper < self.border if self.rule.improve_by is None else upper <= self.border

    @property
    def method(self) -> str:
        """The statistical method that decided."""
        return self.found.method if self.rule.improve_by is None else self.found.method_at(self.border)

    @property
    def told(self) -> str:
        """`gain 0.01 (higher is better), with 95 % confidence at least 0.002; needed at least -0.005`."""
        rule, border = self.rule, self.border
        gain = f"gain {shown(self.found.gain, border)} ({better(rule)})"
        sure = f", with {percent(self.confidence)} confidence at least {shown(self.lower, border)}" if self.confidence else ""
        test = f", p = {self.found.p_value(border):.3g}" if self.confidence and rule.improve_by is not None else ""
        method = f" ({self.method}{test})" if self.confidence else ""
        return f"{gain}{sure}{method}; needed {needed_words(rule)} {shown(border, self.lower)}{share_of(rule)}"

    @property
    def at_most(self) -> str:
        """What the gain is at most."""
        return (
            f"with {percent(self.confidence)} confidence the gain is at most {shown(self.found.upper_limit(self.confidence), self.border)}"
        )

    @property
    def power(self) -> str:
        """How large a gain would have been seen, and how many rows an equal challenger needs."""
        beyond = self.found.detectable(self.confidence, POWER)
        if not math.isfinite(beyond):
            return "These rows cannot show any gain. Evaluate on more rows."
        gain = self.border + beyond
        true = f"a true gain of {shown(gain)}" if gain <= self._most else "no gain that is possible"
        told = f"With {counted(self.found.rows)} {true} would pass {percent(POWER)} of the time"
        return f"{told}{self._rows_for_an_equal(beyond)}. Evaluate on more rows."

    @property
    def _most(self) -> float:
        """The gain of a perfect challenger: what is tested is a share of at most 1, or an error of at least 0."""
        return self.found.baseline if self.rule.direction == "minimize" else 1 - self.found.baseline

    def _rows_for_an_equal(self, beyond: float) -> str:
        """An equal challenger's gain is 0, which is `-border` beyond the border; what is seen shrinks with the square root of the rows."""
        if self.border >= 0 or not 1 < (times := beyond / -self.border) < _HOPELESS:
            return ""
        needed = math.ceil(self.found.rows * times**2)
        return f", and an equal challenger would with about {counted(_two_digits(needed))}"


def _in_slices(matter: _Matter, found: Sequence[Pair], facts: dict[str, Any]) -> Reason:
    rule, pairs = matter.rule, {pair.slice: pair for pair in found}
    slices = sort_out(rule, {name: pair.rows for name, pair in pairs.items()})
    judged = [pairs[name] for name in slices.judged]
    if faults := [fault for pair in judged if (fault := matter.fault(pair))]:
        return no(rule, f"{faults[0]}{_and_more(faults)}{slices.left_out}", **facts)
    weighed = {pair.slice: _Weighed.of(rule, pair.difference) for pair in judged if pair.difference is not None}
    worse = _worse(weighed)
    open_ = [name for name, one in weighed.items() if not one.holds and name not in worse]
    if not worse and slices.gaps:
        return unknown(rule, f"{rule.metric} by {slices.by} cannot be compared: {slices.gaps}{slices.left_out}", **facts)
    named = _worst(weighed, worse or open_ or list(weighed))
    facts |= _facts_of(weighed[named], pairs[named])
    text = f"{matter.measured(pairs[named], weighed[named].found)}: {weighed[named].told} in each of {slices.text}"
    return _ruled(rule, text, worse, open_, weighed, slices, facts)


def _ruled(
    rule: Comparison,
    text: str,
    worse: Sequence[str],
    open_: Sequence[str],
    weighed: Mapping[str, _Weighed],
    slices: Slices,
    facts: dict[str, Any],
) -> Reason:
    tail = slices.left_out
    if worse:
        how = " (by Holm's method over all of them)" if rule.confidence else ""
        return no(rule, f"{text}: not enough in {listed(worse)}{how}.{tail}", **facts)
    if open_:
        return unknown(rule, f"{text}: too few rows to tell in {listed(open_)}. {weighed[_worst(weighed, open_)].power}{tail}", **facts)
    return yes(rule, f"{text}: satisfied.{tail}", **facts)


def _worse(weighed: Mapping[str, _Weighed]) -> list[str]:
    """The slices in which the rule certainly does not hold: Holm's step-down method, by limits instead of p-values.

    A slice is below the border at level alpha / m where its upper limit at confidence 1 - alpha / m is; m counts the slices that
    are not found yet, so those found in one step only make the next one easier.
    """
    found: list[str] = []
    while left := [name for name in weighed if name not in found]:
        hit = [name for name in left if weighed[name].is_below(1 - (1 - weighed[name].confidence) / len(left))]
        if not hit:
            break
        found += hit
    return sorted(found)


def _worst(weighed: Mapping[str, _Weighed], names: Sequence[str]) -> str:
    """Where the gain is furthest below what was needed."""
    return min(names, key=lambda name: weighed[name].lower - weighed[name].border)


def _facts_of(one: _Weighed, pair: Pair) -> dict[str, Any]:
    method = one.method if one.confidence else None
    lower = _finite(one.lower) if one.confidence else None
    return {"observed": _finite(one.found.challenger), "rows": pair.rows, "lower": lower, "method": method}


def _and_more(faults: Sequence[str]) -> str:
    return "" if len(faults) == 1 else f" The same holds in {len(faults) - 1} more."


def _two_digits(number: int) -> int:
    """Rounded up to two digits: it is an estimate.

    >>> _two_digits(12345), _two_digits(7)
    (13000, 7)
    """
    size: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // size) * size


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
