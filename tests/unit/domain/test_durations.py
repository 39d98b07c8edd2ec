"""Lengths of time as people write them."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.durations import checked_duration, parse_duration, print_duration
from airflow_registry.errors import InvalidPolicyError


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "duration"),
        [
            ("90s", timedelta(seconds=90)),
            ("30m", timedelta(minutes=30)),
            ("12h", timedelta(hours=12)),
            (" 3 d", timedelta(days=3)),
            ("2w", timedelta(weeks=2)),
        ],
    )
    def test_units(self, text, duration):
        assert parse_duration(text) == duration

    @pytest.mark.parametrize("text", ["", "7", "d", "7 days", "1.5h", "7D", "1d12h", "3651d", "999999999w", "9999999999d"])
    def test_anything_else_is_refused(self, text):
        with pytest.raises(InvalidPolicyError, match="units w, d, h, m or s"):
            parse_duration(text)

    @given(st.integers(0, 3650 * 86400))
    def test_what_it_prints_reads_back(self, seconds):
        assert parse_duration(print_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)

    @pytest.mark.parametrize("duration", [timedelta(seconds=1), timedelta(days=3650), "3d"])
    def test_a_length_of_time_is_taken_from_python_and_from_text(self, duration):
        assert checked_duration(duration) == (timedelta(days=3) if duration == "3d" else duration)

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (7, "expected a duration such as 12h or 7d; found 7."),
            (None, "expected a duration such as 12h or 7d; found None."),
            (timedelta(0), "expected whole seconds, from 1s to 3650d; found 0:00:00."),
            (timedelta(seconds=-1), "from 1s to 3650d"),
            (timedelta(days=3651), "from 1s to 3650d"),
            (timedelta(seconds=0.5), "expected whole seconds"),
            ("0s", "from 1s to 3650d"),
        ],
    )
    def test_what_is_no_length_of_time_is_refused(self, value, said):
        with pytest.raises(InvalidPolicyError, match=re.escape(said)):
            checked_duration(value)
