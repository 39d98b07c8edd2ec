"""Bins: what they are called, what they refuse, and that they are read as they were written."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.drift.bins import Bins, Feature, Profile, Reference
from airflow_registry.errors import InvalidInputError

NUMBER = Bins(edges=(1, 2.5))
CLASS = Bins(categories=("AA", "UA"))

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=9, unique=True).map(
    lambda found: Bins(edges=tuple(sorted(found)))
)
categories = st.lists(st.text(max_size=5), max_size=5, unique=True).map(lambda found: Bins(categories=tuple(found)))


@st.composite
def features(draw):
    bins = draw(numbers | categories)
    counts = st.lists(st.integers(0, 10**9), min_size=bins.size, max_size=bins.size)
    return Feature(bins=bins, counts=tuple(draw(counts)))


profiles = st.dictionaries(st.text(max_size=5), features(), max_size=4).map(lambda found: Profile(features=found))
references = st.builds(Reference, inputs=profiles, predictions=profiles, rows=st.integers(0), sampled=st.integers(0))


@given(references)
def test_a_reference_is_read_as_it_was_written(reference):
    again = Reference.from_json(json.loads(json.dumps(reference.to_json())))
    assert again == reference
    assert again.inputs.digest == reference.inputs.digest


@pytest.mark.parametrize(
    ("bins", "labels"),
    [
        (NUMBER, ["below 1", "1 to 2.5", "2.5 and above", "missing"]),
        (Bins(edges=()), ["any number", "missing"]),
        (CLASS, ["'AA'", "'UA'", "other", "missing"]),
    ],
)
def test_every_bin_has_a_label(bins, labels):
    assert [bins.label(index) for index in range(bins.size)] == labels


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "both or neither"),
        ({"edges": (1,), "categories": ("a",)}, "both or neither"),
        ({"edges": (1, 1)}, "must ascend"),
        ({"edges": (2, 1)}, "must ascend"),
        ({"edges": (1, float("nan"))}, "must ascend"),
        ({"categories": ("a", "a")}, "one bin"),
    ],
)
def test_bins_that_mean_nothing_are_refused(arguments, says):
    with pytest.raises(InvalidInputError, match=says):
        Bins(**arguments)


def test_there_is_one_count_for_each_bin():
    with pytest.raises(InvalidInputError, match="4 bins needs as many counts; found 3"):
        Feature(bins=NUMBER, counts=(1, 2, 3))


def test_the_digest_is_of_the_bins_and_not_of_the_counts():
    one = Profile(features={"a": Feature(bins=NUMBER, counts=(1, 2, 3, 4))})
    other_counts = Profile(features={"a": Feature(bins=NUMBER, counts=(4, 3, 2, 1))})
    other_bins = Profile(features={"a": Feature(bins=CLASS, counts=(1, 2, 3, 4))})
    other_name = Profile(features={"b": Feature(bins=NUMBER, counts=(1, 2, 3, 4))})
    assert one.digest == other_counts.digest
    assert len({one.digest, other_bins.digest, other_name.digest}) == 3


def test_a_profile_of_nothing_is_not_counted():
    profile = Profile(features={"a": Feature(bins=NUMBER, counts=(1, 2, 3, 4))})
    assert Reference().profiles == ()
    assert Reference(predictions=profile).profiles == (profile,)
    assert replace(Reference(predictions=profile), inputs=profile).profiles == (profile, profile)
    assert profile.features["a"].rows == 10


def test_a_reference_of_a_later_release_is_refused():
    with pytest.raises(InvalidInputError, match="drift reference has schema 2"):
        Reference.from_json({**Reference().to_json(), "schema": 2})
