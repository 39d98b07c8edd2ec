"""Reading pages as a browser, or a reader of Markdown, would."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt

VOID = {"meta", "img", "br", "hr", "input", "link"}


@dataclass
class Page(HTMLParser):
    """Every element with its attributes, all text, and whether the tags close what they open.

    Attributes:
        elements: Names with attributes, in order.
        words: Text between tags, blanks made one; of style sheets apart.
        styles: Text of style sheets.
        open: Elements that are not closed.
    """

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: str = ""
    styles: str = ""
    open: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)

    @classmethod
    def of(cls, text):
        page = cls()
        page.feed(text)
        page.close()
        assert page.open == []
        page.words = " ".join(page.words.split())
        return page

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.words += " "

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.words += " "

    def handle_data(self, data):
        if "style" in self.open:
            self.styles += data
        else:
            self.words += data

    def named(self, name):
        """The attributes of every element of that name."""
        return [attributes for tag, attributes in self.elements if tag == name]


def of_markdown(text):
    """The page that a renderer which lets HTML through makes of Markdown: the worst that can happen to it."""
    return Page.of(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def flat(value):
    """Text as pages show it: in one line."""
    return re.sub(r"\s+", " ", str(value)).strip()
