"""How answers are written: JSON that every parser reads, plain text for pipes, rich tables for terminals."""

from __future__ import annotations

import io
import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.cli.answer import Answer, Facts, Table
from airflow_registry.cli.render import _write_rich, plain, shown, write_answer
from airflow_registry.domain.stage import Stage

WIDE = Table(columns=("name", "note"), rows=[("a", "x" * 300), ("bb", None)], title="Wide")


def written(blocks, capsys):
    write_answer(Answer(document={}, blocks=blocks), as_json=False)
    return capsys.readouterr().out


def test_a_pipe_gets_whole_columns_and_no_colours(capsys):
    assert written([WIDE], capsys) == f"Wide\nname  note\na     {'x' * 300}\nbb\n"


def test_blocks_are_separated_by_an_empty_line(capsys):
    assert written(["Done.", Facts(pairs={"stage": "SHADOW", "owner": None, "": ""}), "Bye."], capsys) == "Done.\n\nstage: SHADOW\n\nBye.\n"


def test_a_table_without_rows_says_so(capsys):
    assert written([Table(columns=("a",), rows=[], empty="Nobody.", title="People")], capsys) == "People\nNobody.\n"


def test_letters_that_take_two_columns_keep_the_table_straight(capsys):
    lines = written([Table(columns=("n", "x"), rows=[("模型", 1), ("e\u0301", 2)])], capsys).splitlines()
    assert lines == ["n     x", "模型  1", "e\u0301     2"]


def test_what_others_registered_cannot_steer_a_terminal(capsys):
    out = written([Table(columns=("n",), rows=[("\x1b[2J\x07red\u202e\nnext",)])], capsys)
    assert out == "n\n\\x1b[2J\\x07red\\u202e next\n"


@given(st.text())
def test_a_cell_is_one_line_without_control_characters(text):
    assert not [letter for letter in shown(text) if unicodedata.category(letter) in {"Cc", "Cf"}]


def test_times_are_utc(capsys):
    berlin = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=1)))
    assert shown(berlin) == "2026-01-02 02:04:05Z"
    assert plain(berlin) == "2026-01-02T02:04:05.000006Z"


def test_json_is_one_document_that_strict_parsers_read(capsys):
    document = {
        "a": [float("nan"), float("inf"), -float("inf"), 1.5, True, None],
        "stage": Stage.SHADOW,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    write_answer(Answer(document=document, blocks=["not this"]), as_json=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out, parse_constant=pytest.fail) == {
        "a": ["nan", "inf", "-inf", 1.5, True, None], "stage": "SHADOW", "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 40 columns; returns what stood on it."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")

    class Screen(io.StringIO):
        def isatty(self):
            return True

    def show(*blocks):
        screen = Screen()
        _write_rich(Answer(document={}, blocks=blocks), screen)
        return screen.getvalue()

    return show


def test_a_terminal_gets_folded_cells_and_loses_no_letter(terminal):
    out = terminal(WIDE)
    assert "\x1b[" in out
    assert out.count("x") == 300
    assert max(len(line) for line in out.splitlines() if "\x1b" not in line) <= 40


def test_no_color_is_respected(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    out = terminal(WIDE, Facts(pairs={"a": 1}))
    assert "\x1b[3" not in out
    assert "\x1b[9" not in out


def test_brackets_are_text_and_not_markup(terminal):
    out = terminal(Table(columns=("[red]n",), rows=[("[bold]x[/bold] :smile:",)], title="[blue]t"), Facts(pairs={"[u]": "[i]"}), "[b]bye")
    for text in ("[red]n", "[bold]x[/bold] :smile:", "[blue]t", "[u]", "[i]", "[b]bye"):
        assert text in out


def test_numbers_stand_to_the_right(terminal):
    out = terminal(Table(columns=("metric", "value"), rows=[("auc", 0.9), ("rows", 1000)]))
    assert "  0.9" in out
