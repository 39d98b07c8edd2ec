"""Laws of the gate: nothing raises, nothing passes by accident, better is never worse, a better gain never refuses."""

import math
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.burn_in import CoolDown
from airflow_registry.domain.evidence import Evidence, Pair, Question
from airflow_registry.domain.gate import Basis, Case, decide, questions
from airflow_registry.domain.metrics import metric
from airflow_registry.domain.people import Asked, Choice, Standing, Vote, Waiver
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.domain.rules import Approval, Comparison, Fresh, Gap, Require, Shadow, Smoke, Threshold
from airflow_registry.domain.smoke import SmokeResult
from airflow_registry.domain.stage import Stage
from tests.unit.domain.gate.cases import JUNE, MAY, NO_ROWS, NOW, UNKNOWN, Normal, changes, evaluation, is_finite, version

LIFTS = {Ruling.PASSED, Ruling.WAIVED, Ruling.NOT_APPLICABLE}
METRICS = st.sampled_from(["roc_auc", "log_loss", "accuracy"])
BY = st.sampled_from([None, "carrier"])
ROWS = st.none() | st.integers(1, 900)
NUMBERS = st.floats() | st.sampled_from([0.0, 0.5, 0.6, 0.7, 1.0])
MARGINS = st.sampled_from([0, 0.01, 0.5, "1%", "10%"])
VALUES = st.none() | st.sampled_from([("AA",), ("AA", "UA"), ("XX",)])


@st.composite
def comparisons(draw):
    against = draw(st.sampled_from(["champion", "anchor", "trivial"]))
    by = draw(BY)
    anchor = {draw(st.sampled_from(["version", "promotions_ago"])): draw(st.integers(1, 9))} if against == "anchor" else {}
    confidence = draw(st.sampled_from([None, 0.9, 0.95]))
    return Comparison(
        draw(METRICS), against=against, **anchor, **{draw(st.sampled_from(["no_worse_than", "improve_by"])): draw(MARGINS)},
        confidence=confidence, by=by, values=draw(VALUES) if by else None, min_rows=draw(ROWS),
        data=draw(st.sampled_from(["same", "any"])) if confidence is None else "same",
    )  # fmt: skip


THRESHOLDS = st.builds(
    lambda name, bound, by, values, rows: Threshold(name, at_least=bound, by=by, values=values if by else None, min_rows=rows),
    METRICS, st.sampled_from([-1e308, 0.5, 0.7]), BY, VALUES, ROWS,
)  # fmt: skip
GAPS = st.builds(lambda name, gap, rows: Gap(name, by="carrier", gap_at_most=gap, min_rows=rows), METRICS, st.floats(0, 1), ROWS)
SMOKE = Smoke(loads_within=timedelta(seconds=60), predicts_rows=3)
OTHERS = st.sampled_from(
    [
        Require(("git_commit",)), Fresh(champion_not_older_than=timedelta(days=30)), SMOKE, Shadow(partitions=2, agreement=0.9),
        Approval(people=2, within=timedelta(days=1)), Approval(groups={"risk": ("checker",)}, not_the_author=False),
    ]
)  # fmt: skip
RULES = comparisons() | THRESHOLDS | GAPS | OTHERS
ONCE = (Approval, Fresh, Smoke, Shadow, Require)
POLICIES = st.builds(
    lambda rules, first: Policy(
        rules=tuple({type(one) if isinstance(one, ONCE) else one: one for one in rules}.values()), first_model=first
    ),
    st.lists(RULES, max_size=5, unique_by=str),
    st.sampled_from(["value_rules", "approval"]),
)


