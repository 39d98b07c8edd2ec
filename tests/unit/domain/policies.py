"""Policies of every kind, for Hypothesis."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from airflow_registry.domain.metrics import COMPUTED, TESTABLE, known_goal
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.rules import (
    REQUIRABLE,
    Approval,
    BurnIn,
    Comparison,
    DriftLimit,
    Fresh,
    Gap,
    LiveLimit,
    Margin,
    Require,
    Shadow,
    Smoke,
    Threshold,
)
from airflow_registry.errors import InvalidPolicyError

PRINTABLE = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"])  # YAML takes the others as escapes only
WORDS = st.text(PRINTABLE, min_size=1, max_size=12).filter(str.strip) | st.sampled_from(["yes", "1.0", "~", "# x", "2026-01-01", "a: b"])
METRICS = WORDS | st.sampled_from(["auc", "roc_auc", "log_loss", "costs:per_flight"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NOT_NEGATIVE = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
SHARES = st.floats(min_value=0, max_value=1)
COUNTS = st.integers(min_value=1, max_value=10**15)
DURATIONS = st.integers(1, 3650 * 86400).map(lambda seconds: timedelta(seconds=seconds))
COLUMNS = st.sampled_from(["carrier", "distance:4", "a:b", "day of week", "1", ":"])
SLICE_NAMES = st.lists(WORDS, min_size=2, max_size=4, unique=True).map(tuple)
SLICES = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"min_rows": COUNTS}),
    st.fixed_dictionaries({"by": COLUMNS}, optional={"values": SLICE_NAMES, "min_rows": COUNTS}),
)
MARGINS = st.builds(Margin, NOT_NEGATIVE, is_percent=st.booleans())
BASELINES = st.one_of(
    st.just({}),
    st.just({"against": "trivial"}),
    st.fixed_dictionaries({"against": st.just("anchor"), "version": COUNTS}),
    st.fixed_dictionaries({"against": st.just("anchor"), "promotions_ago": COUNTS}),
)
CONFIDENCES = st.floats(min_value=0.5, max_value=1, exclude_min=True, exclude_max=True)


def _threshold(metric, bounds, slices):
    low, high = sorted(bounds)
    return Threshold(metric, at_least=low, at_most=high, **slices)


def _comparison(metric, key, margin, baseline, slices, data):
    goal = None if known_goal(metric) else "minimize"
    return Comparison(metric, goal=goal, data=data, **{key: margin}, **baseline, **slices)


def _tested(metric, key, margin, baseline, slices, confidence):
    return Comparison(metric, confidence=confidence, **{key: margin}, **baseline, **slices)


THRESHOLDS = (
    st.builds(lambda metric, bound, slices: Threshold(metric, at_least=bound, **slices), METRICS, FINITE, SLICES)
    | st.builds(lambda metric, bound, slices: Threshold(metric, at_most=bound, **slices), METRICS, FINITE, SLICES)
    | st.builds(_threshold, METRICS, st.tuples(FINITE, FINITE), SLICES)
)
GAPS = st.builds(
    lambda metric, by, gap, rest: Gap(metric, by=by, gap_at_most=gap, **rest),
    METRICS,
    COLUMNS,
    NOT_NEGATIVE,
    st.fixed_dictionaries({}, optional={"values": SLICE_NAMES, "min_rows": COUNTS}),
)
KEYS = st.sampled_from(["no_worse_than", "improve_by"])
COMPARISONS = st.builds(
    _comparison, METRICS | st.sampled_from(sorted(COMPUTED)), KEYS, MARGINS, BASELINES, SLICES, st.sampled_from(["same", "any"])
) | st.builds(_tested, st.sampled_from(sorted(TESTABLE)), KEYS, MARGINS, BASELINES, SLICES, CONFIDENCES)
REQUIRES = st.lists(st.sampled_from(sorted(REQUIRABLE)), min_size=1, max_size=4).map(lambda names: Require(tuple(names)))
FRESH = st.builds(Fresh, champion_not_older_than=DURATIONS)
SMOKES = st.builds(Smoke, loads_within=DURATIONS, predicts_rows=COUNTS)
SHADOWS = st.builds(Shadow, partitions=COUNTS, agreement=SHARES, within=st.none() | DURATIONS)
PEOPLE = st.lists(WORDS, min_size=1, max_size=3, unique=True).map(tuple)
APPROVALS = st.builds(
    Approval,
    people=COUNTS,
    not_the_author=st.booleans(),
    groups=st.dictionaries(WORDS, PEOPLE, max_size=2),
    within=st.none() | DURATIONS,
)
RULES = st.one_of(THRESHOLDS, GAPS, COMPARISONS, REQUIRES, FRESH, SMOKES, SHADOWS, APPROVALS)
LIVE_LIMITS = (
    st.builds(LiveLimit, metric=METRICS, at_least=FINITE, min_rows=COUNTS)
    | st.builds(LiveLimit, metric=METRICS, at_most=FINITE)
    | st.builds(
        lambda metric, bounds: LiveLimit(metric=metric, at_least=min(bounds), at_most=max(bounds)), METRICS, st.tuples(FINITE, FINITE)
    )
)
DRIFT_LIMITS = st.builds(DriftLimit, at_most=NOT_NEGATIVE)
BURN_INS = st.tuples(
    DURATIONS,
    st.sampled_from([{"failed_partitions": 0}, {"failed_partitions": 3}, {}]),
    st.fixed_dictionaries(
        {"null_share": SHARES},
        optional={"quarantine_share": SHARES, "cool_down": DURATIONS, "live": LIVE_LIMITS, "prediction_drift": DRIFT_LIMITS},
    ),
).map(lambda parts: BurnIn(lasts=parts[0], **parts[1], **parts[2]))


def compatible(rules):
    """The rules without those that repeat or contradict an earlier one."""
    kept = ()
    for rule in rules:
        try:
            kept = Policy(rules=(*kept, rule)).rules
        except InvalidPolicyError:
            continue
    return kept


POLICIES = st.builds(
    Policy,
    rules=st.lists(RULES, min_size=1, max_size=5).map(compatible),
    model=st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", fullmatch=True).map(ModelName),
    first_model=st.sampled_from(["value_rules", "approval"]),
    valid_for=st.none() | DURATIONS,
    burn_in=st.none() | BURN_INS,
)
