"""Rules on slices by stored metrics: bounds, gaps and gains in each; small, missing and empty slices."""

import math

import pytest

from airflow_registry.domain.promotion import Ruling
from airflow_registry.domain.rules import Comparison, Gap, Threshold
from tests.unit.domain.gate.cases import JUNE, NO_ROWS, evaluation, judge, only_reason, sliced

FLOOR = Threshold("auc", at_least=0.5, by="carrier")
BIG = Threshold("auc", at_least=0.5, by="carrier", min_rows=200)
FAIR = Gap("auc", by="carrier", gap_at_most=0.1)
FAIR_BIG = Gap("auc", by="carrier", gap_at_most=0.1, min_rows=200)
GAIN = Comparison("auc", no_worse_than=0.02, by="carrier")


def told(rule, values, **facts):
    return only_reason(judge(rule, evaluation({8: sliced(values, **facts)})))


def compared(rule, mine, theirs, **facts):
    return only_reason(judge(rule, evaluation({8: sliced(mine), 7: sliced(theirs)}, **facts)))


class TestThreshold:
    @pytest.mark.parametrize(
        ("rule", "values", "ruling"),
        [
            (FLOOR, {"AA": 0.5, "UA": 0.9}, Ruling.PASSED),
            (FLOOR, {"AA": 0.49, "UA": 0.9}, Ruling.FAILED),
            (Threshold("auc", at_most=0.9, by="carrier"), {"AA": 0.5, "UA": 0.91}, Ruling.FAILED),
            (FLOOR, {"AA": math.nan, "UA": 0.9}, Ruling.FAILED),
            (FLOOR, {"AA": (0.9, 0)}, Ruling.FAILED),
            (FLOOR, {"AA": (0.9, 1)}, Ruling.PASSED),
            (FLOOR, {"AA": (0.9, None)}, Ruling.PASSED),
            (BIG, {"AA": (0.9, 200), "UA": (0.1, 199)}, Ruling.PASSED),
            (BIG, {"AA": (0.9, 200), "UA": (math.nan, 199)}, Ruling.PASSED),
            (BIG, {"AA": (0.9, 199)}, Ruling.INCONCLUSIVE),
            (BIG, {"AA": (0.9, None)}, Ruling.INCONCLUSIVE),
        ],
    )
    def test_it_holds_in_each_slice_that_is_large_enough(self, rule, values, ruling):
        assert told(rule, values).ruling is ruling

    def test_a_pass_tells_the_lowest_slice_and_what_was_left_out(self):
        reason = told(BIG, {"AA": (0.7, 400), "DL": (0.2, 12), "UA": (0.6, 300)})
        assert reason.text == (
            "auc of v8 is at least 0.6 in carrier=UA on 'may' (300 rows); needed at least 0.5 in each of 2 slices of carrier: satisfied. "
            "Left out, smaller than 200 rows: carrier=DL (12 rows)."
        )
        assert (reason.observed, reason.rows, reason.evaluation) == (0.6, 300, "evaluation-1")

    def test_a_no_names_every_slice_up_to_five(self):
        reason = told(FLOOR, {f"C{number}": 0.1 * number for number in range(1, 9)})
        assert "not so in carrier=C1 (0.1), carrier=C2 (0.2), carrier=C3 (0.3), carrier=C4 (0.4)." in reason.text
        many = told(Threshold("auc", at_least=2, by="carrier"), {f"C{number}": 0.1 for number in range(1, 9)})
        assert many.text.endswith("carrier=C5 (0.1) and 3 more.")

    def test_a_small_slice_may_be_left_out_but_not_one_that_the_rule_names(self):
        named = Threshold("auc", at_least=0.5, by="carrier", values=("AA", "DL"), min_rows=200)
        reason = told(named, {"AA": 0.9, "DL": (0.9, 12), "UA": 0.1})
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert reason.text == "auc of v8 by carrier cannot be judged: The rule names carrier=DL (12 rows), and needs 200 rows of each."

    def test_a_slice_that_is_missing_is_named_and_others_do_not_count(self):
        named = Threshold("auc", at_least=0.5, by="carrier", values=("AA", "XX"))
        reason = told(named, {"AA": 0.9, "UA": 0.1})
        assert (reason.ruling, "The data have no rows of carrier=XX." in reason.text) == (Ruling.INCONCLUSIVE, True)
        assert told(named, {"AA": 0.1}).ruling is Ruling.FAILED
        assert told(Threshold("auc", at_least=0.5, by="carrier", values=("AA",)), {"AA": 0.9, "UA": 0.1}).ruling is Ruling.PASSED

    def test_without_any_slice_it_says_what_is_missing(self):
        reason = only_reason(judge(FLOOR, evaluation({8: {"auc": 0.9}})))
        assert reason.ruling is Ruling.FAILED
        assert reason.text == "No evaluation of v8 holds 'auc' by carrier. Evaluate it, or record the metric, and decide again."
        assert told(Threshold("auc", at_least=0.5, by="carrier:4"), {"AA": 0.9}).ruling is Ruling.FAILED

    def test_the_newest_evaluation_with_these_slices_counts(self):
        old, new = evaluation({8: sliced({"AA": 0.1})}, sequence=1), evaluation({8: sliced({"AA": 0.9})}, sequence=2)
        later = evaluation({8: {"auc": 0.2}}, sequence=3)
        assert only_reason(judge(FLOOR, old, later, new)).passed

    @pytest.mark.parametrize(("rows", "ruling"), [(99, Ruling.INCONCLUSIVE), (None, Ruling.INCONCLUSIVE), (100, Ruling.PASSED)])
    def test_on_all_rows_fewer_than_the_rule_needs_are_inconclusive(self, rows, ruling):
        from airflow_registry.domain.metrics import metric

        known = evaluation({8: (metric("auc", 0.9, rows=rows),)}, data=None)
        assert only_reason(judge(Threshold("auc", at_least=0.5, min_rows=100), known)).ruling is ruling

    def test_nan_on_few_rows_is_a_no(self):
        from airflow_registry.domain.metrics import metric

        known = evaluation({8: (metric("auc", math.nan, rows=1),)})
        assert only_reason(judge(Threshold("auc", at_least=0.5, min_rows=100), known)).ruling is Ruling.FAILED


