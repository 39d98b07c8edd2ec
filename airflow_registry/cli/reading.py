"""Commands that read: models, versions, history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli import documents
from airflow_registry.cli.answer import Answer, Table
from airflow_registry.cli.show import metrics_text, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any, TypeVar

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.promotion import Decision, Promotion

    Entry = TypeVar("Entry")


def models(call: Call) -> Answer:
    """All models with their champions."""
    found = call.registry.models()
    columns = ("model", "champion", "versions", "owner", "risk tier", "purpose")
    rows = [(entry.name, entry.champion, entry.versions, entry.owner, entry.risk_tier, entry.purpose) for entry in found]
    empty = "There is no model in this registry yet. Register one: airflow-registry register MODEL ARTIFACT"
    return Answer(document={"models": [documents.model(entry) for entry in found]}, blocks=[Table(columns=columns, rows=rows, empty=empty)])


def versions(call: Call) -> Answer:
    """All versions of a model."""
    found = _newest(call.registry.versions(call["model"]), call["limit"])
    columns = ("version", "stage", "registered", "by", "format", "size", "metrics", "change note")
    rows = [
        (
            entry.number,
            entry.stage,
            entry.registered_at,
            entry.lineage.published_by,
            entry.artifact.format,
            size(entry.artifact.size_bytes),
            metrics_text(entry.metrics),
            entry.change_note,
        )
        for entry in found
    ]
    return Answer(document={"versions": [documents.version(entry) for entry in found]}, blocks=[Table(columns=columns, rows=rows)])


def history(call: Call) -> Answer:
    """Stage changes and decisions, in the order in which they happened."""
    changes, decisions = call.registry.history(call["model"]), call.registry.decisions(call["model"])
    # Sorting keeps the order of equals: a decision comes before the promotion that follows it within one microsecond.
    happened: list[Promotion | Decision] = [*decisions, *changes]
    listed = _newest(sorted(happened, key=_moment), call["limit"])
    columns = ("at", "version", "what", "by", "why")
    rows = [_history_row(entry) for entry in listed]
    return Answer(
        document={"history": [_history_document(entry) for entry in listed]},
        blocks=[Table(columns=columns, rows=rows, empty=f"Nothing has happened to {call['model']} but registrations.")],
    )


def diff(call: Call) -> Answer:
    """Two versions side by side."""
    from airflow_registry.domain.diff import compare

    found = compare(call.registry.get(call["left"]), call.registry.get(call["right"]))
    metrics = [(pair.name, pair.left, pair.right, pair.difference, _judged(pair.is_better)) for pair in found.metrics]
    changes = [(change.aspect, change.name, change.left, change.right) for change in found.changes]
    same = ["The artifacts are the same, bit by bit."] if found.same_bytes else []
    return Answer(
        document=documents.diff(found),
        blocks=[
            Table(
                title="Metrics", columns=("metric", found.left, found.right, "difference", ""), rows=metrics, empty="Neither has metrics."
            ),
            Table(title="Differences", columns=("aspect", "name", found.left, found.right), rows=changes, empty="None."),
            *same,
        ],
    )


def _newest(found: Sequence[Entry], limit: int | None) -> Sequence[Entry]:
    """The last entries, oldest first: what is new stands at the end, above the next prompt."""
    return found if limit is None else found[-limit:]


def _moment(entry: Promotion | Decision) -> datetime:
    from airflow_registry.domain.promotion import Promotion

    return entry.at if isinstance(entry, Promotion) else entry.decided_at


def _history_row(entry: Promotion | Decision) -> tuple[object, ...]:
    from airflow_registry.domain.promotion import Promotion

    if isinstance(entry, Promotion):
        why = entry.reason or (entry.decision and f"decision {entry.decision}")
        marked = " OVERRIDE" if entry.is_override else ""
        return entry.at, entry.number, f"{entry.from_stage} -> {entry.to_stage}{marked}", entry.by, why
    faults = [reason.text for reason in entry.reasons if reason.passed is False]
    compared = f"{entry.outcome} against v{entry.champion}" if entry.champion else str(entry.outcome)
    return entry.decided_at, entry.number, compared, "the gate", " ".join(faults) or f"decision {entry.uid}"


def _history_document(entry: Promotion | Decision) -> dict[str, Any]:
    from airflow_registry.domain.promotion import Promotion

    if isinstance(entry, Promotion):
        return {"kind": "promotion", **documents.promotion(entry)}
    return {"kind": "decision", "at": entry.decided_at, **documents.decision(entry)}


def _judged(better: bool | None) -> str:
    return "" if better is None else "better" if better else "worse"
