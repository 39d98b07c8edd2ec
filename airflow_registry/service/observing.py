"""What versions say beside the champion, and how predictions turn out, as verbs of `ModelRegistry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.shadow import NEWEST
from airflow_registry.service import outcomes, shadow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.domain.ledger import Intent, Written
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.outcomes import LiveMetrics, RecordedOutcomes
    from airflow_registry.domain.shadow import Agreement, Kind, ShadowComparison, ShadowReport
    from airflow_registry.service.core import Core


class ObservingInterface:
    """Shadow runs, and labels that arrive later."""

    core: Core

    def shadow_versions(self, model: str, *, limit: int = NEWEST) -> tuple[ModelVersion, ...]:
        """The newest versions of a model that are in SHADOW, newest first, at most `limit`."""
        return shadow.versions(self.core, model, limit)

    def open_shadow(self, champion: Intent | str, version: object, *, output: str, run: RunKey | None = None) -> Intent | None:
        """Write the intent of a shadow run over the champion's input; None if the version has been tried on it before.

        Args:
            champion: The ledger entry of the output that it is compared with.
            version: The version in SHADOW.
            output: Where its predictions go: beside the champion's.
            run: The task instance, None outside Airflow.
        """
        return shadow.begin(self.core, champion if isinstance(champion, str) else champion.uid, version, output, run)

    def commit_shadow(
        self, intent: Intent | str, written: Written, *, champion: Intent | str, kind: Kind, agreement: Agreement
    ) -> ShadowComparison:
        """Say that a shadow's output is in place, and how far it says what the champion's says.

        Args:
            intent: From `open_shadow`.
            written: What was written.
            champion: The ledger entry of the output that it was compared with.
            kind: Whether `labels` or `numbers` were compared.
            agreement: The counts.
        """
        return shadow.commit(self.core, intent, written, champion if isinstance(champion, str) else champion.uid, kind, agreement)

    def shadow_report(self, model: str, version: object) -> ShadowReport:
        """What a version did in SHADOW: every comparison, and the agreement with the present champion."""
        return shadow.report(self.core, model, version)

    def record_outcomes(
        self,
        model: str,
        labels: object,
        *,
        keys: Sequence[str] | str,
        label: str,
        output: str | None = None,
        partition: str | None = None,
        metrics: Sequence[str] = (),
        by: str | None = None,
    ) -> RecordedOutcomes:
        """Join labels that arrived later with the live predictions, and keep the metrics per version and partition.

        Args:
            model: The model.
            labels: A pandas frame, an Arrow table, or the path of a parquet or CSV file: all that is known of a partition, because of
                a partition the newest recording counts.
            keys: The columns that say which row a label is of; they stand in the output too.
            label: The column that holds what really happened.
            output: Only outputs at or below this folder; default: all live outputs of the model.
            partition: Only this partition.
            metrics: By scikit-learn's names or `module:function`; default: what an evaluation computes for this kind of model.
            by: Who hands them in; default: the process's user.

        Raises:
            NotFoundError: If the model has no live output there.
            InvalidInputError: If labels contradict each other, are of rows in several partitions or in none, or are of another type
                than the predictions.
        """
        order = outcomes.Order(labels=labels, keys=keys, column=label, output=output, partition=partition, metrics=tuple(metrics), by=by)
        return outcomes.record(self.core, model, order)

    def live_metrics(self, model: str, version: object = None) -> tuple[LiveMetrics, ...]:
        """How the predictions of each version, or of one, turned out; a version without labels is left out unless it is named."""
        return outcomes.live_metrics(self.core, model, version)