@st.composite
def evaluations(draw):
    measured = {}
    for number in draw(st.sets(st.sampled_from([3, 7, 8]))):
        slices = draw(st.lists(st.sampled_from(["", "carrier=AA", "carrier=UA"]), unique=True))
        names = draw(st.sets(METRICS))
        rows = draw(st.none() | st.integers(0, 900))
        measured[number] = tuple(metric(name, draw(NUMBERS), slice_=one, rows=rows) for name in names for one in slices)
    data = draw(st.sampled_from([MAY, JUNE, UNKNOWN, NO_ROWS, None]))
    return evaluation(measured, data=data, sequence=draw(st.integers(1, 99)), trivial=draw(st.dictionaries(METRICS, NUMBERS)))


DIFFERENCES = st.none() | st.builds(
    Normal, gain=st.floats(-2, 2) | st.just(math.nan), standard_error=st.floats(0, 1) | st.just(math.inf),
    baseline=st.sampled_from([0.0, 0.5, -0.3, math.nan]), rows=st.integers(1, 900),
)  # fmt: skip


def answers(question):
    """Whatever rows might say; where slices were asked about, each has a name."""
    names = st.sampled_from(["carrier=AA", "carrier=UA"] if question.by else ["", "carrier=AA"])
    pairs = st.lists(st.builds(Pair, slice=names, rows=st.integers(0, 900), difference=DIFFERENCES)).map(tuple)
    return st.builds(Evidence, evaluation=st.none() | st.just("e"), pairs=pairs, problem=st.none() | st.just("Gone. Again."))


PEOPLE = st.sampled_from(["auditor", "Checker", "checker@example.org", "cas", " "])
MOMENTS = st.integers(-72, 72).map(lambda hours: NOW + timedelta(hours=hours))
AUTHORS = st.sampled_from([frozenset(), frozenset({"auditor"})])
VOTES = st.lists(st.builds(Vote, person=PEOPLE, choice=st.sampled_from(Choice), at=MOMENTS)).map(tuple)


@st.composite
def cases(draw, policy):
    """Anything that could be known, true or not, with answers to some questions and to others that nobody asked."""
    champion = draw(st.sampled_from([None, 7, 8]))
    known = Case(
        challenger=version(8, stage=draw(st.sampled_from(Stage))),
        now=NOW,
        champion=None if champion is None else version(champion, registered_at=draw(MOMENTS)),
        evaluations=tuple(draw(st.lists(evaluations(), max_size=4))),
        changes=changes(*draw(st.lists(st.sampled_from([3, 5, 7, 8]), unique=True))),
        anchors={number: version(number) for number in draw(st.sets(st.sampled_from([3, 5, 7])))},
        smoke=draw(st.just({}) | st.builds(SmokeResult, loaded_in_s=st.floats() | st.none()).map(lambda found: {SMOKE: found})),
        asked=draw(st.builds(Asked, opened_at=st.none() | MOMENTS, votes=VOTES, authors=AUTHORS)),
        waivers=tuple(
            Waiver(uid="w", rule=str(rule), number=draw(st.sampled_from([7, 8])), person="dan", reason="so", expires_at=draw(MOMENTS))
            for rule in policy.rules if draw(st.booleans())
        ),
        standing=draw(st.builds(Standing, locked_policy=st.sampled_from([None, "sha256:x"]), frozen_until=st.none() | MOMENTS)),
        cool_down=draw(st.none() | st.builds(CoolDown, number=st.just(8), since=st.just(NOW), until=MOMENTS, because=st.just("x"))),
    )  # fmt: skip
    asked = [*questions(policy, known), Question(metric="f1", baseline=1)]
    return replace(known, evidence={question: draw(answers(question)) for question in asked if draw(st.booleans())})


@given(st.data())
def test_the_gate_never_raises_and_approves_only_where_something_passed_and_nothing_did_not(data):
    policy = data.draw(POLICIES)
    verdict = decide(policy, data.draw(cases(policy)))
    rulings = {reason.ruling for reason in verdict.reasons}
    assert verdict.approved is (Ruling.PASSED in rulings and rulings <= LIFTS)
    assert {str(rule) for rule in policy.rules} <= {reason.rule for reason in verdict.reasons}
    assert all(is_finite(reason.observed) and is_finite(reason.lower) for reason in verdict.reasons)
    assert all(reason.text.endswith(".") and "  " not in reason.text for reason in verdict.reasons)


