"""Trying again: which errors are worth it, how often, and how long to wait in between."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "Fault", "Stopped", "persist"]

T = TypeVar("T")
LONGEST_DELAY_S = 30.0
JITTER = 0.2  # of the delay, up and down: many workers that were refused together shall not come back together
PROGRESS = 256 * 1024  # bytes that make a new attempt a first one


class Stopped(Exception):  # noqa: N818  not an error: somebody else has failed, and this piece of work is no longer wanted
    """The work that this attempt was a part of has been given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What an error of a store's library means.

    Attributes:
        error: What callers shall see.
        attempts: How often it is worth trying in all; None for as often as the options say.
    """

    error: Exception
    attempts: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential delays with jitter.

    Attributes:
        attempts: How often in all (>= 1).
        first_delay_s: The first delay in seconds, about.
        stop: Ends every delay when it is set.
    """

    attempts: int
    first_delay_s: float
    stop: threading.Event | None = None

    def refuse_if_stopped(self) -> None:
        """Begin nothing new once the work was given up.

        Raises:
            Stopped: If it was.
        """
        if self.stop is not None and self.stop.is_set():
            raise Stopped

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after so many failures (>= 1)."""
        delay = min(self.first_delay_s * 2.0 ** (failures - 1), LONGEST_DELAY_S)
        jitter: float = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  nobody guesses it, nobody gains by guessing it
        return delay * jitter

    def wait(self, failures: int) -> None:
        """Wait after so many failures.

        Raises:
            Stopped: If somebody gave the work up.
        """
        if (self.stop or threading.Event()).wait(self.delay_s(failures)):
            raise Stopped


def persist(call: Callable[[], T], *, explain: Callable[[Exception], Fault], backoff: Backoff, done: Callable[[], int] | None = None) -> T:
    """What `call` returns, tried again as long as its errors are worth it.

    Args:
        call: One attempt; it may go on where the one before ended.
        explain: What an error means.
        backoff: How often, and when.
        done: How many bytes are done; who makes progress is not given up.

    Raises:
        Exception: What `explain` made of the last error.
    """
    failures, before = 0, 0
    while True:
        backoff.refuse_if_stopped()
        try:
            return call()
        except Exception as error:
            fault = explain(error)
            now = done() if done else 0
            failures, before = (1, now) if now - before >= PROGRESS else (failures + 1, before)
            if failures >= min(fault.attempts or backoff.attempts, backoff.attempts):
                raise fault.error from error
        backoff.wait(failures)
