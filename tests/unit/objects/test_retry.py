from __future__ import annotations

import threading
import time

import pytest

from airflow_registry.objects.options import StorageOptions
from airflow_registry.objects.retry import PROGRESS, Backoff, Fault, Stopped, persist


class Flaky:
    """Fails as often as it was told, then answers."""

    def __init__(self, failures):
        self.failures = failures
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise ValueError(self.calls)
        return "done"


def backoff(attempts=4, **options):
    return Backoff(attempts=attempts, first_delay_s=0.0, **options)


def passing(error):
    return Fault(error=RuntimeError(f"gave up: {error}"), attempts=None)


def test_what_passes_is_waited_for():
    call = Flaky(3)
    assert persist(call, explain=passing, backoff=backoff()) == "done"
    assert call.calls == 4


def test_the_last_error_is_what_callers_see_with_its_cause():
    call = Flaky(9)
    with pytest.raises(RuntimeError, match="gave up: 4") as caught:
        persist(call, explain=passing, backoff=backoff())
    assert call.calls == 4
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(("worth", "calls"), [(1, 1), (2, 2), (99, 4)])
def test_an_error_is_tried_as_often_as_it_is_worth_it_and_never_more_often_than_allowed(worth, calls):
    call = Flaky(9)
    with pytest.raises(RuntimeError):
        persist(call, explain=lambda error: Fault(error=RuntimeError(), attempts=worth), backoff=backoff())
    assert call.calls == calls


def test_who_makes_progress_is_not_given_up():
    call = Flaky(9)
    assert persist(call, explain=passing, backoff=backoff(2), done=lambda: call.calls * PROGRESS) == "done"


def test_progress_byte_by_byte_is_none():
    call = Flaky(9)
    with pytest.raises(RuntimeError):
        persist(call, explain=passing, backoff=backoff(2), done=lambda: call.calls)
    assert call.calls == 2


def test_an_interruption_is_no_failure():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        persist(interrupted, explain=passing, backoff=backoff())


def test_delays_double_with_jitter_up_to_a_limit():
    waits = Backoff(attempts=9, first_delay_s=1.0)
    for failures, expected in ((1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (20, 30)):
        delays = {waits.delay_s(failures) for _ in range(50)}
        assert len(delays) > 1
        assert all(0.8 * expected <= delay <= 1.2 * expected for delay in delays)


def test_by_default_a_store_may_be_busy_for_a_minute():
    options = StorageOptions()
    waits = Backoff(attempts=options.attempts, first_delay_s=options.first_delay_s)
    assert sum(waits.delay_s(failures) for failures in range(1, options.attempts)) > 60


def test_work_that_was_given_up_ends_its_waiting_at_once():
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        persist(Flaky(9), explain=passing, backoff=Backoff(attempts=9, first_delay_s=30, stop=stop))
    assert time.monotonic() - begun < 10
    timer.join()


def test_work_that_was_given_up_begins_no_request():
    stop = threading.Event()
    stop.set()
    call = Flaky(0)
    with pytest.raises(Stopped):
        persist(call, explain=passing, backoff=backoff(stop=stop))
    assert call.calls == 0
