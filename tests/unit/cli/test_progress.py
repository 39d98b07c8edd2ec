"""Progress: on a terminal only, on stderr only."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from airflow_registry.cli.progress import progress

LOG = logging.getLogger("airflow_registry.artifacts")


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal where stderr is; called by the test itself, since pytest puts its own stderr back before each test."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")

    def replace_stderr():
        screen = Screen()
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return replace_stderr


def test_what_the_stores_say_is_how_far_it_is(terminal):
    screen = terminal()
    with progress("Registering lead"):
        LOG.info("uploaded: %d of %d files", 3, 5)
    assert "Registering lead: uploaded: 3 of 5 files" in screen.getvalue()


def test_a_warning_stays_on_the_screen_and_is_said_once(terminal):
    screen = terminal()
    with progress("Evaluating"):
        LOG.warning("The champion is left out")
    assert screen.getvalue().count("The champion is left out") == 1


def test_afterwards_the_log_is_as_it_was(terminal):
    terminal()
    logger = logging.getLogger("airflow_registry")
    before = logger.level, logger.propagate, list(logger.handlers)
    with pytest.raises(KeyboardInterrupt), progress("Registering"):
        raise KeyboardInterrupt
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_a_pipe_gets_nothing(capsys):
    with progress("Registering lead"):
        LOG.info("uploaded")
    assert capsys.readouterr() == ("", "")
