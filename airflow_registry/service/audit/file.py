"""Verifying an exported audit: no database, no artifact store, only the file and heads that were kept elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.failures import reading
from airflow_registry.domain.audit import AuditHead, canonical
from airflow_registry.domain.audit_report import AuditReport, anchoring_notes
from airflow_registry.domain.audit_state import Champions
from airflow_registry.domain.chain import AuditFault, ChainCheck, ChainEntry, FaultKind, Witness
from airflow_registry.errors import InvalidInputError
from airflow_registry.service.audit.export import KIND
from airflow_registry.service.audit.texts import TextCheck
from airflow_registry.service.audit.verify import report_of, witnesses_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_TEXTS = ("deployment", "actor", "action", "subject", "previous", "hash")
_NO_ENTRY = ChainEntry(
    seq=-1, at=None, deployment="", actor="", action="", subject="", body="", text_digest=None, previous="", hash=""
)  # fmt: skip
_UNREAD = "The artifact store did not answer when the file was written, so it holds no anchors to compare with."
_NOT_IN_IT = "A file holds no versions, evaluations, decisions and promotions, so these were not compared with their entries."


def verify_file(path: str, *, heads: Sequence[AuditHead | str] = (), accepted: Collection[int] = ()) -> AuditReport:
    """Look at an exported audit.

    Args:
        path: The file.
        heads: Heads that were kept elsewhere, as values or as `SEQ:sha256:…`.
        accepted: Entries that tell of a restore which somebody knows of.

    Raises:
        ArtifactNotFoundError: If there is no file.
        InvalidInputError: If it is no export of an audit, or a head cannot be read.
    """
    given, champions, texts = witnesses_of(heads), Champions(), TextCheck()
    with reading(path), Path(path).open(encoding="utf-8", errors="surrogatepass") as lines:
        header = _header(path, next(lines, ""))
        known, faults = _anchors(header)
        check = ChainCheck(_head(header), [*known, *given], accepted)
        for line in lines:
            entry, text = _entry(line)
            check.feed(entry)
            champions.feed(entry)
            if header.get("texts"):
                texts.feed([entry], {} if text is None else {str(entry.text_digest): text})
    report = report_of(str(path), str(header.get("registry_uid")), check, texts)
    notes = (*anchoring_notes(report, champions.promoted), *report.notes, _NOT_IN_IT)
    unchecked = (_UNREAD,) if header.get("anchors") is None and champions.promoted else ()
    return replace(report, faults=(*check.finish(), *faults, *texts.faults), notes=notes, unchecked=unchecked)


def _header(path: str, line: str) -> dict[str, Any]:
    """The first line.

    Raises:
        InvalidInputError: If the file does not begin as an export does.
    """
    found = _object(line)
    if found.get("kind") != KIND or found.get("schema") != 1:
        raise InvalidInputError(
            f"{path} is no exported audit that this release can read: expected a first line with kind {KIND!r} and schema 1, found "
            f"{line[:80]!r}. Write one with `airflow-registry audit export FILE`."
        )
    return found


def _head(header: dict[str, Any]) -> AuditHead | None:
    head = header.get("head")
    if not isinstance(head, dict) or not isinstance(head.get("seq"), int):
        return None
    return AuditHead(seq=head["seq"], hash=str(head.get("hash")))


def _anchors(header: dict[str, Any]) -> tuple[list[Witness], list[AuditFault]]:
    """The anchors that were known when the file was written, and those that were no good then."""
    anchors = header.get("anchors")
    found = [one for one in anchors if isinstance(one, dict) and isinstance(one.get("seq"), int)] if isinstance(anchors, list) else []
    good = [Witness(head=AuditHead(seq=one["seq"], hash=one["hash"]), source="an audit anchor") for one in found if one.get("hash")]
    text = "The audit anchor of entry {} was damaged when the file was written."
    bad = [AuditFault(kind=FaultKind.ANCHOR, seq=one["seq"], text=text.format(one["seq"])) for one in found if not one.get("hash")]
    return good, bad


def _entry(line: str) -> tuple[ChainEntry, str | None]:
    """One line as an entry with its text; a line that is none becomes an entry that fits nowhere."""
    found = _object(line)
    seq, digest, text = found.get("seq"), found.get("text_digest"), found.get("text")
    try:
        entry = ChainEntry(
            seq=int(str(seq)),
            at=datetime.fromisoformat(found["at"]),
            text_digest=None if digest is None else str(digest),
            body=str(found["body_text"]) if "body_text" in found else canonical(found["body"]),
            **{name: str(found[name]) for name in _TEXTS},
        )
    except (KeyError, TypeError, ValueError):
        return _NO_ENTRY, None
    return entry, text if isinstance(text, str) else None


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
