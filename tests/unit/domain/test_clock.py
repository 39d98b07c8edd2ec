"""Times are aware and in UTC."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.clock import ends_at, utc
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


NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
IN_A_DAY = NOW + timedelta(days=1)
ONE_HOUR_EAST = timezone(timedelta(hours=1))


@pytest.mark.parametrize("given", ["1d", "24h", timedelta(days=1), IN_A_DAY, "2026-01-06T12:00Z", " 2026-01-06T13:00+01:00 "])
def test_an_end_is_a_time_or_a_duration(given):
    assert ends_at(given, now=NOW, what="expires") == IN_A_DAY
    assert ends_at(given, now=NOW.astimezone(ONE_HOUR_EAST), what="expires").tzinfo is UTC


@pytest.mark.parametrize("given", [None, 7, "soon", "", "2026-01-06T12:00", datetime(2026, 1, 6), "9999999999d", "0001-01-01T00:00+14:00"])  # noqa: DTZ001
def test_what_is_no_time_with_a_zone_and_no_duration_ends_nothing(given):
    with pytest.raises(InvalidInputError, match=r"expires is a time with its zone .* or a duration such as 7d"):
        ends_at(given, now=NOW, what="expires")


@pytest.mark.parametrize("given", ["0s", "91d", NOW, timedelta(days=-1), "2026-01-05T11:59Z", "9999-01-01T00:00Z"])
def test_an_end_is_in_the_future_and_not_too_far(given):
    with pytest.raises(InvalidInputError, match=r"in the future, at most 90d away; found .* it is 2026-01-05 12:00 UTC"):
        ends_at(given, now=NOW, what="expires", longest=timedelta(days=90))


def test_the_furthest_end_is_allowed():
    assert ends_at("90d", now=NOW, what="expires", longest=timedelta(days=90)) == NOW + timedelta(days=90)


def test_a_length_of_time_that_leaves_the_calendar_is_refused():
    with pytest.raises(InvalidInputError, match="expires is a time"):
        ends_at(timedelta(days=3_000_000), now=NOW, what="expires")
