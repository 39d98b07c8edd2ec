"""The whole audit as a file: JSON lines that anyone can keep, read and verify without a database.

The first line is a header (`schema: 1`, the registry's uid, the head, the anchors), each further line one entry in order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.durable import workspace
from airflow_registry.artifacts.failures import writing
from airflow_registry.domain.audit import canonical
from airflow_registry.domain.audit_report import AuditExport
from airflow_registry.errors import RegistryError
from airflow_registry.service.audit import anchoring
from airflow_registry.sql import trail

if TYPE_CHECKING:
    from airflow_registry.domain.audit import AuditHead
    from airflow_registry.domain.chain import ChainEntry
    from airflow_registry.service.core import Core

KIND = "airflow-registry audit"


def export(core: Core, path: str, *, texts: bool) -> AuditExport:
    """Write the chain into the file `path`, which appears whole; one of that name is replaced.

    Args:
        core: The stores.
        path: The file.
        texts: Whether free texts go with it.

    Raises:
        StorageUnavailableError: If the database is out of reach, or the file cannot be written.
    """
    file, anchors = Path(path).absolute(), _anchors(core)
    with writing(f"write the audit to {path}"), workspace(file.parent) as temporary, core.store.read() as tx:
        head, written = trail.head(tx), 0
        with (temporary / file.name).open("w", encoding="utf-8") as lines:
            lines.write(canonical(_header(core, head, anchors, texts=texts)) + "\n")
            for page in trail.pages(tx):
                known = trail.texts(tx, page) if texts else {}
                lines.writelines(f"{canonical(_line(entry, known, texts_too=texts))}\n" for entry in page)
                written += len(page)
        (temporary / file.name).replace(file)
    return AuditExport(path=str(file), entries=written, head=head, anchors=None if anchors is None else len(anchors))


def _header(core: Core, head: AuditHead | None, anchors: list[dict[str, Any]] | None, *, texts: bool) -> dict[str, Any]:
    return {
        "kind": KIND,
        "schema": 1,
        "registry_uid": core.registry_uid,
        "exported_at": core.now().isoformat(),
        "head": None if head is None else {"seq": head.seq, "hash": head.hash},
        "texts": texts,
        "anchors": anchors,
    }


def _line(entry: ChainEntry, texts: dict[str, str], *, texts_too: bool) -> dict[str, Any]:
    names = ("seq", "deployment", "actor", "action", "subject", "text_digest", "previous", "hash")
    line = {name: getattr(entry, name) for name in names} | {"at": None if entry.at is None else entry.at.isoformat()}
    return line | _body(entry.body) | ({"text": texts.get(entry.text_digest or "")} if texts_too else {})


def _body(text: str) -> dict[str, Any]:
    """The facts; what is not the JSON that was hashed stays the text that it is, for whoever looks into it."""
    try:
        body = json.loads(text)
        if canonical(body) == text:
            return {"body": body}
    except ValueError:
        pass
    return {"body_text": text}


def _anchors(core: Core) -> list[dict[str, Any]] | None:
    """The anchors; None if the artifact store does not answer."""
    try:
        found, faults = anchoring.witnesses(core)
    except (RegistryError, OSError):
        return None
    good = [{"seq": one.head.seq, "hash": one.head.hash} for one in found]
    return [*good, *({"seq": fault.seq, "hash": None} for fault in faults)]
