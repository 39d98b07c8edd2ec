"""Who may run the code that an artifact brings along, and who may not."""

import pytest

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import ConfigurationError, UntrustedArtifactError


@pytest.mark.parametrize(("rule", "is_own"), [("all", True), ("all", False), ("own", True)])
def test_code_runs_where_somebody_vouches_for_it(rule, is_own):
    Trust(rule=rule, is_own=is_own).check_code("the pickle file model.pkl")


@pytest.mark.parametrize(
    ("rule", "is_own", "why"), [("none", True, "is 'none'"), ("none", False, "is 'none'"), ("own", False, "did not register")]
)
def test_code_is_refused_with_the_reason_and_the_ways_out(rule, is_own, why):
    with pytest.raises(UntrustedArtifactError, match=why) as caught:
        Trust(rule=rule, is_own=is_own).check_code("the pickle file model.pkl")
    assert "the pickle file model.pkl" in str(caught.value)
    assert "skops" in str(caught.value)


def test_own_is_what_holds_where_nobody_said_anything():
    with pytest.raises(UntrustedArtifactError):
        Trust().check_code("a file")


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigurationError, match=r"'some'.*none.*own.*all"):
        Trust(rule="some")


def test_types_are_a_list_and_never_the_letters_of_a_text():
    with pytest.raises(ConfigurationError, match="must be a list"):
        Trust(trusted_types="sklearn.Tree")
    assert Trust(trusted_types=["a.B"]).trusted_types == ("a.B",)