class TestGap:
    @pytest.mark.parametrize(
        ("rule", "values", "ruling"),
        [
            (FAIR, {"AA": 0.6, "UA": 0.7}, Ruling.PASSED),
            (FAIR, {"AA": 0.6, "UA": 0.7000001}, Ruling.FAILED),
            (FAIR, {"AA": 0.6, "DL": 0.65, "UA": 0.75}, Ruling.FAILED),
            (FAIR, {"AA": 0.6}, Ruling.INCONCLUSIVE),
            (FAIR, {"AA": 0.6, "UA": math.nan}, Ruling.FAILED),
            (FAIR_BIG, {"AA": 0.6, "UA": (0.1, 100)}, Ruling.INCONCLUSIVE),
            (FAIR_BIG, {"AA": (0.6, 1), "UA": (0.1, 100)}, Ruling.INCONCLUSIVE),
            (FAIR_BIG, {"AA": 0.6, "DL": 0.6, "UA": (0.1, 100)}, Ruling.PASSED),
            (Gap("auc", by="carrier", gap_at_most=0.1, values=("AA", "XX")), {"AA": 0.6, "UA": 0.6}, Ruling.INCONCLUSIVE),
            (Gap("auc", by="carrier", gap_at_most=0.1, values=("AA", "UA", "XX")), {"AA": 0.1, "UA": 0.6}, Ruling.FAILED),
            (Gap("auc", by="carrier", gap_at_most=0.1, values=("AA", "UA", "XX")), {"AA": 0.6, "UA": 0.6}, Ruling.INCONCLUSIVE),
        ],
    )
    def test_the_highest_and_the_lowest_slice_may_not_be_further_apart(self, rule, values, ruling):
        assert told(rule, values).ruling is ruling

    def test_the_reason_names_both_and_the_gap(self):
        reason = told(FAIR, {"AA": 0.6, "DL": 0.65, "UA": 0.75})
        assert reason.text == (
            "auc of v8 is 0.6 in carrier=AA on 'may' (500 rows) and 0.75 in carrier=UA on 'may' (500 rows): 0.15 apart, the most between "
            "3 slices of carrier; needed at most 0.1: too far apart."
        )
        assert reason.observed == 0.15

    def test_slices_that_all_say_the_same_are_named_as_two(self):
        text = told(FAIR, {"AA": 0.6, "UA": 0.6}).text
        assert "in carrier=AA" in text
        assert "in carrier=UA" in text

    def test_one_slice_has_nothing_to_differ_from(self):
        assert "Only carrier=AA is there, and a difference needs two slices." in told(FAIR, {"AA": 0.6}).text

    def test_a_gap_beyond_the_floats_is_too_far(self):
        reason = told(FAIR, {"AA": -1.7e308, "UA": 1.7e308})
        assert (reason.ruling, reason.observed) == (Ruling.FAILED, None)

    def test_without_any_slice_it_says_what_is_missing(self):
        assert "holds 'auc' by carrier" in only_reason(judge(FAIR, evaluation({8: {"auc": 0.9}}))).text


