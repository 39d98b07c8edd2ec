"""Sketches: the merge of the counts of parts is the count of the whole, however the parts are put together."""

import json
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.drift.bins import Bins, Feature, Profile
from airflow_registry.domain.drift.sketch import Sketch, merge
from airflow_registry.errors import InvalidInputError

EDGES = (-1.0, 0.0, 3.0)
PROFILE = Profile(features={"x": Feature(bins=Bins(edges=EDGES), counts=(1, 1, 1, 1, 0))})
OTHER = Profile(features={"y": Feature(bins=Bins(edges=()), counts=(1, 0))})

values = st.lists(st.none() | st.floats(-5, 5), max_size=30)


def counted(rows, profile=PROFILE):
    """The plainest way to count; only `x` knows edges."""
    name, feature = next(iter(profile.features.items()))
    bins = [0] * feature.bins.size
    for value in rows:
        bins[-1 if value is None else bisect_right(feature.bins.edges, value)] += 1
    return Sketch(rows=len(rows), sampled=len(rows), counts={profile.digest: {name: tuple(bins)}})


@given(st.lists(values, min_size=1, max_size=5))
def test_the_merge_of_the_parts_is_the_count_of_the_whole(parts):
    assert merge(counted(part) for part in parts) == counted([value for part in parts for value in part])


@given(values, values, values)
def test_the_order_and_the_grouping_do_not_matter(one, two, three):
    a, b, c = counted(one), counted(two, OTHER), counted(three)
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Sketch() == a


@given(values)
def test_a_sketch_is_read_as_it_was_written(rows):
    sketch = counted(rows) + counted(rows, OTHER)
    assert Sketch.from_json(json.loads(json.dumps(sketch.to_json()))) == sketch


def test_counts_by_other_bins_stay_apart():
    both = counted([1.0, 2.0]) + counted([1.0], OTHER)
    assert both.of(PROFILE) == {"x": (0, 0, 2, 0, 0)}
    assert both.of(OTHER) == {"y": (1, 0)}
    assert counted([1.0]).of(OTHER) == {}


def test_a_damaged_sketch_is_not_added_up():
    damaged = Sketch(rows=1, sampled=1, counts={PROFILE.digest: {"x": (1, 0)}})
    with pytest.raises(InvalidInputError, match="damaged"):
        counted([1.0]) + damaged


def test_a_sketch_of_a_later_release_is_refused():
    with pytest.raises(InvalidInputError, match="drift sketch has schema None"):
        Sketch.from_json({})
