"""Rules with confidence: certain, certainly not, or too few rows to tell."""

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.evidence import Evidence, Question
from airflow_registry.domain.gate import kept_rows, needs_rows_of, questions
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.domain.rules import Comparison, Threshold
from airflow_registry.domain.stats.multiple import holm
from tests.unit.domain.gate.cases import JUNE, Normal, case, changes, evaluation, evidence, judge, only_reason, version

SAFE = Comparison("roc_auc", no_worse_than=0.02, confidence=0.95)
BETTER = Comparison("roc_auc", improve_by=0, confidence=0.95)
SLICED = Comparison("roc_auc", no_worse_than=0.02, confidence=0.95, by="carrier", min_rows=200)


def reason_of(rule, found, **told):
    return only_reason(judge(rule, evidence=evidence(found, **told)))


def in_slices(rule, **found):
    return reason_of(rule, found, by="carrier")


class TestOnAllRows:
    @pytest.mark.parametrize(
        ("rule", "gain", "ruling"),
        [
            (SAFE, 0.0, Ruling.PASSED),
            (SAFE, -0.0035, Ruling.PASSED),
            (SAFE, -0.0036, Ruling.INCONCLUSIVE),
            (SAFE, -0.0364, Ruling.INCONCLUSIVE),
            (SAFE, -0.0365, Ruling.FAILED),
            (BETTER, 0.0165, Ruling.PASSED),
            (BETTER, 0.0164, Ruling.INCONCLUSIVE),
            (BETTER, -0.0164, Ruling.INCONCLUSIVE),
            (BETTER, -0.0165, Ruling.FAILED),
        ],
    )
    def test_it_holds_or_fails_only_with_the_rules_confidence(self, rule, gain, ruling):
        assert reason_of(rule, Normal(gain)).ruling is ruling

    def test_what_passes_tells_values_limit_method_and_rows(self):
        reason = reason_of(SAFE, Normal(0.01))
        assert reason.text == (
            "roc_auc of v8 is 0.71 on 'may' (1,000 rows), of champion v7 0.7: gain 0.01 (higher is better), "
            "with 95 % confidence at least -0.00644854 (a normal); needed at least -0.02: satisfied."
        )
        assert (reason.observed, reason.baseline_version, reason.rows, reason.method) == (0.71, 7, 1000, "a normal")
        assert reason.lower == pytest.approx(-0.00644854)
        assert reason.evaluation == "evaluation-1"

    def test_superiority_tells_the_p_value_of_the_method_that_decides(self):
        reason = reason_of(BETTER, Normal(0.02))
        assert "(a normal at 0, p = 0.0228); needed more than 0: satisfied." in reason.text
        assert reason.method == "a normal at 0"

    def test_the_p_value_decides_superiority_where_it_differs_from_the_limit(self):
        @dataclass(frozen=True)
        class Exact(Normal):
            def p_value(self, border):
                return 0.06

        assert reason_of(BETTER, Exact(0.5)).ruling is Ruling.INCONCLUSIVE

    def test_too_few_rows_say_what_would_have_been_seen_and_how_many_an_equal_challenger_needs(self):
        reason = reason_of(SAFE, Normal(-0.005))
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert reason.text.endswith(
            "needed at least -0.02: too few rows to tell. With 1,000 rows a true gain of 0.00486475 would pass 80 % of the time, "
            "and an equal challenger would with about 1,600 rows. Evaluate on more rows."
        )

    @pytest.mark.parametrize(
        ("rule", "gain", "error"),
        [(BETTER, 0.0, 0.02), (replace(SAFE, no_worse_than=0.5), -0.25, 0.2), (replace(SAFE, no_worse_than=1e-300), 0.0, 0.01)],
    )
    def test_how_many_rows_an_equal_challenger_needs_is_said_only_where_rows_would_help(self, rule, gain, error):
        reason = reason_of(rule, Normal(gain, standard_error=error))
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert "equal challenger" not in reason.text

    @pytest.mark.parametrize(
        ("metric", "baseline", "said"),
        [
            ("roc_auc", 0.75, "no gain that is possible would pass 80 %"),  # 0.25 is left above it
            ("roc_auc", 0.6, "a true gain of 0.397836 would pass 80 %"),
            ("log_loss", 0.6, "a true gain of 0.397836 would pass 80 %"),
            ("log_loss", 0.25, "no gain that is possible would pass 80 %"),
        ],
    )
    def test_a_gain_beyond_perfection_is_not_promised(self, metric, baseline, said):
        rule = Comparison(metric, improve_by=0, confidence=0.95)
        found = Normal(0.0, standard_error=0.16, baseline=baseline)
        assert said in only_reason(judge(rule, evidence=evidence(found, metric_=metric))).text

    def test_rows_that_can_show_nothing_say_so(self):
        reason = reason_of(SAFE, Normal(0.0, standard_error=math.inf))
        assert reason.text.endswith("These rows cannot show any gain. Evaluate on more rows.")
        assert reason.lower is None

    def test_a_no_says_how_large_the_gain_is_at_most(self):
        assert "not enough, with 95 % confidence the gain is at most -0.0235515." in reason_of(SAFE, Normal(-0.04)).text

    def test_the_very_same_predictions_are_no_worse_and_no_better(self):
        same = Normal(0.0, standard_error=0.0)
        assert reason_of(replace(SAFE, no_worse_than=0), same).ruling is Ruling.PASSED
        assert reason_of(BETTER, same).ruling is Ruling.FAILED

    def test_a_margin_in_percent_is_of_the_baseline(self):
        rule = Comparison("log_loss", no_worse_than="10%", confidence=0.95)
        found = evidence(Normal(-0.02, 0.001, baseline=0.3, sign=-1, metric="log_loss"), metric_="log_loss")
        reason = only_reason(judge(rule, evidence=found))
        assert reason.ruling is Ruling.PASSED
        assert "log_loss of v8 is 0.32 on 'may' (1,000 rows), of champion v7 0.3: gain -0.02 (lower is better)" in reason.text
        assert "needed at least -0.03 (10%)" in reason.text

    def test_percent_of_zero_says_nothing(self):
        reason = reason_of(replace(SAFE, no_worse_than="1%"), Normal(0.5, baseline=0.0))
        assert reason.ruling is Ruling.FAILED
        assert "roc_auc of champion v7 on 'may' (1,000 rows) is 0, and 1% of 0 says nothing." in reason.text

    def test_fewer_rows_than_the_rule_needs_are_inconclusive_whatever_they_say(self):
        reason = reason_of(replace(SAFE, min_rows=1001), Normal(0.5))
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert "too few rows to tell, the rule needs 1,001 rows" in reason.text
        assert reason_of(replace(SAFE, min_rows=1000), Normal(0.5)).ruling is Ruling.PASSED


