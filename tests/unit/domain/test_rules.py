"""Rules are checked when they are made."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.rules import REQUIRABLE, Anchor, Comparison, Margin, Require, Threshold
from airflow_registry.errors import InvalidPolicyError

NOT_FINITE = [math.nan, math.inf, -math.inf, 10**400, Decimal("sNaN"), Decimal("Infinity")]
NOT_NUMBERS = [True, None, "0.5", [0.5], 1j]


class TestMargin:
    @pytest.mark.parametrize(
        ("given", "amount", "is_percent", "shown"),
        [
            (0.005, 0.005, False, "0.005"),
            ("0.005", 0.005, False, "0.005"),
            (0, 0.0, False, "0"),
            ("1%", 1.0, True, "1%"),
            (" 0.5 % ", 0.5, True, "0.5%"),
            ("1e-3", 0.001, False, "0.001"),
            (Decimal("0.1"), 0.1, False, "0.1"),
            (Fraction(1, 2), 0.5, False, "0.5"),
            (-0.0, 0.0, False, "0"),
            (Margin(2, is_percent=True), 2.0, True, "2%"),
        ],
    )
    def test_it_reads_numbers_and_percents_and_prints_them_back(self, given, amount, is_percent, shown):
        margin = Margin.parse(given)
        assert (margin.amount, margin.is_percent, str(margin)) == (amount, is_percent, shown)
        assert math.copysign(1, margin.amount) == 1

    @pytest.mark.parametrize(
        "value", [*NOT_FINITE, True, None, [1], "", "%", "one", "1%%", "nan", "inf%", "\u0661%", "-1%", -0.1, "5 points"]
    )
    def test_anything_else_is_refused(self, value):
        with pytest.raises(InvalidPolicyError):
            Margin.parse(value)

    def test_a_negative_margin_says_which_key_was_meant(self):
        with pytest.raises(InvalidPolicyError, match=r"not negative; found -1%\. .*no_worse_than.*improve_by"):
            Margin.parse("-1%")

    @given(st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.booleans())
    def test_what_it_prints_and_what_it_writes_reads_back(self, amount, is_percent):
        margin = Margin(amount, is_percent=is_percent)
        assert Margin.parse(str(margin)) == margin
        assert Margin.parse(margin.to_plain()) == margin


class TestThreshold:
    def test_it_says_what_it_needs(self):
        assert str(Threshold("auc", at_least=0.55, at_most=1)) == "auc at least 0.55 and at most 1.0"
        assert str(Threshold("mae", at_most=3)) == "mae at most 3.0"

    def test_whole_numbers_and_floats_make_the_same_rule(self):
        assert Threshold("auc", at_least=1).to_mapping() == {"metric": "auc", "at_least": 1.0}
        assert repr(Threshold("auc", at_least=-0.0)) == repr(Threshold("auc", at_least=0))

    @pytest.mark.parametrize("key", ["at_least", "at_most"])
    @pytest.mark.parametrize("value", [*NOT_FINITE, *[value for value in NOT_NUMBERS if value is not None]])
    def test_a_bound_is_a_finite_number(self, key, value):
        with pytest.raises(InvalidPolicyError) as caught:
            Threshold("auc", **{key: value})
        [fault] = caught.value.faults
        assert fault.startswith(f"{key}: expected a ")

    def test_bounds_that_no_value_satisfies_are_refused(self):
        with pytest.raises(InvalidPolicyError, match=r"at_least: 0\.9 is above at_most 0\.8"):
            Threshold("auc", at_least=0.9, at_most=0.8)

    def test_a_rule_without_bounds_is_refused(self):
        with pytest.raises(InvalidPolicyError, match="at_least: missing"):
            Threshold("auc")

    def test_all_faults_are_named_at_once(self):
        with pytest.raises(InvalidPolicyError) as caught:
            Threshold(" ", at_least="x", at_most=math.nan)
        assert [fault.partition(":")[0] for fault in caught.value.faults] == ["metric", "at_least", "at_most"]


class TestComparison:
    @pytest.mark.parametrize(
        ("rule", "shown", "written"),
        [
            (
                Comparison("auc", no_worse_than=0.005),
                "auc at most 0.005 worse than the champion",
                {"metric": "auc", "against": "champion", "no_worse_than": 0.005},
            ),
            (
                Comparison("cost", improve_by="1%", goal="minimize", data="any"),
                "cost more than 1% better than the champion",
                {"metric": "cost", "against": "champion", "improve_by": "1%", "goal": "minimize", "data": "any"},
            ),
        ],
    )
    def test_it_prints_and_writes_itself(self, rule, shown, written):
        assert str(rule) == shown
        assert rule.to_mapping() == written

    def test_the_margin_is_the_one_that_was_given(self):
        assert Comparison("auc", no_worse_than=0).margin == Margin(0)
        assert Comparison("auc", improve_by="2%").margin == Margin(2, is_percent=True)

    @pytest.mark.parametrize(
        ("name", "goal", "direction"),
        [("auc", None, "maximize"), ("RMSE", None, "minimize"), ("cost", "minimize", "minimize"), ("cost", None, None)],
    )
    def test_the_direction_is_known_or_given(self, name, goal, direction):
        assert Comparison(name, improve_by=0, goal=goal).direction == direction

    def test_a_goal_that_agrees_with_what_is_known_is_fine(self):
        assert Comparison("auc", improve_by=0, goal="maximize").direction == "maximize"

    @pytest.mark.parametrize(
        ("arguments", "path"),
        [
            ({}, "no_worse_than"),
            ({"no_worse_than": 0, "improve_by": 0}, "no_worse_than"),
            ({"no_worse_than": -0.1}, "no_worse_than"),
            ({"improve_by": "1 percent"}, "improve_by"),
            ({"improve_by": 0, "against": "ancor"}, "against"),
            ({"improve_by": 0, "against": "anchor"}, "version"),
            ({"improve_by": 0, "against": "anchor", "version": 3, "promotions_ago": 2}, "version"),
            ({"improve_by": 0, "against": "anchor", "version": 0}, "version"),
            ({"improve_by": 0, "against": "anchor", "version": "latest"}, "version"),
            ({"improve_by": 0, "against": "anchor", "version": True}, "version"),
            ({"improve_by": 0, "against": "anchor", "promotions_ago": 0}, "promotions_ago"),
            ({"improve_by": 0, "against": "anchor", "promotions_ago": 1.0}, "promotions_ago"),
            ({"improve_by": 0, "version": 3}, "version"),
            ({"improve_by": 0, "against": "trivial", "promotions_ago": 3}, "promotions_ago"),
            ({"improve_by": 0, "against": "ancor", "version": 3}, "against"),
            ({"improve_by": 0, "confidence": 0.5}, "confidence"),
            ({"improve_by": 0, "confidence": 1}, "confidence"),
            ({"improve_by": 0, "confidence": 95}, "confidence"),
            ({"improve_by": 0, "confidence": "95%"}, "confidence"),
            ({"improve_by": 0, "confidence": math.nan}, "confidence"),
            ({"improve_by": 0, "confidence": 0.95, "data": "any"}, "data"),
            ({"improve_by": 0, "confidence": 0.95, "metric": "f1"}, "confidence"),
            ({"improve_by": 0, "confidence": 0.95, "metric": None}, "metric"),
            ({"improve_by": 0, "against": ["champion"]}, "against"),
            ({"improve_by": 0, "data": "other"}, "data"),
            ({"improve_by": 0, "goal": "up"}, "goal"),
            ({"improve_by": 0, "goal": "minimize"}, "goal"),
            ({"improve_by": 0, "metric": None}, "metric"),
            ({"improve_by": 0, "metric": 3, "goal": "minimize"}, "metric"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_with_its_path(self, arguments, path):
        with pytest.raises(InvalidPolicyError) as caught:
            Comparison(**{"metric": "auc", **arguments})
        assert [fault.partition(":")[0] for fault in caught.value.faults] == [path]

    def test_a_metric_without_a_test_is_told_those_that_have_one(self):
        with pytest.raises(
            InvalidPolicyError, match=r"there is no test for 'rocauc'; there is one for accuracy, .*Did you mean 'roc_auc'\?"
        ):
            Comparison("rocauc", improve_by=0, confidence=0.95)

    def test_two_ways_to_name_an_anchor_are_one_too_many(self):
        with pytest.raises(InvalidPolicyError, match="needs either version or promotions_ago, and not both"):
            Comparison("auc", improve_by=0, against="anchor", version=1, promotions_ago=1)

    def test_an_anchor_without_the_word_is_told_where_it_belongs(self):
        with pytest.raises(InvalidPolicyError, match=r"version: names an anchor, .* with the champion\. Write against: anchor"):
            Comparison("auc", improve_by=0, version=1)

    @pytest.mark.parametrize(
        ("arguments", "anchor", "shown"),
        [
            ({}, None, "the champion"),
            ({"against": "trivial"}, None, "the best trivial model"),
            ({"against": "anchor", "version": "v12"}, Anchor(version=12), "anchor v12"),
            ({"against": "anchor", "promotions_ago": 4}, Anchor(promotions_ago=4), "the champion 4 promotions ago"),
        ],
    )
    def test_it_says_what_it_compares_with(self, arguments, anchor, shown):
        rule = Comparison("auc", improve_by=0, confidence=0.95, min_rows=9, **arguments)
        assert rule.anchor == anchor
        assert str(rule) == f"auc more than 0 better than {shown}, confidence 0.95, min_rows 9"

    def test_percent_and_confidence_go_together(self):
        rule = Comparison("log_loss", no_worse_than="1%", confidence=0.95)
        written = {"metric": "log_loss", "against": "champion", "no_worse_than": "1%", "confidence": 0.95}
        assert rule.to_mapping() == written

    def test_a_goal_against_what_is_known_says_what_is_known(self):
        with pytest.raises(InvalidPolicyError, match="'minimize' contradicts what is known of 'auc': its goal is to maximize"):
            Comparison("auc", improve_by=0, goal="minimize")


class TestRequire:
    def test_it_prints_and_writes_itself(self):
        rule = Require(["git_commit", "tags"])
        assert rule == Require(("git_commit", "tags"))
        assert str(rule) == "require git_commit, tags"
        assert rule.to_mapping() == {"require": ["git_commit", "tags"]}

    @pytest.mark.parametrize("fields", [(), "git_commit", None, {"git_commit"}, 3])
    def test_it_wants_a_list(self, fields):
        with pytest.raises(InvalidPolicyError, match="require: expected a list of fields"):
            Require(fields)

    def test_a_misspelt_field_is_recognized_and_all_are_named(self):
        with pytest.raises(InvalidPolicyError) as caught:
            Require(("git_comit", "tags", "moon_phase", 7))
        first, *others = caught.value.faults
        assert first.endswith("Did you mean 'git_commit'?")
        assert len(others) == 2
        assert all(name in others[0] for name in REQUIRABLE)
