"""A recalled version writes nothing any more, until somebody promotes it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.errors import ConflictError
from airflow_registry.sql.statements import recalls as statements

if TYPE_CHECKING:
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction


def refuse_recalled(tx: Transaction, row: VersionRow) -> None:
    """Let a version begin to write only if it is not recalled; it cannot be before the transaction ends, so no intent is missed.

    Raises:
        ConflictError: If it is.
    """
    tx.one(statements.share_champion(row.model.id))
    found = tx.first(statements.in_effect(row.id))
    if found is not None:
        target = f"{row.model.name}:{found['target_number']}"
        raise ConflictError(
            f"{row.value.ref} may not write: it was recalled on {found['at']:%Y-%m-%d %H:%M} UTC by {found['person']}. Runs that were "
            f"pinned to it are pinned to {target} now, so run this task again; where the version is named (version=), name another one. "
            "If the recall was a mistake, promote the version again."
        )
