"""The pages as text. Every word that comes from the registry is escaped: people and files wrote it."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from airflow_registry.domain.model import ModelVersion, RegisteredModel
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.errors import RegistryError

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; }
.stage { border: 1px solid #888; border-radius: .6rem; padding: 0 .5rem; font-size: .85em; }
.PRODUCTION { background: #0a7d36; border-color: #0a7d36; color: #fff; }
.SHADOW { background: #5b4bb7; border-color: #5b4bb7; color: #fff; }
code { font-size: .9em; }
"""
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def models(found: Sequence[RegisteredModel], *, base: str) -> str:
    """All models with their champions."""
    rows = [
        (
            _model_link(base, one.name),
            "" if one.champion is None else _version_link(base, one.name, one.champion),
            str(one.versions),
            escape(one.owner or ""),
            escape(one.purpose or ""),
        )
        for one in found
    ]
    empty = "" if found else "<p>No model is registered yet.</p>"
    return _page("Models", _table(("Model", "Champion", "Versions", "Owner", "Purpose"), rows) + empty)


def model(versions: Sequence[ModelVersion], history: Sequence[Promotion], *, base: str) -> str:
    """One model: its versions, newest first, and every stage change."""
    name = versions[0].model
    listed = [
        (
            _version_link(base, name, one.number),
            _stage(one),
            _time(one.registered_at),
            escape(_numbers(one.metrics)),
            escape(one.change_note or ""),
        )
        for one in reversed(versions)
    ]
    table = _table(("Version", "Stage", "Registered", "Metrics", "What changed"), listed)
    return _page(str(name), f"{_back(base)}{table}<h2>History</h2>{_changes(history)}")


def version(found: ModelVersion, decisions: Iterable[Decision], changes: Iterable[Promotion], *, base: str) -> str:
    """One version with everything that is known of it."""
    above = f"{_back(base)} → {_model_link(base, found.model)}"
    facts = _table((), [(f"<strong>{escape(name)}</strong>", text) for name, text in _facts(found) if text])
    return _page(f"{found.ref}", f"<p>{above} {_stage(found)}</p>{facts}{_decided(decisions)}<h2>History</h2>{_changes(changes)}")


def failure(error: RegistryError, *, base: str) -> str:
    """What went wrong, in the error's own words."""
    return _page("Not shown", f"{_back(base)}<p>{escape(str(error))}</p>")


def _facts(found: ModelVersion) -> Iterable[tuple[str, str]]:
    lineage, artifact = found.lineage, found.artifact
    task = " → ".join(part for part in (lineage.dag_id, lineage.run_id, lineage.task_id) if part)
    yield "Registered", f"{_time(found.registered_at)} by {escape(lineage.published_by or 'nobody named')}"
    yield "Description", escape(found.description or "")
    yield "What changed", escape(found.change_note or "")
    yield "Metrics", escape(_numbers(found.metrics))
    yield "Remote path", _code(found.remote_path)
    yield "Digest", _code(str(found.digest or ""))
    yield "Format", escape(artifact.format) + ("" if artifact.size_bytes is None else f", {artifact.size_bytes:,} bytes")
    yield "Data sets", "<br>".join(escape(f"{data.name} {data.uri or ''}") for data in found.datasets)
    yield "Parameters", escape(", ".join(f"{name}={value}" for name, value in found.parameters.items()))
    yield "Task", escape(task)
    yield "Git commit", _code(lineage.git_commit or "")
    yield "Image", _code(lineage.container_image or "")


def _decided(decisions: Iterable[Decision]) -> str:
    """What the gate said, the newest first, with every reason."""
    told = [
        f"<h3>{escape(str(one.outcome))}, {_time(one.decided_at)}</h3>"
        + _table(("", "Rule", "Why"), [(escape(str(why.ruling)), escape(why.rule), escape(why.text)) for why in one.reasons])
        for one in reversed(list(decisions))
    ]
    return f"<h2>Decisions</h2>{''.join(told) or '<p>The gate has not judged it.</p>'}"


def _changes(history: Iterable[Promotion]) -> str:
    rows = [
        (_time(one.at), f"v{one.number}", f"{one.from_stage} → {one.to_stage}", escape(one.by), escape(one.reason or _by_gate(one)))
        for one in reversed(list(history))
    ]
    return _table(("When", "Version", "Change", "By", "Why"), rows) if rows else "<p>No stage change yet.</p>"


def _by_gate(change: Promotion) -> str:
    return "" if change.decision is None else f"decision {change.decision}"


def _page(title: str, body: str) -> str:
    heading = escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading} · Models</title><style>{_STYLE}</style></head>'
        f"<body><h1>{heading}</h1>{body}</body></html>"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def _back(base: str) -> str:
    return f'<a href="{escape(base)}/models">Models</a>'


def _model_link(base: str, name: str) -> str:
    return f'<a href="{escape(base)}/models/{quote(name, safe="")}">{escape(name)}</a>'


def _version_link(base: str, name: str, number: int) -> str:
    return f'<a href="{escape(base)}/models/{quote(name, safe="")}/versions/{number}">v{number}</a>'


def _stage(found: ModelVersion) -> str:
    return f'<span class="stage {found.stage}">{found.stage}</span>'


def _numbers(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else ""