class TestWithoutEvidence:
    @pytest.mark.parametrize(
        ("told", "said"),
        [
            ({}, "was not looked up"),
            ({Question(metric="roc_auc", baseline=3): Evidence()}, "was not looked up"),
            ({Question(metric="roc_auc", baseline=7): Evidence()}, "keeps no rows"),
            ({Question(metric="roc_auc", baseline=7): Evidence(problem="It was changed. Evaluate again.")}, "It was changed."),
            (evidence(None), "roc_auc of v8 or of champion v7 is not defined on 'may' (1,000 rows), which is never approved."),
            (evidence(None, data=None), "is not defined (1,000 rows)"),
            (evidence(Normal(0.5, baseline=math.nan)), "is not defined"),
            (evidence(Normal(math.inf)), "is not defined"),
        ],
    )
    def test_nothing_is_approved(self, told, said):
        verdict = judge([Threshold("auc", at_least=0), SAFE], evaluation({8: {"auc": 0.9}}), evidence=told)
        assert verdict.outcome is Outcome.REFUSED
        assert said in verdict.reasons[1].text

    def test_a_baseline_without_a_value_refuses_though_the_challenger_has_one(self):
        @dataclass(frozen=True)
        class Lonely(Normal):
            challenger = 0.9

        for value in (math.nan, -math.inf):
            assert "is not defined" in reason_of(SAFE, Lonely(0.5, baseline=value)).text

    @pytest.mark.parametrize("limit", [math.nan, -math.inf])
    def test_a_limit_that_is_no_number_does_not_pass(self, limit):
        @dataclass(frozen=True)
        class Strange(Normal):
            def lower_limit(self, confidence):
                return limit

            def upper_limit(self, confidence):
                return -limit

            def p_value(self, border):
                return math.nan

        for rule in (SAFE, BETTER):
            assert reason_of(rule, Strange(0.5)).ruling is Ruling.INCONCLUSIVE


