"""Where a partition of a recall is scored again: this process, which reaches files. Airflow's tasks reach more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_registry.domain.ledger import Intent
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.recipe import Recipe
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.engine import Scored
    from airflow_registry.scoring.inputs import RowInput, RowSource
    from airflow_registry.scoring.places import Target
    from airflow_registry.scoring.sketch import Sketcher
    from airflow_registry.scoring.writer import Provenance
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One partition that is to be scored again.

    Attributes:
        recipe: How it was scored.
        version: Which version scores it now.
        source: Its rows.
        intent: The right to write it.
        provenance: What stands in the output.
        record: Called in the transaction that publishes, where the output is a table.
        sketcher: Counts features and predictions for drift, None to count nothing.
    """

    recipe: Recipe
    version: ModelVersion
    source: RowSource
    intent: Intent
    provenance: Provenance
    record: Callable[[Scored, Transaction], None]
    sketcher: Sketcher | None = None

    def options(self) -> dict[str, Any]:
        """What every engine is told."""
        told = {name: getattr(self.recipe, name) for name in ("keys", "proba", "max_quarantine_share")}
        return {**told, "provenance": self.provenance, "generation": self.intent.generation}


class Workshop(Protocol):
    """Finds a partition's rows and scores them."""

    def source(self, recipe: Recipe, partition: str) -> RowInput:
        """The rows; nothing of them is read."""

    def score(self, job: Job) -> Scored:
        """Score and publish."""


class Files:
    """Files and objects, by the embedded engine; a model is loaded once.

    Args:
        storage: How object stores are reached.
    """

    def __init__(self, storage: StorageOptions | None = None) -> None:
        self.storage = storage
        self._loaded: dict[str, object] = {}

    def source(self, recipe: Recipe, partition: str) -> RowInput:  # noqa: ARG002  where a database is asked, it names the rows
        """A file, a folder or a glob.

        Raises:
            ConfigurationError: If the recipe needs Airflow.
        """
        from airflow_registry.scoring.source import find_input

        if recipe.needs_airflow or not isinstance(recipe.input, str):
            raise ConfigurationError(
                "Its rows, its output or its engine are named by connections that only Airflow knows. Let the DAG `recall` score it again."
            )
        return find_input(recipe.input, self.storage)

    def score(self, job: Job) -> Scored:
        """Into the output's own folder."""
        return self.embedded(job, job.intent.output)

    def embedded(self, job: Job, target: Target) -> Scored:
        """In this process."""
        from airflow_registry.scoring.engine import score_partition

        version = job.version
        if version.ref not in self._loaded:
            self._loaded[version.ref] = version.load()
        more: dict[str, Any] = {"storage": self.storage, "record": job.record, "sketcher": job.sketcher}
        return score_partition(self._loaded[version.ref], version.signature, job.source, target, **job.options(), **more)