@given(st.data())
def test_without_anything_measured_or_said_nothing_that_measures_or_asks_passes(data):
    policy = data.draw(POLICIES)
    bare = Case(challenger=version(8), now=NOW, champion=version(7), changes=changes(3, 7), anchors={3: version(3)})
    passed = [reason.rule for reason in decide(policy, bare).reasons if reason.ruling is Ruling.PASSED]
    assert passed == [str(rule) for rule in policy.rules if isinstance(rule, Fresh)]


@given(st.data())
def test_a_case_that_was_stored_is_judged_the_same(data):
    policy = data.draw(POLICIES)
    then = data.draw(cases(policy))
    stored = Basis.from_json(Basis.of(then).to_json())
    assert str(decide(policy, stored.applied(then))) == str(decide(policy, then))  # as text, since NaN is not itself


ORDER = {Outcome.REFUSED: 0, Outcome.INCONCLUSIVE: 1, Outcome.APPROVED: 2}


@given(comparisons(), st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0, 0.2)), min_size=1, max_size=4), st.floats(0, 0.2), st.data())
def test_a_better_gain_never_turns_a_pass_into_a_refusal(rule, gains, more, data):
    """Whatever slice gets better, and by how much: the outcome is the same or a better one."""
    rule = replace(
        rule, against="champion", version=None, promotions_ago=None, confidence=rule.confidence or 0.95, data="same", values=None
    )
    better_at = data.draw(st.integers(0, len(gains) - 1))
    gains = gains if rule.by else gains[:1]
    better_at = min(better_at, len(gains) - 1)

    def outcome(found):
        names = [f"carrier=C{number}" for number in range(len(found))] if rule.by else [""]
        pairs = tuple(
            Pair(slice=name, rows=1000, difference=Normal(gain, error, metric=rule.metric, sign=-1 if rule.direction == "minimize" else 1))
            for name, (gain, error) in zip(names, found, strict=True)
        )
        question = Question(metric=rule.metric, baseline=7, by=rule.by or "")
        case = Case(challenger=version(8), now=NOW, champion=version(7), evidence={question: Evidence(evaluation="e", pairs=pairs)})
        return ORDER[decide(Policy(rules=(rule,)), case).outcome]

    improved = [(gain + more if at == better_at else gain, error) for at, (gain, error) in enumerate(gains)]
    assert outcome(improved) >= outcome(gains)


@given(THRESHOLDS, st.lists(st.floats(0, 1), min_size=1, max_size=4), st.floats(0, 1), st.data())
def test_a_higher_value_in_any_slice_never_falls_below_a_floor(rule, values, more, data):
    rule = replace(rule, by="carrier", values=None, min_rows=None)
    at = data.draw(st.integers(0, len(values) - 1))

    def passes(found):
        measured = tuple(metric(rule.metric, value, slice_=f"carrier={number}") for number, value in enumerate(found))
        return decide(Policy(rules=(rule,)), Case(challenger=version(8), now=NOW, evaluations=(evaluation({8: measured}),))).approved

    assert passes([value + more if number == at else value for number, value in enumerate(values)]) or not passes(values)


@given(VOTES, st.data())
def test_one_more_approval_of_somebody_new_never_hurts_and_one_more_reject_never_helps(votes, data):
    rule = Approval(people=2)

    def ruling(told):
        case = Case(challenger=version(8), now=NOW, asked=Asked(opened_at=NOW, votes=told, authors=frozenset({"auditor"})))
        return ["failed", "pending", "passed"].index(decide(Policy(rules=(rule,)), case).reasons[0].ruling)

    at = data.draw(MOMENTS)
    assert ruling((*votes, Vote(person="intruder", choice=Choice.APPROVE, at=at))) >= ruling(votes)
    assert ruling((*votes, Vote(person="intruder", choice=Choice.REJECT, at=at))) == 0
