"""The sample: never too large, the same however rows are cut into batches, spread over the whole partition, and not in step with it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.scoring.stride import RUN, Stride


def sample(rows, cuts=(), *, most=1000, seed=1, is_known=True):
    """The row numbers that are picked."""
    stride = Stride(seed=seed, rows=rows if is_known else None, most=most)
    ends = [0, *sorted(cuts), rows]
    kept = np.array([], dtype=int)
    for start, stop in pairwise(ends):
        picks = stride.picks(stop - start) if stop > start else np.array([], dtype=int)
        kept = np.concatenate([kept, start + (np.arange(stop - start) if picks is None else picks)])
        while (stay := stride.thinned()) is not None:
            kept = kept[stay]
    assert (stride.seen, stride.kept) == (rows, len(kept))
    return kept


@given(st.integers(1, 20_000), st.lists(st.integers(0, 20_000), max_size=5), st.booleans(), st.integers(0, 2**64))
def test_it_is_never_too_large_and_each_row_is_in_it_once(rows, cuts, is_known, seed):
    found = sample(rows, [min(cut, rows) for cut in cuts], is_known=is_known, seed=seed)
    assert len(found) <= 1000
    assert len(set(found)) == len(found)
    assert all(0 <= row < rows for row in found)


@given(st.integers(1, 20_000), st.lists(st.integers(0, 20_000), max_size=5))
def test_it_does_not_depend_on_how_the_rows_are_cut_into_batches(rows, cuts):
    np.testing.assert_array_equal(sample(rows, [min(cut, rows) for cut in cuts]), sample(rows))


@pytest.mark.parametrize("is_known", [True, False])
def test_few_rows_are_all_in_it(is_known):
    np.testing.assert_array_equal(sample(1000, [300], is_known=is_known), np.arange(1000))


@pytest.mark.parametrize("is_known", [True, False])
def test_it_is_spread_over_the_whole_partition(is_known):
    found = sample(1_000_000, range(0, 1_000_000, 65_536), most=50_000, is_known=is_known)
    assert 20_000 < len(found) <= 50_000
    per_tenth = np.bincount(found // 100_000, minlength=10)
    assert per_tenth.min() > 0.9 * per_tenth.max()


@pytest.mark.parametrize("period", [RUN * 2, RUN * 4, RUN * 32])
def test_a_file_that_repeats_itself_is_not_seen_at_one_place_of_its_period(period):
    found = sample(1_000_000, most=50_000)
    seen = np.bincount(found % period // RUN, minlength=period // RUN)
    assert seen.min() > 0.2 * seen.mean()


def test_the_same_input_gives_the_same_sample_and_another_one_another():
    np.testing.assert_array_equal(sample(20_000, seed=5), sample(20_000, seed=5))
    assert set(sample(20_000, seed=5)) != set(sample(20_000, seed=6))
