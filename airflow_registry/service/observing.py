"""What versions say beside the champion, as verbs of `ModelRegistry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.shadow import NEWEST
from airflow_registry.service import shadow

if TYPE_CHECKING:
    from airflow_registry.domain.ledger import Intent, Written
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.shadow import Agreement, Kind, ShadowComparison, ShadowReport
    from airflow_registry.service.core import Core


class ObservingInterface:
    """Shadow runs."""

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
