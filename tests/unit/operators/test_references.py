"""What `version=` may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.errors import InvalidInputError, InvalidNameError, ModelNotFoundError, VersionNotFoundError
from airflow_registry.operators.references import check_version, find_version, version_ref

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
NUMBERS = st.integers(min_value=1, max_value=10**17)


@given(NAMES, NUMBERS)
def test_every_way_to_write_a_version_means_the_same(model, number):
    ref = f"{model}:{number}"
    assert version_ref(ref) == ref
    assert version_ref({"ref": ref, "remote_path": "/x"}) == ref
    assert version_ref({"model": model, "version": number}) == ref
    assert version_ref(number, model=model) == version_ref(f"v{number}", model=model) == version_ref(ref, model=model) == ref


def test_stages_and_latest_are_written_out():
    assert version_ref("lead@Production") == "lead@production"
    assert version_ref("lead@latest") == version_ref("latest", model="lead") == "lead@latest"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "upstream task pushed nothing"),
        ("", "upstream task pushed nothing"),
        ("None", "upstream task pushed nothing"),
        ("latest", "does not say of which model"),
        (3, "does not say of which model"),
        (True, "does not say of which model"),
        ([1], "does not say of which model"),
        ("lead", "does not say of which model"),
        ("lead:0", "not a version"),
        ("lead@newest", "not a stage"),
        ({}, "its keys are"),
        ({"model": "lead"}, "its keys are"),
        ({"version": 3}, "its keys are"),
        ("{'model': 'lead', 'version': 3}", r"take its \['ref'\]"),
        ("{{ ti.xcom_pull('train')['ref'] }}", "template that was not rendered"),
    ],
)
def test_what_names_no_version_is_refused_with_the_reason(value, message):
    with pytest.raises(InvalidInputError, match=message):
        version_ref(value)


def test_a_name_that_is_not_allowed_is_refused():
    with pytest.raises(InvalidNameError):
        version_ref("../lead:3")


def test_a_version_of_another_model_is_refused_regardless_of_case():
    assert version_ref("Lead:3", model="lead") == "Lead:3"
    with pytest.raises(InvalidInputError, match="make them agree"):
        version_ref({"ref": "churn:3"}, model="lead")


def test_while_parsing_only_plain_values_are_judged():
    check_version("{{ whatever }}")
    check_version(3, model="{{ whichever }}")
    check_version(object())
    with pytest.raises(InvalidInputError):
        check_version(None)
    with pytest.raises(InvalidInputError):
        check_version("lead")


def test_the_version_is_read_from_the_registry(registry, register):
    first, second = register(), register()
    assert find_version(registry, first).number == 1
    assert find_version(registry, second.to_json()).ref == "lead:2"
    assert find_version(registry, "lead@latest").number == 2
    registry.promote("lead", 1, reason="test")
    assert find_version(registry, "lead@production").number == 1


def test_a_version_or_model_that_is_not_there_is_said_so(registry, register):
    register()
    with pytest.raises(VersionNotFoundError):
        find_version(registry, "lead:9")
    for ref in ("churn:1", "churn@latest"):
        with pytest.raises(ModelNotFoundError):
            find_version(registry, ref)
