"""The generator gives the same numbers for ever, and they look like chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_registry.domain.stats.draws import below_power_of_two, seed_of, words

MASK = (1 << 64) - 1
GOLDEN_WORDS = [816363384554698877, 8863416888754633005, 17672388561700975542, 7524756872214379900]
GOLDEN_CHOICES = [2951, 1152, 1250, 181, 3986, 742, 747, 1968, 3899]
GOLDEN_SEED = 1160176691196333735


def splitmix64(state):
    """The published algorithm, one number at a time in whole numbers of Python."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def finalised(number):
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


def test_the_reference_above_is_the_published_one():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    generator = splitmix64(1234567)
    assert [next(generator) for _ in range(5)] == published


@given(seed=st.integers(-5, 1 << 70), stream=st.integers(0, 100))
def test_words_are_splitmix64_from_a_state_that_seed_and_stream_give(seed, stream):
    state = finalised((finalised(seed & MASK) ^ (stream * 0x9E3779B97F4A7C15)) & MASK)
    generator = splitmix64(state)
    assert words(seed, stream, 0, 5).tolist() == [next(generator) for _ in range(5)]


def test_words_never_change():
    assert words(42, 1, 0, 4).tolist() == GOLDEN_WORDS
    assert below_power_of_two(12, 42, 1, 0, 9).tolist() == GOLDEN_CHOICES
    assert seed_of("sha256:aa", "sha256:bb") == GOLDEN_SEED


@given(start=st.integers(0, 1 << 40), count=st.integers(0, 20), skipped=st.integers(0, 20))
def test_a_word_depends_on_its_number_alone(start, count, skipped):
    together = words(7, 3, start, skipped + count)
    assert together[skipped:].tolist() == words(7, 3, start + skipped, count).tolist()


@given(bits=st.integers(1, 16), start=st.integers(0, 10), count=st.integers(0, 40))
def test_choices_depend_on_their_number_alone_and_stay_below_the_bound(bits, start, count):
    choices = below_power_of_two(bits, 9, 2, 4 * start, count)
    assert choices.tolist() == below_power_of_two(bits, 9, 2, 0, 4 * start + count)[4 * start :].tolist()
    assert all(0 <= choice < 1 << bits for choice in choices.tolist())


@pytest.mark.parametrize("bits", [1, 5, 12])
def test_choices_are_uniform_and_streams_are_independent(bits):
    first, second = (below_power_of_two(bits, 11, stream, 0, 400_000) for stream in (1, 2))
    assert stats.chisquare(np.bincount(first, minlength=1 << bits)).pvalue > 1e-4
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(400_000)
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 4 / np.sqrt(400_000)


def test_a_seed_depends_on_the_texts_and_where_they_end():
    assert len({seed_of("ab", "c"), seed_of("a", "bc"), seed_of("abc"), seed_of("c", "ab"), seed_of()}) == 5
    assert 0 <= seed_of("x") < 1 << 64
