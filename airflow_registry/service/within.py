"""The ledger's commit inside the transaction that puts the predictions in place, where both are in one database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.service import score
from airflow_registry.sql import beside

if TYPE_CHECKING:
    from airflow_registry.domain.ledger import Intent, Written
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction


class WithinInterface:
    """What is done in somebody else's transaction."""

    core: Core

    def commit_output_within(self, transaction: Transaction, intent: Intent | str, written: Written) -> bool:
        """Say that the output is in place, in the transaction that puts it there, if that is one of the registry's own database.

        Args:
            transaction: Of the database that the predictions go to.
            intent: From `open_output`.
            written: What is said.

        Returns:
            Whether it was; else call `commit_output` afterwards. That is harmless also after a True.

        Raises:
            OutputConflictError: If a newer writer opened the partition meanwhile.
        """
        uid = intent if isinstance(intent, str) else intent.uid
        if not beside.holds_entry(transaction, uid):
            return False
        score.commit_in(self.core, transaction, uid, written)
        return True
