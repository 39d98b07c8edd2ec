"""Commands of the audit: list, verify, anchor, export, erase."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_registry.cli.answer import DONE, REFUSED, Answer, Facts, Table
from airflow_registry.cli.progress import progress

if TYPE_CHECKING:
    from airflow_registry.cli.call import Call
    from airflow_registry.domain.audit_report import AuditRecord, AuditReport

_OUTER = (
    "uid",
    "promotion",
    "decision",
    "metrics",
    "remote_path",
    "policy",
    "evaluation",
    "digests",
)  # ids and what other commands show better


def entries(call: Call) -> Answer:
    """Who did what."""
    since, registry = call["since"], call.registry
    moment = registry.core.now() - since if isinstance(since, timedelta) else since
    found = registry.audit_entries(model=call["model"], since=moment, limit=call["limit"])
    rows = [(one.seq, one.at, one.actor, _action(one), one.subject, _facts(one), _text(one)) for one in found]
    columns = ("entry", "at", "by", "did", "to", "facts", "words")
    return Answer(
        document={"entries": [_document(one) for one in found]},
        blocks=[Table(columns=columns, rows=rows, empty="The audit has no such entry.")],
    )


def verify(call: Call) -> Answer:
    """Whether the audit was rewritten."""
    arguments: dict[str, Any] = {"heads": call["head"] or ()}
    accepted = frozenset(call["accept_restore"] or ())
    if call["file"]:
        from airflow_registry.service.audit.file import verify_file

        with progress(f"Verifying {call['file']}"):
            found = verify_file(call["file"], accepted=accepted, **arguments)
    else:
        registry = call.registry
        with progress("Verifying the audit"):
            found = registry.verify_audit(accepted_restores=accepted, **arguments)
    return Answer(document=found.to_json(), blocks=_report(found), exit_code=DONE if found.ok else REFUSED)


def anchor(call: Call) -> Answer:
    """Write the head into the artifact store."""
    head = call.registry.anchor_audit()
    return Answer(document={"seq": head.seq, "hash": head.hash, "at": head.at}, blocks=[f"Audit head {head} is anchored."])


def export(call: Call) -> Answer:
    """Write the audit into a file."""
    registry = call.registry
    with progress(f"Writing {call['file']}"):
        done = registry.export_audit(call["file"], texts=not call["no_texts"])
    head = None if done.head is None else {"seq": done.head.seq, "hash": done.head.hash}
    anchors = "unknown: the artifact store did not answer" if done.anchors is None else done.anchors
    return Answer(
        document={"path": done.path, "entries": done.entries, "head": head, "anchors": done.anchors},
        blocks=[Facts(pairs={"file": done.path, "entries": done.entries, "anchors": anchors, "head": done.head})],
    )


def erase(call: Call) -> Answer:
    """Erase a free text."""
    from airflow_registry.service.audit.erase import told

    done = call.registry.erase_text(call["entry"], reason=call["reason"])
    document = {"digest": done.digest, "entries": list(done.entries), "rows": done.rows, "told_in_entry": done.head.seq}
    return Answer(document=document, blocks=[told(done), f"Entry {done.head.seq} says who did it. Backups and exports keep their copies."])


def _report(found: AuditReport) -> list[Table | Facts | str]:
    facts = {
        "audit": found.source,
        "registry": found.registry_uid,
        "entries": found.entries,
        "head": found.head,
        "anchors compared": found.witnesses,
        "proven by them up to": found.anchored_to or None,
        "free texts compared": found.texts,
        "rows compared": found.rows or None,
    }
    rows = [(fault.kind, fault.seq, fault.text) for fault in found.faults]
    said = [*found.unchecked, *found.notes]
    return [
        Facts(pairs=facts),
        *([Table(title="Not as it was written", columns=("what", "entry", "found"), rows=rows)] if rows else []),
        *said,
        _verdict(found),
    ]


def _verdict(found: AuditReport) -> str:
    if found.faults:
        first = found.faults[0]
        return "The audit was rewritten." if first.seq is None else f"The audit was rewritten. The first bad entry is {first.seq}."
    return "The audit is not proven: part of it could not be looked at." if found.unchecked else "The audit is as it was written."


def _document(one: AuditRecord) -> dict[str, Any]:
    return {entry.name: getattr(one, entry.name) for entry in fields(one)}


def _action(one: AuditRecord) -> str:
    return "OVERRIDE" if one.action == "override" else one.action


def _facts(one: AuditRecord) -> dict[str, Any]:
    """What people look for; `--json` has all of it."""
    return {name: value for name, value in one.body.items() if name not in _OUTER}


def _text(one: AuditRecord) -> str | None:
    return "(erased)" if one.is_erased else one.text
