"""How many rows may be set aside."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.quarantine import allowed, check_share
from airflow_registry.errors import InvalidInputError

counts = st.integers(0, 10**12)
shares = st.floats(0, 1)


@given(counts, shares)
def test_never_more_than_there_are_and_never_more_than_the_share_but_for_one_stray_row(rows, share):
    found = allowed(rows, share)
    assert 0 <= found <= rows
    assert found <= max(rows * share + 1e-6 * rows + 1, 1)
    assert allowed(rows, 0.0) == 0
    assert allowed(rows, 1.0) == rows


@given(counts, shares)
def test_a_partition_of_bad_rows_only_is_refused_whatever_its_size_unless_all_may_be_bad(rows, share):
    assert rows == 0 or share > 0.999 or allowed(rows, share) < rows


@given(counts, counts, shares)
def test_a_larger_partition_is_never_allowed_fewer(one, other, share):
    assert allowed(min(one, other), share) <= allowed(max(one, other), share)


@pytest.mark.parametrize(
    ("rows", "share", "expected"), [(100, 0.29, 29), (199, 0.01, 1), (200, 0.01, 2), (2, 0.01, 1), (1, 0.5, 0), (0, 0.5, 0)]
)
def test_the_share_is_rounded_down_and_one_row_of_several_may_always_go(rows, share, expected):
    assert allowed(rows, share) == expected


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, "1%", True, None])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(InvalidInputError, match="from 0 to 1"):
        check_share(share)


@pytest.mark.parametrize("share", [0, 1, 0.5])
def test_a_share_is_taken(share):
    check_share(share)
