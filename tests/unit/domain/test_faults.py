"""Faults are collected with their paths, and told at once."""

import pytest

from airflow_registry.domain.faults import Faults, closest, finite, hint
from airflow_registry.errors import InvalidInputError, InvalidPolicyError


def refusing(error):
    def make():
        raise error

    return make


class TestFaults:
    def test_without_faults_nothing_is_refused(self):
        faults = Faults()
        assert faults.attempt("x", lambda: 3) == 3
        faults.choice("x", "a", ["a", "b"])
        faults.refuse("p.yaml")
        assert faults.found == []

    def test_faults_of_a_part_are_put_below_its_path(self):
        faults = Faults()
        assert faults.attempt("rules[1]", refusing(InvalidPolicyError.with_faults("x", ["at_least: a", "at_most: b"]))) is None
        faults.attempt("", refusing(InvalidPolicyError.with_faults("x", ["model: c"])))
        faults.attempt("margin", refusing(InvalidPolicyError("d")))
        faults.attempt("name", refusing(InvalidInputError("e")))
        assert faults.found == ["rules[1].at_least: a", "rules[1].at_most: b", "model: c", "margin: d", "name: e"]
        with pytest.raises(InvalidPolicyError) as caught:
            faults.refuse("p.yaml")
        assert caught.value.faults == tuple(faults.found)

    def test_a_fault_of_the_program_is_not_taken_for_one_of_the_input(self):
        with pytest.raises(ZeroDivisionError):
            Faults().attempt("x", lambda: 1 // 0)

    @pytest.mark.parametrize("value", ["c", None, 3, ["a"]])
    def test_a_choice_names_what_is_allowed(self, value):
        faults = Faults()
        faults.choice("x", value, ["a", "b"])
        assert faults.found == [f"x: this release does not know {value!r} here; expected a or b."]


def test_a_misspelt_word_is_recognized_and_a_strange_one_is_not():
    assert closest("At_Lest", ["at_least", "at_most"]) == "at_least"
    assert hint("confidence", ["at_least", "at_most"]) == ""
    assert hint("at_moost", ["at_least", "at_most"]) == " Did you mean 'at_most'?"


def test_text_that_looks_like_a_number_is_no_number():
    with pytest.raises(InvalidPolicyError, match=r"expected a number; found '0\.5'"):
        finite("0.5")