class TestGain:
    def test_it_holds_in_each_slice(self):
        reason = compared(GAIN, {"AA": 0.68, "UA": 0.9}, {"AA": 0.7, "UA": 0.7})
        assert reason.ruling is Ruling.PASSED
        assert reason.text == (
            "auc of v8 is 0.68 in carrier=AA on 'may' (500 rows), of champion v7 0.7: gain -0.02 (higher is better), needed at least -0.02 "
            "in each of 2 slices of carrier: satisfied."
        )

    def test_a_loss_in_one_slice_refuses_and_names_it(self):
        reason = compared(GAIN, {"AA": 0.67, "UA": 0.9}, {"AA": 0.7, "UA": 0.7})
        assert reason.ruling is Ruling.FAILED
        assert reason.text.endswith("in each of 2 slices of carrier: not enough in carrier=AA.")
        assert (reason.observed, reason.baseline_version, reason.rows) == (0.67, 7, 500)

    def test_a_slice_that_the_baseline_lacks_cannot_be_compared(self):
        reason = compared(GAIN, {"AA": 0.9, "UA": 0.9}, {"AA": 0.7})
        assert reason.ruling is Ruling.FAILED
        assert "No value of 'auc' of champion v7 is known in carrier=UA." in reason.text

    def test_a_slice_that_only_the_baseline_has_is_not_asked_for(self):
        assert compared(GAIN, {"AA": 0.9}, {"AA": 0.7, "UA": 0.7}).passed

    @pytest.mark.parametrize("bad", [({"AA": math.nan}, {"AA": 0.7}), ({"AA": 0.7}, {"AA": math.inf})])
    def test_what_is_no_number_refuses(self, bad):
        assert compared(GAIN, *bad).ruling is Ruling.FAILED

    def test_percent_of_zero_in_a_slice_refuses(self):
        reason = compared(Comparison("auc", no_worse_than="1%", by="carrier"), {"AA": 0.5}, {"AA": 0.0})
        assert "1% of 0 says nothing" in reason.text

    def test_small_and_missing_slices(self):
        named = Comparison("auc", no_worse_than=0.02, by="carrier", values=("AA", "XX"))
        assert compared(named, {"AA": 0.9}, {"AA": 0.7}).ruling is Ruling.INCONCLUSIVE
        assert compared(named, {"AA": 0.1}, {"AA": 0.7}).ruling is Ruling.FAILED
        small = Comparison("auc", no_worse_than=0.02, by="carrier", min_rows=501)
        assert compared(small, {"AA": 0.9}, {"AA": 0.7}).ruling is Ruling.INCONCLUSIVE

    def test_other_data_are_not_compared(self):
        mine, theirs = evaluation({8: sliced({"AA": 0.9})}, sequence=2), evaluation({7: sliced({"AA": 0.7})}, data=JUNE)
        reason = only_reason(judge(GAIN, mine, theirs))
        assert "in carrier=AA on 'may' (500 rows) and of champion v7 in carrier=AA on 'june' (500 rows) come from other data" in reason.text
        assert "holds 'auc' by carrier" in only_reason(judge(GAIN, mine)).text

    @pytest.mark.parametrize("side", [8, 7])
    def test_fewer_rows_than_the_rule_needs_are_inconclusive(self, side):
        from airflow_registry.domain.metrics import metric

        rows = {number: (metric("auc", 0.9, rows=99 if number == side else 100),) for number in (8, 7)}
        reason = only_reason(judge(Comparison("auc", no_worse_than=0.1, min_rows=100), evaluation(rows)))
        assert reason.ruling is Ruling.INCONCLUSIVE
        assert reason.text == f"auc of v{side} is 0.9 on 'may' (99 rows); the rule needs 100 rows: too few rows to tell. Use more rows."

    def test_an_unknown_number_of_rows_is_too_few_for_a_rule_that_counts(self):
        both = evaluation({8: {"auc": 0.9}, 7: {"auc": 0.8}}, data=None)
        reason = only_reason(judge(Comparison("auc", no_worse_than=0.1, min_rows=1), both))
        assert reason.text.startswith("auc of v8 is 0.9 (an unknown number of rows); the rule needs 1 row:")


class TestNewestEvaluation:
    OLD = evaluation({8: sliced({"AA": 0.7, "UA": 0.8})}, sequence=1, slices=("carrier",))

    def test_without_rows_it_counts_and_approves_nothing(self):
        empty = evaluation({8: {"auc": math.nan}}, data=NO_ROWS, sequence=2, slices=("carrier",))
        assert judge(FLOOR, self.OLD).approved
        assert not judge(FLOOR, self.OLD, empty).approved
        assert not judge(Gap("auc", by="carrier", gap_at_most=0.5), self.OLD, empty).approved

    def test_of_another_version_or_without_these_slices_it_is_no_reason_to_forget_the_older_one(self):
        others = evaluation({7: {"auc": math.nan}}, data=NO_ROWS, sequence=2, slices=("carrier",))
        unsliced = evaluation({8: {"auc": 0.9}}, sequence=3)
        other_metric = evaluation({8: sliced({"AA": 0.1}, name="brier")}, sequence=4, slices=("carrier",))
        assert judge(FLOOR, self.OLD, others, unsliced, other_metric).approved
