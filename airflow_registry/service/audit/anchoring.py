"""Anchors: the head of the audit chain as an object of the artifact store, where whoever writes to the database cannot change it.

One is written after every change of a champion, once its transaction is committed. A failure is a warning: the promotion stands, and the
next anchor covers it, because each hash covers all entries before it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.domain.audit import AuditHead
from airflow_registry.domain.chain import AuditFault, FaultKind, Witness
from airflow_registry.domain.clock import utc
from airflow_registry.errors import CorruptionError, InvalidInputError, RegistryError
from airflow_registry.sql import trail

if TYPE_CHECKING:
    from airflow_registry.artifacts.anchor import Anchor
    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.service.core import Core

_log = logging.getLogger(__name__)


def anchor_promotion(core: Core, promotion: Promotion) -> Promotion:
    """Anchor the head that a promotion has left; one that an earlier call has made, with the head of now, which covers it.

    Returns:
        The promotion with its head.
    """
    try:
        head = promotion.audit_head or present_head(core)
        _write(core, head)
    except (RegistryError, OSError):
        _log.warning("The audit was not anchored after the promotion of %s; it stands.", _ref(promotion), exc_info=True)
        return promotion
    return replace(promotion, audit_head=head)


def anchor_now(core: Core) -> AuditHead:
    """Write the present head into the artifact store, and return it.

    Raises:
        CorruptionError: If another head of the same place is there already.
        StorageUnavailableError: If a store is out of reach.
    """
    head = present_head(core)
    if head.seq == 0:
        raise InvalidInputError("The audit chain of this registry is empty, so there is nothing to anchor. Register a model first.")
    _write(core, head)
    return head


def present_head(core: Core) -> AuditHead:
    """The newest entry of the chain.

    Raises:
        CorruptionError: If the chain's head is gone.
    """
    with core.store.read() as tx:
        head = trail.head(tx)
    if head is None:
        raise CorruptionError("The audit chain of this registry has no head. Restore the database from a backup.")
    return head


def witnesses(core: Core) -> tuple[list[Witness], list[AuditFault]]:
    """The heads that the artifact store knows of this registry, and what is wrong with its anchors.

    Raises:
        RegistryError: If the store does not answer.
    """
    found: list[Witness] = []
    faults: list[AuditFault] = []
    for anchor in core.artifacts.anchors(core.registry_uid):
        head = _head_of(anchor, core.registry_uid)
        if head is None:
            text = f"The audit anchor {anchor.uri} is not what was written. Look at its earlier versions, and at who may write there."
            faults.append(AuditFault(kind=FaultKind.ANCHOR, seq=anchor.seq, text=text))
        else:
            found.append(Witness(head=head, source=f"the audit anchor {anchor.uri}"))
    return found, faults


def others(core: Core) -> tuple[str, ...]:
    """The uids of other registries that have anchors in the same store."""
    return tuple(uid for uid in core.artifacts.anchored_registries() if uid != core.registry_uid)


def newest_anchored(core: Core) -> int:
    """The highest place that was ever anchored, 0 if none was; for what must not give a place out twice."""
    return core.artifacts.newest_anchor(core.registry_uid)


def _write(core: Core, head: AuditHead) -> None:
    at = None if head.at is None else utc(head.at).isoformat()
    core.artifacts.write_anchor(core.registry_uid, head.seq, {"hash": head.hash, "at": at})


def _head_of(anchor: Anchor, registry_uid: str) -> AuditHead | None:
    """What an anchor says; None if it contradicts its own name, or is no anchor."""
    content = anchor.content or {}
    hashed = content.get("hash")
    if (content.get("registry_uid"), content.get("seq")) != (registry_uid, anchor.seq) or not isinstance(hashed, str):
        return None
    return AuditHead(seq=anchor.seq, hash=hashed)


def _ref(promotion: Promotion) -> str:
    return f"{promotion.model}:{promotion.number}"
