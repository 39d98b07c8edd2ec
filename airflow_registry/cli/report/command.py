"""`report REF`: the page or the document, on stdout or in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.cli.answer import Answer
from airflow_registry.cli.render import plain
from airflow_registry.cli.report.contents import sections, title
from airflow_registry.cli.report.document import document
from airflow_registry.cli.report.markdown import markdown
from airflow_registry.cli.show import size
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from airflow_registry.cli.call import Call
    from airflow_registry.domain.report import ModelReport

_ENDINGS = {".html": "html", ".htm": "html", ".json": "json"}


def report(call: Call) -> Answer:
    """Everything that is stored about one version."""
    found = call.registry.report(call["ref"])
    target = None if call["output"] is None else Path(call["output"])
    form = call["format"] or ("md" if target is None else _ENDINGS.get(target.suffix.lower(), "md"))
    text = "" if call["json"] and target is None else written(found, form)
    if target is None:
        return Answer(document=document(found), text=text)
    _save(target, text)
    return Answer(document=document(found), blocks=[f"The report on {found.version.ref} is in {target} ({size(target.stat().st_size)})."])


def written(found: ModelReport, form: str) -> str:
    """The report as text.

    Args:
        found: The report.
        form: `md`, `html` or `json`.
    """
    if form == "json":
        return json.dumps(plain(document(found)), allow_nan=False) + "\n"
    if form == "html":
        from airflow_registry.cli.report.html import html

        return html(title(found), sections(found))
    return markdown(title(found), sections(found))


def _save(target: Path, text: str) -> None:
    """Whole or not at all: a report that is half there would be read as if it were everything."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InvalidInputError(f"The report cannot be written to {target}: {error}. Name a file in a folder that is there.") from error
