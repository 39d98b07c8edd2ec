"""A report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.

What others registered is escaped, and the page forbids scripts by its own policy besides. Every text of a fact goes through `_text`.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from airflow_registry.cli.render import shown
from airflow_registry.cli.report.blocks import MISSING, Code, Facts, Figure, Grid, Listing, Text, fact, said
from airflow_registry.cli.report.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_registry.cli.report.blocks import Block, Section

_LONG = 24
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def html(title: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    placed = list(zip(anchors([section.title for section in sections]), sections, strict=True))
    links = "".join(f'<li><a href="#{anchor}">{_text(section.title)}</a></li>\n' for anchor, section in placed)
    body = "".join(_section(section, anchor) for anchor, section in placed)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1>{_text(title)}</h1></header>\n<nav aria-label="Contents"><ul>\n{links}</ul></nav>\n'
        f"<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _text(value: str) -> str:
    return escape(shown(value), quote=True)


def anchors(titles: Sequence[str]) -> list[str]:
    """Names by which links find sections: letters and digits only, each once.

    >>> anchors(["What it scored", "What it scored?", "É"])
    ['what-it-scored', 'what-it-scored-2', 'part']
    """
    found: list[str] = []
    for title in titles:
        plain = "-".join(re.findall("[a-z0-9]+", title.lower())) or "part"
        same = sum(name == plain or re.fullmatch(rf"{plain}-\d+", name) is not None for name in found)
        found.append(f"{plain}-{same + 1}" if same else plain)
    return found


def _section(section: Section, anchor: str) -> str:
    inner = "".join(part for block in section.blocks for part in _block(block))
    return f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{_text(section.title)}</h2>\n{inner}</section>\n'


def _block(block: Block) -> Iterator[str]:
    match block:
        case Facts():
            yield from _facts(block)
        case Grid():
            yield from _grid(block)
        case Text():
            yield f"<p>{_text(block.text)}</p>\n"
        case Code():
            text = "\n".join(_text(line) for line in block.text.rstrip("\n").split("\n"))
            yield f"<h3>{_text(block.title)}</h3>\n<pre><code>{text}</code></pre>\n"
        case Listing():
            items = "".join(f"<li>{_text(item)}</li>\n" for item in block.items)
            yield f"<ul>\n{items}</ul>\n" if items else f"<p>{_text(block.empty)}</p>\n"
        case Figure():
            drawings = "".join(block.drawings)
            yield f'<figure>\n<div class="drawings">\n{drawings}</div>\n<figcaption>{_text(block.caption)}</figcaption>\n</figure>\n'


def _facts(block: Facts) -> Iterator[str]:
    yield "<dl>\n"
    for name, value in block.pairs.items():
        yield f"<dt>{_text(name)}</dt><dd{_missing(fact(value))}>{_text(fact(value))}</dd>\n"
    yield "</dl>\n"


def _grid(block: Grid) -> Iterator[str]:
    inner = "".join(_table(block)) if block.rows else f"<p>{_text(block.empty)}</p>\n"
    note = f"<p>{_text(block.note)}</p>\n" if block.note and block.rows else ""
    if block.folded and block.rows:
        yield f"<details><summary>{_text(block.title)}</summary>\n{inner}{note}</details>\n"
    else:
        heading = f"<h3>{_text(block.title)}</h3>\n" if block.title else ""
        yield f"{heading}{inner}{note}"


def _table(block: Grid) -> Iterator[str]:
    numeric = [all(isinstance(row[place], (int, float)) for row in block.rows) for place in range(len(block.columns))]
    yield '<div class="wide"><table>\n<thead><tr>'
    yield from (f'<th scope="col"{_number(is_number)}>{_text(name)}</th>' for name, is_number in zip(block.columns, numeric, strict=True))
    yield "</tr></thead>\n<tbody>\n"
    for row in block.rows:
        yield f"<tr>{''.join(_cell(cell, is_number=number) for cell, number in zip(row, numeric, strict=True))}</tr>\n"
    yield "</tbody>\n</table></div>\n"


def _cell(value: object, *, is_number: bool) -> str:
    """A cell; a word that is longer than a column is wide may be broken anywhere."""
    text = said(value)
    look = _number(is_number) or (' class="long"' if any(len(word) > _LONG for word in text.split()) else "")
    return f"<td{look}{_missing(text)}>{_text(text)}</td>"


def _number(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _missing(text: str) -> str:
    return ' data-missing="yes"' if text == MISSING else ""
