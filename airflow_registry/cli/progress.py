"""Progress of long work: on stderr, and only where somebody looks."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOG = logging.getLogger("airflow_registry")


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show what is being done, how far it is and for how long, until it is done; nothing if stderr is not a terminal.

    How far it is, the stores say in their log ("1200 of 100000 files").
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task(what, total=None)
        with _heard(lambda said: bar.update(line, description=f"{what}: {said}", refresh=True)):
            yield


@contextmanager
def _heard(say: Callable[[str], object]) -> Iterator[None]:
    """What this package logs meanwhile, one line at a time."""
    before, handler = (_LOG.level, _LOG.propagate), _Listener(say)
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False  # Airflow's own handlers would say it a second time
    try:
        yield
    finally:
        _LOG.setLevel(before[0])
        _LOG.propagate = before[1]
        _LOG.removeHandler(handler)


class _Listener(logging.Handler):
    """Hands what is logged below WARNING to the line of progress; a warning must stay on the screen."""

    def __init__(self, say: Callable[[str], object]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """One line of the log."""
        if record.levelno < logging.WARNING:
            self._say(record.getMessage())
        else:
            sys.stderr.write(f"{record.getMessage()}\n")