class TestInSlices:
    def test_it_holds_if_it_holds_in_each(self):
        reason = in_slices(SLICED, AA=Normal(0.0), UA=Normal(0.01))
        assert reason.ruling is Ruling.PASSED
        assert "roc_auc of v8 is 0.7 in carrier=AA on 'may' (1,000 rows)" in reason.text
        assert reason.text.endswith("needed at least -0.02 in each of 2 slices of carrier: satisfied.")
        assert (reason.observed, reason.rows, reason.method) == (0.7, 1000, "a normal")

    def test_one_that_is_too_small_to_tell_makes_it_inconclusive(self):
        reason = in_slices(SLICED, AA=Normal(0.0), UA=Normal(0.0, standard_error=0.05, rows=300))
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert "too few rows to tell in carrier=UA. With 300 rows a true gain of" in reason.text
        assert reason.rows == 300

    def test_one_that_is_certainly_worse_refuses_and_is_named(self):
        reason = in_slices(SLICED, AA=Normal(0.0), DL=Normal(0.0, standard_error=0.05), UA=Normal(-0.2))
        assert reason.ruling is Ruling.FAILED
        assert "not enough in carrier=UA (by Holm's method over all of them)." in reason.text
        assert reason.observed == pytest.approx(0.5)

    def test_what_is_worse_at_its_own_level_only_is_not_certain_among_many(self):
        unlucky = {"ZZ": Normal(-0.038)}
        many = {f"C{number:02}": Normal(0.0) for number in range(49)}
        assert in_slices(SLICED, **unlucky).ruling is Ruling.FAILED
        assert in_slices(SLICED, **unlucky, **many).ruling is Ruling.INCONCLUSIVE

    def test_what_is_found_first_makes_the_next_step_easier(self):
        reason = in_slices(SLICED, AA=Normal(-0.5), UA=Normal(-0.038))
        assert "not enough in carrier=AA, carrier=UA (by Holm's method" in reason.text
        assert "not enough in carrier=AA (by Holm's method" in in_slices(SLICED, AA=Normal(-0.5), UA=Normal(-0.036)).text

    def test_small_slices_are_left_out_and_named(self):
        reason = in_slices(SLICED, AA=Normal(0.0), UA=Normal(-0.5, rows=199))
        assert reason.ruling is Ruling.PASSED
        assert reason.text.endswith("1 slice of carrier: satisfied. Left out, smaller than 200 rows: carrier=UA (199 rows).")

    def test_no_slice_large_enough_is_inconclusive(self):
        reason = in_slices(SLICED, AA=Normal(0.5, rows=10))
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert "roc_auc by carrier cannot be compared: No slice of carrier with 200 rows or more is there." in reason.text

    def test_a_slice_that_the_rule_names_and_the_data_lack_is_inconclusive(self):
        named = replace(SLICED, values=("AA", "XX"))
        reason = in_slices(named, AA=Normal(0.0), UA=Normal(-0.5))
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert "The data have no rows of carrier=XX." in reason.text
        assert in_slices(replace(named, values=("AA",)), AA=Normal(0.0), UA=Normal(-0.5)).ruling is Ruling.PASSED
        assert in_slices(named, AA=Normal(-0.5)).ruling is Ruling.FAILED

    def test_an_answer_about_other_rows_than_were_asked_for_is_none(self):
        slices, whole = evidence({"AA": Normal(0.5)}, by="carrier"), evidence(Normal(0.5))
        [for_slices], [for_whole] = slices.values(), whole.values()
        for rule, question, answer in [(SLICED, next(iter(slices)), for_whole), (SAFE, next(iter(whole)), for_slices)]:
            reason = only_reason(judge(rule, evidence={question: answer}))
            assert (reason.ruling, reason.text) == (Ruling.FAILED, "The evaluation keeps no rows. Evaluate again.")

    def test_a_slice_without_a_value_refuses(self):
        reason = in_slices(SLICED, AA=Normal(0.0), DL=None, UA=Normal(0.0, baseline=math.nan))
        assert reason.ruling is Ruling.FAILED
        assert reason.text.startswith("roc_auc of v8 or of champion v7 is not defined in carrier=DL on 'may' (1,000 rows)")
        assert reason.text.endswith("The same holds in 1 more.")
        assert "more." not in in_slices(SLICED, AA=Normal(0.0), DL=None).text

    def test_the_best_trivial_model_in_slices_needs_rows_and_no_confidence(self):
        rule = Comparison("accuracy", against="trivial", improve_by=0.1, by="carrier")
        told = {"AA": Normal(0.2, metric="accuracy"), "UA": Normal(0.1, metric="accuracy")}
        reason = only_reason(judge(rule, evidence=evidence(told, by="carrier", baseline="trivial", metric_="accuracy")))
        assert reason.ruling is Ruling.FAILED
        assert reason.text.endswith(
            "gain 0.1 (higher is better); needed more than 0.1 in each of 2 slices of carrier: not enough in carrier=UA."
        )
        assert (reason.method, reason.lower) == (None, None)
        better = {name: replace(one, gain=one.gain + 0.1) for name, one in told.items()}
        assert only_reason(judge(rule, evidence=evidence(better, by="carrier", baseline="trivial", metric_="accuracy"))).passed


