from __future__ import annotations

import pandas as pd
import pytest

from airflow_registry.errors import InvalidInputError
from airflow_registry.testing.flights import FEATURES, KEYS, MONTHS, TARGET, Flights


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    return Flights.load(tmp_path_factory.mktemp("flights"))


def test_every_flight_is_scheduled_and_those_without_arrival_are_counted_and_not_learnt_from(flights):
    delivered = [(flights.schedule(month), flights.fly(month)) for month in MONTHS]
    assert sum(flown.flights for _, flown in delivered) == 336_776
    assert sum(flown.without_arrival for _, flown in delivered) == 9_430
    assert len(pd.read_parquet(flights.folder / "scheduled")) == 336_776
    assert len(pd.read_parquet(flights.folder / "flown")) == 336_776 - 9_430


def test_what_is_known_only_after_departure_stays_out(flights):
    flights.schedule("2013-02")
    flights.fly("2013-02")
    scheduled = pd.read_parquet(flights.folder / "scheduled" / "month=2013-02" / "flights.parquet")
    flown = pd.read_parquet(flights.folder / "flown" / "month=2013-02" / "flights.parquet")
    assert tuple(scheduled.columns) == (*KEYS, *FEATURES)
    assert tuple(flown.columns) == (*FEATURES, TARGET)
    assert not {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} & {*scheduled.columns, *flown.columns}
    assert set(flown[TARGET]) == {0, 1}


def test_late_means_more_than_fifteen_minutes(flights):
    found = flights.fly("2013-06")
    month = flights.frame[flights.frame["month"] == 6]
    late = (month["arr_delay"] >= 16).sum() / month["arr_delay"].notna().sum()
    assert found.late_share == pytest.approx(late)


def test_a_reader_never_sees_a_month_that_is_half_written(flights):
    flights.fly("2013-03")
    assert [file.name for file in (flights.folder / "flown" / "month=2013-03").iterdir()] == ["flights.parquet"]


def test_there_are_no_flights_of_another_year(flights):
    with pytest.raises(InvalidInputError, match="2014-01.*2013-01 to 2013-12"):
        flights.fly("2014-01")
