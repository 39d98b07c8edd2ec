"""One real Airflow for all end-to-end tests: starting it takes longer than what they do with it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from airflow_registry.testing.flight_loop import FlightLoop
from airflow_registry.testing.flights import Flights
from airflow_registry.testing.standalone import Standalone

DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture(scope="session")
def loop(tmp_path_factory):
    """`dags/` unchanged under `airflow standalone`, which must also stop where the shell ignores SIGINT, as CI runners do."""
    folder = tmp_path_factory.mktemp("loop")
    flights = Flights.load(folder / "flights")
    env = {"FLIGHTS_DATA": str(flights.folder), "OMP_NUM_THREADS": "1"}
    airflow = Standalone(dags=DAGS, home=folder / "airflow", env=env, progress=print)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with airflow:
            signal.signal(signal.SIGINT, before)
            yield FlightLoop(airflow=airflow, flights=flights, progress=print)
    finally:
        signal.signal(signal.SIGINT, before)
    assert airflow.processes() == []
