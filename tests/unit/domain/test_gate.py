"""The gate never passes by accident, and says in plain words why it does not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.gate import Case, decide
from airflow_registry.domain.gate.verdict import verdict_of
from airflow_registry.domain.metrics import Metric, metric
from airflow_registry.domain.policy import REQUIRABLE, Comparison, Margin, Policy, Require, Threshold
from airflow_registry.domain.promotion import Outcome, Reason
from airflow_registry.errors import InvalidInputError
from tests.unit.domain.gate.cases import JUNE, MAY, NO_ROWS, NOW, UNKNOWN, case, evaluation, judge, only_reason, version


class TestThreshold:
    @pytest.mark.parametrize(
        ("value", "rule", "approved"),
        [
            (0.55, Threshold("auc", at_least=0.55), True),
            (math.nextafter(0.55, 0), Threshold("auc", at_least=0.55), False),
            (0.9, Threshold("auc", at_most=0.9), True),
            (math.nextafter(0.9, 1), Threshold("auc", at_most=0.9), False),
            (0.7, Threshold("auc", at_least=0.55, at_most=0.9), True),
            (0.95, Threshold("auc", at_least=0.55, at_most=0.9), False),
            (0.5, Threshold("auc", at_least=0.5, at_most=0.5), True),
            (-0.2, Threshold("r2", at_least=-0.3), True),
        ],
    )
    def test_bounds_are_inclusive(self, value, rule, approved):
        assert judge(rule, evaluation({8: {rule.metric: value}})).approved is approved

    def test_the_reason_tells_observed_needed_data_and_rows(self):
        reason = only_reason(judge(Threshold("auc", at_least=0.55), evaluation({8: {"auc": 0.5}})))
        assert reason.rule == "auc at least 0.55"
        assert reason.text == "auc of v8 is 0.5 on 'may' (1,200 rows); needed at least 0.55: too low."
        assert (reason.passed, reason.observed, reason.rows, reason.baseline_version) == (False, 0.5, 1200, None)

    def test_a_value_that_would_print_like_its_bound_is_printed_in_full(self):
        reason = only_reason(judge(Threshold("auc", at_least=0.55), evaluation({8: {"auc": 0.5499999999}})))
        assert "is 0.5499999999 on" in reason.text

    def test_the_newest_evaluation_counts_in_whatever_order_they_come(self):
        old, new = evaluation({8: {"auc": 0.9}}, sequence=1), evaluation({8: {"auc": 0.1}}, sequence=2)
        rule = Threshold("auc", at_least=0.5)
        assert not judge(rule, old, new).approved
        assert not judge(rule, new, old).approved

    def test_a_newer_evaluation_without_the_metric_hides_nothing(self):
        older, newer = evaluation({8: {"auc": 0.9}}, sequence=1), evaluation({8: {"f1": 0.1}}, sequence=2)
        assert judge(Threshold("auc", at_least=0.5), older, newer).approved

    def test_a_newer_nan_is_not_skipped_for_an_older_number(self):
        older, newer = evaluation({8: {"auc": 0.9}}, sequence=1), evaluation({8: {"auc": math.nan}}, sequence=2)
        assert not judge(Threshold("auc", at_least=0.5), older, newer).approved

    def test_metrics_given_at_registration_count(self):
        given_at_registration = evaluation({8: {"auc": 0.9}}, data=None, source="registration")
        verdict = judge(Threshold("auc", at_least=0.5), given_at_registration)
        assert verdict.approved
        assert only_reason(verdict).text == "auc of v8 is 0.9; needed at least 0.5: satisfied."

    def test_the_metric_of_another_version_does_not_count(self):
        assert not judge(Threshold("auc", at_least=0.5), evaluation({7: {"auc": 0.9}})).approved

    def test_the_metric_of_another_model_does_not_count(self):
        assert not judge(Threshold("auc", at_least=0.5), evaluation({8: {"auc": 0.9}}, model="churn")).approved

    def test_the_metric_of_a_slice_does_not_count_for_all_rows(self):
        sliced = evaluation({8: (metric("auc", 0.9, slice_="carrier=UA"),)})
        assert not judge(Threshold("auc", at_least=0.5), sliced).approved


class TestComparison:
    @pytest.mark.parametrize(
        ("name", "challenger", "champion", "margin", "approved"),
        [
            ("auc", 0.595, 0.6, {"no_worse_than": 0.005}, True),
            ("auc", 0.795, 0.8, {"no_worse_than": 0.005}, True),
            ("auc", 0.5949999, 0.6, {"no_worse_than": 0.005}, False),
            ("auc", 0.6, 0.6, {"no_worse_than": 0}, True),
            ("auc", 0.6, 0.6, {"improve_by": 0}, False),
            ("auc", math.nextafter(0.6, 1), 0.6, {"improve_by": 0}, True),
            ("auc", 0.605, 0.6, {"improve_by": 0.005}, False),
            ("auc", 0.606, 0.6, {"improve_by": 0.005}, True),
            ("log_loss", 0.3, 0.29, {"no_worse_than": 0.01}, True),
            ("log_loss", 0.3001, 0.29, {"no_worse_than": 0.01}, False),
            ("log_loss", 0.28, 0.29, {"improve_by": 0.01}, False),
            ("log_loss", 0.279, 0.29, {"improve_by": 0.01}, True),
            ("log_loss", 0.303, 0.3, {"no_worse_than": "1%"}, True),
            ("log_loss", 0.3031, 0.3, {"no_worse_than": "1%"}, False),
            ("auc", 0.594, 0.6, {"no_worse_than": "1%"}, True),
            ("auc", 0.606, 0.6, {"improve_by": "1%"}, False),
            ("auc", 0.6061, 0.6, {"improve_by": "1%"}, True),
            ("r2", -0.3, -0.2, {"improve_by": "1%"}, False),
            ("r2", -0.19, -0.2, {"improve_by": "1%"}, True),
            ("r2", -0.202, -0.2, {"no_worse_than": "1%"}, True),
            ("r2", -0.203, -0.2, {"no_worse_than": "1%"}, False),
        ],
    )
    def test_the_border_is_where_people_write_it(self, name, challenger, champion, margin, approved):
        both = evaluation({8: {name: challenger}, 7: {name: champion}})
        assert judge(Comparison(name, **margin), both).approved is approved

    def test_the_goal_of_the_rule_gives_the_direction_of_an_unknown_metric(self):
        both = evaluation({8: {"cost": 11}, 7: {"cost": 10}})
        assert judge(Comparison("cost", improve_by=0, goal="maximize"), both).approved
        assert not judge(Comparison("cost", improve_by=0, goal="minimize"), both).approved

    def test_the_reason_tells_both_values_the_gain_and_what_was_needed(self):
        both = evaluation({8: {"log_loss": 0.31}, 7: {"log_loss": 0.3}})
        reason = only_reason(judge(Comparison("log_loss", no_worse_than="1%"), both))
        assert reason.rule == "log_loss at most 1% worse than the champion"
        assert reason.text == (
            "log_loss of v8 is 0.31 on 'may' (1,200 rows), of champion v7 0.3: "
            "gain -0.01 (lower is better), needed at least -0.003 (1%): not enough."
        )
        assert (reason.passed, reason.observed, reason.baseline_version, reason.rows) == (False, 0.31, 7, 1200)

    def test_the_reason_of_an_improvement_says_more_than(self):
        both = evaluation({8: {"auc": 0.7}, 7: {"auc": 0.6}})
        reason = only_reason(judge(Comparison("auc", improve_by=0.05), both))
        assert reason.passed
        assert reason.text.endswith("gain 0.1 (higher is better), needed more than 0.05: satisfied.")

    def test_values_that_differ_in_the_seventh_digit_are_printed_in_full(self):
        both = evaluation({8: {"auc": 0.60000001}, 7: {"auc": 0.6}})
        assert "auc of v8 is 0.60000001 " in only_reason(judge(Comparison("auc", improve_by=0.1), both)).text

    def test_two_evaluations_with_the_same_digest_are_comparable(self):
        mine, theirs = evaluation({8: {"auc": 0.7}}, sequence=2), evaluation({7: {"auc": 0.6}}, sequence=1)
        verdict = judge(Comparison("auc", improve_by=0.05), mine, theirs)
        assert verdict.approved
        assert "data" not in only_reason(verdict).text

    def test_a_registration_on_known_data_is_comparable_too(self):
        mine = evaluation({8: {"auc": 0.7}}, sequence=2, source="registration")
        assert judge(Comparison("auc", improve_by=0.05), mine, evaluation({7: {"auc": 0.6}})).approved

    def test_the_newest_comparable_pair_counts(self):
        evaluations = [
            evaluation({8: {"auc": 0.9}, 7: {"auc": 0.6}}, sequence=1),
            evaluation({8: {"auc": 0.5}, 7: {"auc": 0.6}}, sequence=2, data=JUNE),
            evaluation({7: {"auc": 0.1}}, sequence=3),
        ]
        assert not judge(Comparison("auc", improve_by=0), *evaluations).approved
        assert not judge(Comparison("auc", improve_by=0), *reversed(evaluations)).approved

    def test_an_older_comparable_pair_counts_when_the_newest_values_are_not_comparable(self):
        both, alone = evaluation({8: {"auc": 0.7}, 7: {"auc": 0.6}}), evaluation({8: {"auc": 0.8}}, data=JUNE, sequence=2)
        verdict = judge(Comparison("auc", improve_by=0), both, alone)
        assert verdict.approved
        assert only_reason(verdict).observed == 0.7

    def test_the_same_evaluation_is_preferred_to_a_newer_one_on_the_same_data(self):
        both, again = evaluation({8: {"auc": 0.7}, 7: {"auc": 0.6}}, sequence=1), evaluation({7: {"auc": 0.8}}, sequence=2)
        assert judge(Comparison("auc", improve_by=0), both, again).approved

    def test_one_evaluation_of_both_is_comparable_without_a_digest(self):
        assert judge(Comparison("auc", improve_by=0), evaluation({8: {"auc": 0.7}, 7: {"auc": 0.6}}, data=None)).approved

    @pytest.mark.parametrize(
        ("mine", "theirs", "what"),
        [
            (MAY, JUNE, "other"),
            (UNKNOWN, MAY, "unknown"),
            (MAY, UNKNOWN, "unknown"),
            (UNKNOWN, UNKNOWN, "unknown"),
            (None, None, "unknown"),
        ],
    )
    def test_other_or_unknown_data_is_refused_and_only_any_allows_it(self, mine, theirs, what):
        pair = evaluation({8: {"auc": 0.9}}, data=mine, sequence=2), evaluation({7: {"auc": 0.6}}, data=theirs, sequence=1)
        refused = judge(Comparison("auc", improve_by=0), *pair)
        assert refused.outcome is Outcome.REFUSED
        assert f"come from {what} data and cannot be compared" in only_reason(refused).text
        allowed = judge(Comparison("auc", improve_by=0, data="any"), *pair)
        assert allowed.approved
        assert f"compared on {what} data, because the rule says data: any" in only_reason(allowed).text

    def test_any_data_still_prefers_the_same_data_and_the_newest_value(self):
        evaluations = [
            evaluation({8: {"auc": 0.9}, 7: {"auc": 0.6}}, sequence=1),
            evaluation({8: {"auc": 0.5}}, sequence=2),
            evaluation({7: {"auc": 0.1}}, data=JUNE, sequence=3),
        ]
        verdict = judge(Comparison("auc", improve_by=0, data="any"), *evaluations)
        assert not verdict.approved
        assert "data: any" not in only_reason(verdict).text

    def test_a_first_version_has_nobody_to_be_compared_with(self):
        verdict = judge([Threshold("auc", at_least=0.5), Comparison("auc", improve_by=0)], evaluation({8: {"auc": 0.6}}), champion=None)
        assert verdict.approved
        assert [reason.passed for reason in verdict.reasons] == [True, None]

    def test_the_border_stays_exact_beyond_the_range_of_floats(self):
        both = evaluation({8: {"r2": -1.7e308}, 7: {"r2": 1.7e308}})
        assert "gain -inf" in only_reason(judge(Comparison("r2", improve_by=0), both)).text
        turned = evaluation({8: {"r2": 1.7e308}, 7: {"r2": -1.7e308}})
        assert "gain inf" in only_reason(judge(Comparison("r2", improve_by=0), turned)).text


GOOD = evaluation({8: {"auc": 0.9, "log_loss": 0.1}, 7: {"auc": 0.6, "log_loss": 0.4}})
BEAT = Comparison("auc", improve_by=0)


class TestRefusals:
    """Guarantee 6, case by case; the same policy approves the good evaluation."""

    @pytest.mark.parametrize(
        ("rules", "evaluations", "champion", "said"),
        [
            ([], [GOOD], 7, "The policy has no rules"),
            ([], [GOOD], None, "The policy has no rules"),
            (Threshold("auc", at_least=0.5), [], 7, "No evaluation of v8 holds 'auc'"),
            (Threshold("recall", at_least=0.0), [GOOD], 7, "No evaluation of v8 holds 'recall'. Evaluate it"),
            (Threshold("recal", at_least=0.0), [GOOD], 7, "No evaluation of v8 holds 'recal'. Did you mean 'recall'? Evaluate it"),
            (Threshold("AUC", at_least=0.5), [GOOD], 7, "No evaluation of v8 holds 'AUC'"),
            (Threshold("auc", at_least=0.5), [evaluation({8: {"auc": math.nan}})], 7, "auc of v8 is NaN on 'may' (1,200 rows)"),
            (Threshold("auc", at_least=0.5), [evaluation({8: {"auc": math.inf}})], 7, "auc of v8 is infinite"),
            (Threshold("log_loss", at_most=0.5), [evaluation({8: {"log_loss": -math.inf}})], 7, "is minus infinite"),
            (
                Threshold("auc", at_least=0.5),
                [evaluation({8: {"auc": 0.9}}, data=NO_ROWS)],
                7,
                "was computed on no rows on 'empty' (0 rows)",
            ),
            (Threshold("auc", at_least=0.5), [evaluation({8: (metric("auc", 0.9, rows=0),)})], 7, "was computed on no rows"),
            (BEAT, [], 7, "No evaluation of v8 holds 'auc'"),
            (BEAT, [evaluation({7: {"auc": 0.6}})], 7, "No evaluation of v8 holds 'auc'"),
            (BEAT, [evaluation({8: {"auc": 0.9}})], 7, "No evaluation of v7 holds 'auc'"),
            (BEAT, [evaluation({8: {"auc": math.nan}, 7: {"auc": 0.6}})], 7, "auc of v8 is NaN"),
            (BEAT, [evaluation({8: {"auc": math.inf}, 7: {"auc": 0.6}})], 7, "auc of v8 is infinite"),
            (BEAT, [evaluation({8: {"auc": 0.9}, 7: {"auc": math.nan}})], 7, "auc of v7 is NaN"),
            (BEAT, [evaluation({8: {"auc": 0.9}, 7: {"auc": -math.inf}})], 7, "auc of v7 is minus infinite"),
            (BEAT, [evaluation({8: {"auc": 0.9}, 7: (metric("auc", 0.6, rows=0),)})], 7, "auc of v7 was computed on no rows"),
            (BEAT, [evaluation({8: {"auc": 0.9}, 7: {"auc": 0.6}}, data=NO_ROWS)], 7, "was computed on no rows"),
            (BEAT, [evaluation({8: {"auc": 0.9}})], 8, "v8 is the champion itself"),
            (BEAT, [GOOD], None, "There is no champion to compare flights:8 with"),
            ([BEAT, Require(("tags",))], [GOOD], None, "There is no champion to compare flights:8 with"),
            (
                Comparison("profit", improve_by=0),
                [evaluation({8: {"profit": 2}, 7: {"profit": 1}})],
                7,
                "Whether higher or lower 'profit' is better is not known",
            ),
            (Comparison("r2", improve_by="1%"), [evaluation({8: {"r2": 0.5}, 7: {"r2": 0.0}})], 7, "1% of 0 says nothing"),
            (Comparison("r2", no_worse_than="1%"), [evaluation({8: {"r2": 0.5}, 7: {"r2": -0.0}})], 7, "1% of 0 says nothing"),
            (Require(("git_commit",)), [GOOD], 7, "v8 lacks git_commit"),
        ],
    )
    def test_it_is_not_approved_and_the_reason_says_why(self, rules, evaluations, champion, said):
        verdict = judge(rules, *evaluations, champion=champion)
        assert verdict.outcome is Outcome.REFUSED
        assert not verdict.approved
        refusing = [reason for reason in verdict.reasons if reason.passed is False]
        assert any(said in reason.text for reason in refusing), verdict.reasons

    def test_one_refusal_is_enough(self):
        verdict = judge([Threshold("auc", at_least=0.5), Threshold("auc", at_least=0.95)], GOOD)
        assert [reason.passed for reason in verdict.reasons] == [True, False]
        assert verdict.outcome is Outcome.REFUSED

    def test_the_same_rules_approve_good_values(self):
        rules = [Threshold("auc", at_least=0.5), BEAT, Comparison("log_loss", no_worse_than="1%")]
        verdict = judge(rules, GOOD)
        assert verdict.outcome is Outcome.APPROVED
        assert [reason.rule for reason in verdict.reasons] == [str(rule) for rule in rules]

    def test_a_policy_for_another_model_refuses(self):
        policy = Policy(rules=(Threshold("auc", at_least=0.5),), model="churn")
        verdict = decide(policy, case(GOOD, champion=None))
        assert verdict.outcome is Outcome.REFUSED
        assert "The policy is for the model 'churn', but flights:8" in only_reason(verdict).text

    def test_a_policy_for_this_model_in_another_case_is_used(self):
        policy = Policy(rules=(Threshold("auc", at_least=0.5),), model="FLIGHTS")
        assert decide(policy, case(GOOD, champion=None)).approved

    def test_a_champion_of_another_model_is_a_mistake_of_the_caller(self):
        with pytest.raises(InvalidInputError, match="flights:8 cannot be compared with churn:7"):
            Case(challenger=version(8), champion=version(7, model="churn"), evaluations=(GOOD,), now=NOW)


NAMES = st.sampled_from(["auc", "log_loss", "profit"])
ANY_NUMBER = st.floats() | st.integers().map(float)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MARGINS = st.builds(Margin, st.floats(min_value=0, allow_infinity=False, allow_nan=False), is_percent=st.booleans())
COMPARISONS = st.builds(
    lambda name, margin, key, data, goal: Comparison(name, data=data, goal=goal if name == "profit" else None, **{key: margin}),
    NAMES,
    MARGINS,
    st.sampled_from(["no_worse_than", "improve_by"]),
    st.sampled_from(["same", "any"]),
    st.sampled_from([None, "maximize", "minimize"]),
)
THRESHOLDS = st.builds(Threshold, NAMES, at_least=FINITE) | st.builds(Threshold, NAMES, at_most=FINITE)
REQUIRES = st.lists(st.sampled_from(sorted(REQUIRABLE)), min_size=1).map(lambda names: Require(tuple(names)))
RULES = THRESHOLDS | COMPARISONS | REQUIRES
RESULTS = st.dictionaries(st.sampled_from([7, 8]), st.dictionaries(NAMES, ANY_NUMBER))
EVALUATIONS = st.lists(st.tuples(RESULTS, st.sampled_from([MAY, JUNE, UNKNOWN, NO_ROWS, None]))).map(
    lambda made: [evaluation(results, data=data, sequence=number) for number, (results, data) in enumerate(made)]
)


@given(rule=RULES, evaluations=EVALUATIONS, champion=st.sampled_from([None, 7, 8]))
def test_the_gate_never_raises_and_never_approves_without_a_satisfied_rule(rule, evaluations, champion):
    verdict = judge(rule, *evaluations, champion=champion)
    assert verdict.approved is (all(reason.passed is not False for reason in verdict.reasons) and any(r.passed for r in verdict.reasons))
    assert all(reason.observed is None or math.isfinite(reason.observed) for reason in verdict.reasons)
    assert all(reason.text.endswith(".") for reason in verdict.reasons)


@given(rule=THRESHOLDS | COMPARISONS, bad=st.sampled_from([math.nan, math.inf, -math.inf]), good=FINITE, swap=st.booleans())
def test_nan_and_infinity_never_pass_on_either_side(rule, bad, good, swap):
    challenger, champion = (good, bad) if swap and isinstance(rule, Comparison) else (bad, good)
    assert not judge(rule, evaluation({8: {rule.metric: challenger}, 7: {rule.metric: champion}})).approved


@given(rule=COMPARISONS, values=st.tuples(FINITE, FINITE), champion=FINITE)
def test_a_better_metric_never_turns_a_pass_into_a_fail(rule, values, champion):
    worse, better = sorted(values, reverse=rule.direction == "minimize")
    first = judge(rule, evaluation({8: {rule.metric: worse}, 7: {rule.metric: champion}}))
    second = judge(rule, evaluation({8: {rule.metric: better}, 7: {rule.metric: champion}}))
    assert second.approved or not first.approved


@given(floor=FINITE, values=st.tuples(FINITE, FINITE))
def test_a_higher_value_never_falls_below_a_floor(floor, values):
    low, high = sorted(values)
    rule = Threshold("auc", at_least=floor)
    assert judge(rule, evaluation({8: {"auc": high}})).approved or not judge(rule, evaluation({8: {"auc": low}})).approved


@given(
    rules=st.lists(COMPARISONS.filter(lambda rule: rule.metric != "profit") | REQUIRES, max_size=4, unique_by=str),
    floor=FINITE,
    evaluations=EVALUATIONS,
    data=st.data(),
)
def test_the_order_of_rules_and_evaluations_does_not_change_the_outcome(rules, floor, evaluations, data):
    rules = [*rules, Threshold("auc", at_least=floor)]
    first = judge(rules, *evaluations)
    second = judge(data.draw(st.permutations(rules)), *data.draw(st.permutations(evaluations)))
    assert first.outcome is second.outcome
    assert sorted(reason.text for reason in first.reasons) == sorted(reason.text for reason in second.reasons)


@given(value=st.integers(-(10**6), 10**6), margin=st.integers(0, 10**6), digits=st.integers(0, 9))
def test_a_challenger_exactly_on_the_border_passes_whatever_the_digits(value, margin, digits):
    baseline, allowed, on_border = (float(f"{number}e-{digits}") for number in (value, margin, value - margin))
    both = evaluation({8: {"auc": on_border}, 7: {"auc": baseline}})
    assert judge(Comparison("auc", no_worse_than=allowed), both).approved
    improved = evaluation({8: {"auc": baseline}, 7: {"auc": on_border}})
    assert not judge(Comparison("auc", improve_by=allowed), improved).approved


def test_a_metric_that_was_stored_as_non_finite_stays_refused():
    stored = evaluation({8: (Metric(name="auc", value=None, non_finite="nan"),)})
    assert not judge(Threshold("auc", at_least=-1e308), stored).approved


@pytest.mark.parametrize("passed", [[], [None], [None, None], [False], [True, False], [False, None]])
def test_reasons_of_which_none_says_yes_or_one_says_no_never_approve(passed):
    assert not verdict_of([Reason(rule="r", passed=one, text=".") for one in passed]).approved
