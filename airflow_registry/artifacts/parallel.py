"""Many small transfers at once: a bounded number in flight, the first failure stops the rest, and the log says how far it is."""

from __future__ import annotations

import logging
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

log = logging.getLogger(__name__)

WORKERS = 8
PROGRESS_EVERY_S = 10.0
_AHEAD = 4  # transfers that wait for each worker, so that none of them idles

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = WORKERS) -> Iterator[Result]:
    """The results of `work`, in the order of the items. Items are taken as they are needed, so they may be endless.

    Args:
        work: Called from several threads.
        items: What is to be done.
        workers: How many at once (>= 1).

    Raises:
        Exception: Whatever the first failing call raised; what has not begun by then does not begin.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="airflow_registry") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= workers * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def reported(results: Iterable[Result], what: str, total: int) -> Iterator[Result]:
    """The same results; every ten seconds the log says how many of them there are by now."""
    told = time.monotonic()
    for done, result in enumerate(results, start=1):
        yield result
        if time.monotonic() - told >= PROGRESS_EVERY_S:
            told = time.monotonic()
            log.info("%s: %d of %d files", what, done, total)
