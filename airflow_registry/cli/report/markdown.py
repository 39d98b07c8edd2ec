"""A report as Markdown: readable as it is, and harmless where it is shown as HTML.

What others registered must not become markup: brackets, pipes and the like are written out, `<` and `&` as entities.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_registry.cli.render import shown
from airflow_registry.cli.report.blocks import Code, Facts, Figure, Grid, Listing, Text, fact, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_registry.cli.report.blocks import Block, Section

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# An underscore inside a word is no markup, and escaping it would spoil `roc_auc` for those who read the plain text.
_MARKUP = re.compile(r"[\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_STARTS = re.compile(r"^(\s*)([#+=-]|\d+[.)])(?=\s|$|[-=])")


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    lines = [f"# {plain(title)}"]
    for section in sections:
        lines += ["", f"## {plain(section.title)}"]
        for block in section.blocks:
            lines += _block(block)
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    r"""Text that means itself in Markdown.

    >>> print(plain("roc_auc of <b>lead|scoring</b> [1](x)"))
    roc_auc of &lt;b&gt;lead\|scoring&lt;/b&gt; \[1\](x)
    """
    return _STARTS.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", shown(text)).translate(_ENTITIES))


def _block(block: Block) -> Iterator[str]:
    match block:
        case Facts():
            yield from _facts(block)
        case Grid():
            yield from _grid(block)
        case Text():
            yield from ("", plain(block.text))
        case Code():
            yield from _code(block)
        case Listing():
            yield ""
            yield from [f"* {plain(item)}" for item in block.items] or [plain(block.empty)]
        case Figure():
            return


def _facts(block: Facts) -> Iterator[str]:
    yield from ("", "| fact | value |", "|---|---|")
    for name, value in block.pairs.items():
        yield f"| {plain(name)} | {plain(fact(value))} |"


def _grid(block: Grid) -> Iterator[str]:
    if block.title:
        yield from ("", f"### {plain(block.title)}")
    yield ""
    if not block.rows:
        yield plain(block.empty)
        return
    for row in (block.columns, ["---"] * len(block.columns)):
        yield f"|{'|'.join(cell if cell == '---' else f' {plain(cell)} ' for cell in row)}|"
    for cells in block.rows:
        yield f"| {' | '.join(plain(said(cell)) for cell in cells)} |"
    if block.note:
        yield from ("", plain(block.note))


def _code(block: Code) -> Iterator[str]:
    if block.title:
        yield from ("", f"### {plain(block.title)}")
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", block.text)), default=0))
    lines = [shown(line) for line in block.text.rstrip("\n").split("\n")]
    yield from ("", f"{fence}{block.language}", *lines, fence)