@given(st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=12), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_slices_that_are_named_as_worse_are_those_of_holms_method(gains, confidence):
    rule = replace(SLICED, confidence=confidence)
    found = {f"C{number:02}": Normal(gain) for number, gain in enumerate(gains)}
    p_values = [1 - one.p_value(-0.02) for one in found.values()]
    expected = [f"carrier={name}" for name, is_worse in zip(found, holm(p_values, 1 - confidence), strict=True) if is_worse]
    reason = in_slices(rule, **found)
    assert (reason.ruling is Ruling.FAILED) is bool(expected)
    assert all(name in reason.text for name in expected[:5])


class TestQuestions:
    def test_each_thing_is_asked_once_and_only_where_stored_metrics_do_not_suffice(self):
        rules = (
            SAFE, replace(BETTER, improve_by=0.01), SLICED, Comparison("roc_auc", improve_by=0), Threshold("roc_auc", at_least=0),
            replace(SAFE, against="anchor", version=3), replace(SAFE, against="trivial"), Comparison("f1", against="trivial", improve_by=0),
            Comparison("roc_auc", against="trivial", improve_by=0, by="carrier"),
        )  # fmt: skip
        known = case(changes=changes(3, 7), anchors={3: version(3)})
        told = [(one.metric, one.baseline, one.by) for one in questions(Policy(rules=rules), known)]
        assert told == [
            ("roc_auc", 7, ""), ("roc_auc", 7, "carrier"), ("roc_auc", 3, ""), ("roc_auc", "trivial", ""),
            ("roc_auc", "trivial", "carrier"),
        ]  # fmt: skip

    @pytest.mark.parametrize("champion", [None, 8])
    def test_nothing_is_asked_where_there_is_nobody_to_compare_with(self, champion):
        assert questions(Policy(rules=(SAFE,)), case(champion=champion)) == ()

    def test_a_policy_says_whether_it_needs_rows_at_all(self):
        assert needs_rows_of(Policy(rules=(SAFE,)))
        assert not needs_rows_of(Policy(rules=(Comparison("roc_auc", improve_by=0), Threshold("roc_auc", at_least=0))))


ROWS = {"rows_uri": "file:/rows", "slices": ("carrier",)}
ASKED = Question(metric="roc_auc", baseline=7)


class TestKeptRows:
    def test_the_newest_evaluation_that_keeps_the_rows_of_both_counts(self):
        old = evaluation({8: {}, 7: {}}, sequence=1, **ROWS)
        new = evaluation({8: {}, 7: {}}, sequence=2, **ROWS)
        without = evaluation({8: {"roc_auc": 1}, 7: {"roc_auc": 1}}, sequence=3)
        assert kept_rows(case(old, without, new), ASKED) == (new, new)

    def test_two_evaluations_of_the_same_data_will_do(self):
        mine, theirs = evaluation({8: {}}, sequence=2, **ROWS), evaluation({7: {}}, sequence=1, **ROWS)
        assert kept_rows(case(mine, theirs), ASKED) == (mine, theirs)

    @pytest.mark.parametrize(
        "theirs",
        [
            evaluation({7: {}}, data=JUNE, **ROWS),
            evaluation({7: {}}, data=None, **ROWS),
            evaluation({7: {}}),
            evaluation({7: {}}, target="other", **ROWS),
            evaluation({7: {}}, model="churn", **ROWS),
        ],
    )
    def test_other_data_or_another_target_will_not(self, theirs):
        mine = evaluation({8: {}}, sequence=2, target="late", **ROWS)
        told = kept_rows(case(mine, theirs), ASKED)
        assert told == (
            "No evaluation keeps the rows of v8 and v7, and without them nobody knows how sure the gain in roc_auc is. Evaluate v8 "
            "(champion and anchors are scored on the same rows), and decide again."
        )

    def test_slices_must_be_those_that_the_rule_names(self):
        sliced_otherwise = evaluation({8: {}, 7: {}}, sequence=1, rows_uri="x", slices=("carrier:4",))
        told = kept_rows(case(sliced_otherwise), replace(ASKED, by="carrier"))
        assert "v8 and v7, sliced by carrier, and" in told
        assert kept_rows(case(sliced_otherwise), replace(ASKED, by="carrier:4")) == (sliced_otherwise, sliced_otherwise)

    def test_the_trivial_model_needs_the_challengers_rows_only(self):
        mine = evaluation({8: {}}, **ROWS)
        assert kept_rows(case(mine), Question(metric="roc_auc", baseline="trivial")) == (mine, mine)
        assert "rows of v8, and without" in kept_rows(case(), Question(metric="roc_auc", baseline="trivial"))
