"""Looking whether the audit is what was written: the chain in itself, against its anchors, and against the rows it speaks of.

Anchors are read first and the database after them, in one snapshot: every anchor that was seen is of an entry that is committed by then.
Memory does not grow with the chain; what is kept of it is one head for each anchor and one champion for each model.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.domain.audit import AuditHead
from airflow_registry.domain.audit_report import AuditReport, anchoring_notes, counted
from airflow_registry.domain.chain import ChainCheck, Witness
from airflow_registry.errors import RegistryError
from airflow_registry.service.audit import anchoring
from airflow_registry.service.audit.rows import RowCheck
from airflow_registry.service.audit.texts import TextCheck
from airflow_registry.sql import trail

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from airflow_registry.domain.chain import AuditFault
    from airflow_registry.service.core import Core

PROGRESS_PAGES = 10
_log = logging.getLogger(__name__)


def verify(core: Core, *, heads: Sequence[AuditHead | str] = (), accepted: Collection[int] = ()) -> AuditReport:
    """Look at the whole audit; nothing is changed.

    Args:
        core: The stores.
        heads: Heads that were kept elsewhere (a task's log), as values or as `SEQ:sha256:…`.
        accepted: Entries that tell of a restore which somebody knows of.

    Raises:
        InvalidInputError: If a head cannot be read.
        StorageUnavailableError: If the database is out of reach.
    """
    given = witnesses_of(heads)
    found, faults, trouble = _anchors(core)
    with core.store.read() as tx:
        check, texts, rows = ChainCheck(trail.head(tx), [*found, *given], accepted), TextCheck(), RowCheck(tx)
        for number, page in enumerate(trail.pages(tx), start=1):
            for entry in page:
                check.feed(entry)
            texts.feed(page, trail.texts(tx, page))
            rows.feed(page)
            if number % PROGRESS_PAGES == 0:
                _log.info("%d entries", check.entries)
        faults = [*check.finish(), *faults, *texts.faults, *rows.finish()]
    report = replace(report_of(core.store.address, core.registry_uid, check, texts), faults=tuple(faults), rows=rows.compared)
    return _with_words(core, report, promoted=rows.promoted, trouble=trouble)


def witnesses_of(heads: Iterable[AuditHead | str]) -> list[Witness]:
    """Heads that somebody has kept.

    Raises:
        InvalidInputError: If one cannot be read.
    """
    read = (head if isinstance(head, AuditHead) else AuditHead.parse(head) for head in heads)
    return [Witness(head=head, source="the head that was handed in") for head in read]


def report_of(source: str, registry_uid: str, check: ChainCheck, texts: TextCheck) -> AuditReport:
    """What was counted, and which texts are gone."""
    gone = counted(texts.erased, "free text was", "free texts were")
    return AuditReport(
        source=source,
        registry_uid=registry_uid,
        entries=check.entries,
        head=None if check.last is None else check.last.head,
        witnesses=check.compared,
        anchored_to=check.vouched_to,
        texts=texts.compared,
        erased=texts.erased,
        notes=(f"{gone} erased; the chain holds without.",) if texts.erased else (),
    )


def _anchors(core: Core) -> tuple[list[Witness], list[AuditFault], str | None]:
    """What the artifact store knows, what is wrong with that, and why it does not answer if it does not."""
    try:
        found, faults = anchoring.witnesses(core)
    except (RegistryError, OSError) as error:
        return [], [], str(error)
    return found, faults, None


def _with_words(core: Core, report: AuditReport, *, promoted: int, trouble: str | None) -> AuditReport:
    """What could not be looked at, and what one should know."""
    if trouble is not None and promoted:
        missed = f"The audit anchors could not be read, so whoever computed the whole chain anew was not looked for. {trouble}"
        return replace(report, unchecked=(missed,))
    others = () if trouble is not None else anchoring.others(core)
    notes = (*anchoring_notes(report, promoted), *report.notes)
    if not others:
        return replace(report, notes=notes)
    told = f"The artifact store has anchors of {counted(len(others), 'other registry', 'other registries')} ({', '.join(others[:3])})"
    if promoted and not report.anchored_to:
        missed = f"{told} and none of this one ({report.registry_uid}). If they are of this one, its uid was changed past the registry."
        return replace(report, notes=notes, unchecked=(missed,))
    return replace(report, notes=(*notes, f"{told}; they say nothing about this one."))
