"""The production pointer: who is champion, for consumers that speak neither SQL nor HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.sql import catalog

if TYPE_CHECKING:
    from airflow_registry.domain.names import ModelName
    from airflow_registry.service.core import Core


def point(core: Core, model: ModelName, number: int | None, revision: int) -> str:
    """Write the pointer of a model and return its URI.

    Args:
        core: The stores.
        model: The model.
        number: The champion's number; None if nothing is in PRODUCTION.
        revision: The champion's revision; an older one does not replace a newer one.
    """
    with core.store.read() as tx:
        row = catalog.need_model(tx, model)
        champion = None if number is None else catalog.need_version(tx, row, number).value
    payload = {
        "model": str(row.name),
        "version": number,
        "remote_path": None if champion is None else champion.remote_path,
        "digest": None if champion is None else champion.digest,
        "format": None if champion is None else champion.artifact.format,
        "size_bytes": None if champion is None else champion.artifact.size_bytes,
        "registry_uid": core.registry_uid,
    }
    return core.artifacts.write_pointer(row.name, payload, revision)
