"""Times are aware and in UTC."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.clock import utc
from airflow_registry.errors import InvalidInputError

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


class Nowhere(tzinfo):
    """A time zone that knows no offset."""

    def utcoffset(self, moment):
        return None

    def dst(self, moment):
        return None

    def tzname(self, moment):
        return None


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES))  # noqa: DTZ001  the zone is drawn
def test_it_is_the_same_moment_in_utc(moment):
    assert utc(moment) == moment
    assert utc(moment).tzinfo is UTC


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=Nowhere()), "2026-01-01", None, 0])  # noqa: DTZ001
def test_a_time_without_an_offset_is_refused(moment):
    with pytest.raises(InvalidInputError, match="has no time zone"):
        utc(moment)


def test_a_time_that_falls_out_of_the_calendar_is_refused():
    with pytest.raises(InvalidInputError, match="outside the years 1 to 9999"):
        utc(datetime.min.replace(tzinfo=timezone(timedelta(hours=1))))
