"""What versions wrote, and taking it back, as verbs of `ModelRegistry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.ledger import Work
from airflow_registry.service import whois
from airflow_registry.service.recall import apply, opening, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_registry.domain.ledger import Intent, LedgerEntry, RecallPlan
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.recall import Recall, RecallItem
    from airflow_registry.service.core import Core


class RecallInterface:
    """The ledger, read from both ends, and recalls."""

    core: Core

    def predictions(self, model: str, version: object = None) -> tuple[LedgerEntry, ...]:
        """What a model, or one version of it, wrote or meant to write; oldest first."""
        return whois.predictions(self.core, model, version)

    def writers(self, output: str, partition: str | None = None) -> tuple[LedgerEntry, ...]:
        """Everybody who wrote, or meant to write, an output; oldest first.

        Args:
            output: The partition's own folder or file; or, with its key, the folder that holds the partitions.
            partition: The partition's key.
        """
        return whois.writers(self.core, output, partition)

    def wrote(self, output: str, partition: str | None = None, *, at: datetime | None = None) -> LedgerEntry | None:
        """Whose content an output had at an (aware) time, now by default; None if nobody had finished one by then."""
        return whois.wrote(self.core, output, partition, at)

    def whois(self, path: str) -> LedgerEntry:
        """Who wrote the predictions at that path, or exactly those bytes, or what the file names as its origin (see `found_by`)."""
        return whois.whois(self.core, path)

    def recall(self, model: str, version: object) -> RecallPlan:
        """The plan of a recall: which partitions the version's output stands in. Nothing is changed."""
        return read.plan(self.core, model, version)

    def apply_recall(
        self,
        model: str,
        version: object,
        *,
        reason: str,
        with_version: object = None,
        and_rollback: bool = False,
        by: str | None = None,
        run: RunKey | None = None,
    ) -> Recall:
        """Take back what a version wrote: its partitions are quarantined until somebody else has written them.

        The same again changes nothing and returns the recall as it stands. Who scores again, is `RecallOperator`, `dags/recall.py` or
        `airflow-registry recall --apply --here`; any other run that writes a partition counts as well.

        Args:
            model: The model.
            version: The bad version.
            reason: Why; it is audited.
            with_version: Which version scores instead; default: the champion.
            and_rollback: Roll the version back before, if it is the champion.
            by: Who; default: the process's user.
            run: The task instance that asks.

        Raises:
            ConflictError: If the version is the champion, or the other one was recalled itself.
            NoChampionError: If nobody is named to score instead, and there is no champion.
        """
        order = apply.RecallOrder(reason=reason, with_version=with_version, and_rollback=and_rollback, by=by, run=run)
        return apply.apply(self.core, model, version, order)

    def recalls(self, model: str | None = None) -> tuple[Recall, ...]:
        """All recalls, or those of one model, with how far they have come; newest first."""
        return read.all_recalls(self.core, model)

    def recall_items(self, recall: str, outputs: Sequence[str] | None = None) -> tuple[RecallItem, ...]:
        """The partitions of a recall, all or those of some outputs: what is recalled, and who came after it."""
        return read.items(self.core, recall, outputs)

    def open_recalled(
        self,
        recall: str,
        output: str,
        *,
        input_digest: str | None = None,
        input_digest_kind: str | None = None,
        run: RunKey | None = None,
    ) -> Intent | None:
        """Write the intent to score a partition of a recall again; None if somebody else has written it, or is at it.

        Args:
            recall: Id of the recall.
            output: The partition's output.
            input_digest: What is read.
            input_digest_kind: What that digest is made of: `sha256` or `versions`.
            run: The task instance, None outside Airflow.

        Raises:
            OutputConflictError: If a normal run opened the output at the same moment: it is not to be overwritten.
        """
        work = Work(input_digest=input_digest, input_digest_kind=input_digest_kind)
        return opening.open_recalled(self.core, recall, output, work, run)
