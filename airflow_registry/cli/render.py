"""Writing answers: JSON for machines; for people tables, which a terminal gets from rich and a pipe gets whole and plain."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, TextIO

from airflow_registry.cli.answer import Facts, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_registry.cli.answer import Answer
    from airflow_registry.errors import RegistryError

_GAP = "  "


def write_answer(answer: Answer, *, as_json: bool) -> None:
    """Write an answer to stdout."""
    if as_json:
        write_document(answer.document)
    elif answer.text is not None:
        sys.stdout.write(answer.text)
    elif sys.stdout.isatty():
        _write_rich(answer)
    else:
        sys.stdout.writelines(f"{line}\n" for line in _plain_lines(answer))


def write_document(document: Mapping[str, Any]) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(json.dumps(plain(document), allow_nan=False) + "\n")


def error_document(error: RegistryError) -> dict[str, Any]:
    """What `--json` answers when a command was refused."""
    return {"error": {"code": error.code, "message": str(error), "retryable": error.retryable}}


def plain(value: object) -> Any:  # noqa: ANN401  JSON
    """A value as JSON knows it: times as ISO 8601 in UTC, numbers that are not finite as text.

    >>> plain({"auc": float("nan"), "at": datetime(2026, 1, 2, tzinfo=UTC)})
    {'auc': 'nan', 'at': '2026-01-02T00:00:00Z'}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, (str, Enum)) or not isinstance(value, (bool, int, float, type(None))) else value


def shown(value: object) -> str:
    """A value in one line for people: times to the second in UTC, nothing that could steer their terminal.

    >>> shown(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)), shown(None), shown(0.1 + 0.2), shown({"rows": 3, "uri": None})
    ('2026-01-02 03:04:05Z', '', '0.3', 'rows 3')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{_harmless(str(name))} {text}" for name, entry in value.items() if (text := shown(entry)))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return f"{value:.6g}" if isinstance(value, float) else _harmless(str(value))


def _harmless(text: str) -> str:
    """Line breaks become spaces; other control characters are written out, since what others registered must not act on a terminal."""
    flat = " ".join(text.split("\n")) if "\n" in text else text
    return "".join(repr(letter)[1:-1] if unicodedata.category(letter) in {"Cc", "Cf"} else letter for letter in flat)


def _plain_lines(answer: Answer) -> Iterator[str]:
    for position, block in enumerate(answer.blocks):
        if position:
            yield ""
        if isinstance(block, str):
            yield shown(block)
            continue
        if block.title:
            yield shown(block.title)
        yield from _facts_lines(block) if isinstance(block, Facts) else _table_lines(block)


def _facts_lines(facts: Facts) -> Iterator[str]:
    for name, value in _filled(facts):
        yield f"{name}: {value}"


def _table_lines(table: Table) -> Iterator[str]:
    if not table.rows:
        yield table.empty
        return
    cells = [list(table.columns), *([shown(cell) for cell in row] for row in table.rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield _GAP.join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Columns of a terminal: East Asian letters take two, combining marks none."""
    return sum(0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


def _filled(facts: Facts) -> Sequence[tuple[str, str]]:
    return [(name, text) for name, value in facts.pairs.items() if (text := shown(value))]


def _write_rich(answer: Answer, stream: TextIO | None = None) -> None:
    from rich.console import Console

    # Square brackets and colons are what they are: nobody who registers a version can colour, link or hide what others read.
    console = Console(file=stream or sys.stdout, highlight=False, markup=False, emoji=False)
    for position, block in enumerate(answer.blocks):
        if position:
            console.print()
        if isinstance(block, str):
            console.print(shown(block))
            continue
        if block.title:
            console.print(shown(block.title), style="bold")
        console.print(_rich_facts(block) if isinstance(block, Facts) else _rich_table(block) if block.rows else block.empty)


def _rich_facts(facts: Facts) -> Any:  # noqa: ANN401  rich.table.Table, which is imported when it is used
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _filled(facts):
        grid.add_row(name, value)
    return grid


def _rich_table(table: Table) -> Any:  # noqa: ANN401  rich.table.Table, which is imported when it is used
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid

    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, heading in enumerate(table.columns):
        is_number = all(isinstance(row[position], (int, float, type(None))) for row in table.rows)
        grid.add_column(heading, overflow="fold", justify="right" if is_number else "left")
    for row in table.rows:
        grid.add_row(*map(shown, row))
    return grid
