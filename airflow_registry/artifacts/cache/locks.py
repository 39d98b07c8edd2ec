"""Locks between the processes of this machine. The system frees them when their holder dies, however it dies."""

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
def shared(path: Path) -> Iterator[None]:
    """Hold the lock together with others; waits for whoever holds it alone, which nobody does for long."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path, *, wait_s: float) -> Iterator[bool]:
    """Hold the lock alone; yields False if others still held it after `wait_s` seconds (0: do not wait).

    It is asked for again and again instead of waited for: a holder that was stopped and did not die must not stop everybody.
    """
    descriptor = _open(path)
    try:
        yield _taken(descriptor, time.monotonic() + wait_s)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _taken(descriptor: int, deadline: float) -> bool:
    pause = _FIRST_PAUSE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        else:
            return True
