"""Locks between the processes of this machine. The system frees them when their holder dies, however it dies.

They are asked for again and again instead of waited for: a holder that was stopped and did not die must not stop everybody.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.25


@contextmanager
def shared(path: Path, *, wait_s: float) -> Iterator[None]:
    """Hold the lock together with others.

    Raises:
        TimeoutError: If somebody still held it alone after `wait_s` seconds.
    """
    with _held(path, fcntl.LOCK_SH, wait_s) as is_mine:
        if not is_mine:
            raise TimeoutError(f"Another process has held the lock {path} for {wait_s:g} s")
        yield


@contextmanager
def alone(path: Path, *, wait_s: float) -> Iterator[bool]:
    """Hold the lock alone; yields False if others still held it after `wait_s` seconds (0: do not wait)."""
    with _held(path, fcntl.LOCK_EX, wait_s) as is_mine:
        yield is_mine


@contextmanager
def _held(path: Path, kind: int, wait_s: float) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _taken(descriptor, kind, time.monotonic() + wait_s)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, kind: int, deadline: float) -> bool:
    pause = _FIRST_PAUSE_S
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        else:
            return True
