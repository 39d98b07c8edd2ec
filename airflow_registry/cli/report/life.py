"""The part of a report that says what became of a version: its stages, who was champion when, what it scored, its audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.cli.report.blocks import Facts, Grid, Section, said

if TYPE_CHECKING:
    from airflow_registry.domain.audit_report import AuditRecord
    from airflow_registry.domain.report import ModelReport

MOST = 50


def stages(report: ModelReport) -> Section:
    """Its stage changes, and who was champion of the model when."""
    moves = [(move.at, f"{move.from_stage} to {move.to_stage}", move.by, _why(move.decision, move.reason)) for move in report.changes]
    held = [
        (
            "nobody" if tenure.number is None else f"v{tenure.number}",
            tenure.since,
            tenure.until or "now",
            tenure.by,
            _why(tenure.decision, tenure.reason),
        )
        for tenure in report.tenures
    ]
    columns = ("champion", "since", "until", "by", "why")
    note = f"The newest {MOST}; {len(held) - MOST:,} older ones are in the JSON form of this report." if len(held) > MOST else ""
    return Section(
        title="Stages",
        blocks=[
            Grid(title="This version", columns=("at", "change", "by", "why"), rows=moves, empty="It has always been in DEVELOPMENT."),
            Grid(title="Champions of the model", columns=columns, rows=held[-MOST:], note=note, empty="There never was one."),
        ],
    )


def scoring(report: ModelReport) -> Section:
    """What the ledger knows of its output."""
    found = report.scoring
    facts = {
        "committed writes": found.outputs,
        "partitions whose live output is by it": found.live,
        "begun and never committed": found.unfinished,
        "rows": found.rows,
        "rows in quarantine": found.quarantined,
        "first": found.first or "never",
        "last": found.last or "never",
        "runs that recorded nothing": len(found.unrecorded),
    }
    uses = [(use.dag_id, use.run_id) for use in found.unrecorded[:MOST]]
    more = len(found.unrecorded) - MOST
    note = f"{more:,} more are in the JSON form of this report." if more > 0 else ""
    unrecorded = [Grid(title="Unrecorded uses", columns=("dag", "run"), rows=uses, note=note)] if uses else []
    return Section(title="What it scored", blocks=[Facts(pairs=facts), *unrecorded])


def audit(report: ModelReport) -> Section:
    """The entries of the audit chain about it, and the chain's head."""
    found = report.audit
    rows = [
        (entry.seq, entry.at, entry.actor, entry.action, entry.subject, _facts(entry), _words(entry)) for entry in found.entries[-MOST:]
    ]
    older = found.earlier + len(found.entries) - len(rows)
    columns = ("entry", "at", "who", "what", "about", "facts", "in words")
    note = f"{older:,} older entries are not listed." if older else ""
    anchored = "the artifact store does not answer" if found.anchored_to is None else found.anchored_to or "never"
    head = {"newest entry of the chain": found.head.seq, "its hash": found.head.hash, "anchored in the artifact store up to": anchored}
    return Section(title="Audit trail", blocks=[Facts(pairs=head), Grid(columns=columns, rows=rows, note=note)])


def _facts(entry: AuditRecord) -> dict[str, Any]:
    """Without the digests of rows, which nobody reads; the JSON form has them."""
    return {name: value for name, value in entry.body.items() if name not in {"digests", "evaluation"}}


def _words(entry: AuditRecord) -> str:
    return "(erased)" if entry.is_erased else entry.text or ""


def _why(decision: str | None, reason: str | None) -> str:
    return said(reason if decision is None else f"decision {decision}")
