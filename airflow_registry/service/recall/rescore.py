"""Scores partitions of a recall again: each by its own recipe, with the version that scores instead."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.recall import RescoreReport
from airflow_registry.domain.recipe import Recipe
from airflow_registry.errors import OutputConflictError, RegistryError
from airflow_registry.service.drift.counting import sketcher_of
from airflow_registry.service.recall.workshop import Files, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_registry.domain.ledger import Intent
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.recall import RecallItem
    from airflow_registry.scoring.engine import Scored
    from airflow_registry.scoring.inputs import RowInput
    from airflow_registry.scoring.writer import Provenance
    from airflow_registry.service.protocol import Registry
    from airflow_registry.service.recall.workshop import Workshop
    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)


def rescore(
    registry: Registry,
    recall: str,
    outputs: Sequence[str] | None = None,
    *,
    workshop: Workshop | None = None,
    run: RunKey | None = None,
    progress: Callable[[str], None] | None = None,
) -> RescoreReport:
    """Score partitions of a recall again; what is done is left alone, and what fails does not keep the others from their turn.

    Args:
        registry: Whose recall it is.
        recall: Its id.
        outputs: Which partitions; None for all that we can score ourselves.
        workshop: Where they are scored; default: here, from files.
        run: The task instance, None outside Airflow.
        progress: Told a sentence after each partition.
    """
    items = [item for item in registry.recall_items(recall, outputs) if not item.is_done]
    wanted = items if outputs is not None else [item for item in items if item.fault is None]
    work = _Pass(registry=registry, recall=recall, workshop=workshop or Files(), run=run)
    for number, item in enumerate(wanted, start=1):
        said = work.take(item)
        (progress or _log.info)(f"{number} of {len(wanted)} partitions: {item.entry.output} {said}")
    return replace(work.report, may_retry=bool(work.report.faults) and work.may_retry)


@dataclass(kw_only=True)
class _Pass:
    """One walk over partitions."""

    registry: Registry
    recall: str
    workshop: Workshop
    run: RunKey | None
    report: RescoreReport = field(default_factory=RescoreReport)
    may_retry: bool = True

    def take(self, item: RecallItem) -> str:
        """One partition; what became of it, in words."""
        output, report = item.entry.output, self.report
        try:
            target = self._rescored(item)
        except OutputConflictError as error:  # somebody else has opened it meanwhile, and is not to be overwritten
            _log.info("%s", error)
            target = None
        except RegistryError as error:
            _log.warning("%s was not scored again: %s", output, error)
            self.report = replace(report, faults=(*report.faults, (output, str(error))))
            self.may_retry = self.may_retry and error.retryable
            return f"failed: {error}"
        if target is None:
            self.report = replace(report, left=(*report.left, output))
            return "left to its other writer"
        self.report = replace(report, rescored=(*report.rescored, output))
        return f"scored again by {target}"

    def _rescored(self, item: RecallItem) -> str | None:
        recipe = Recipe.parse(item.entry.recipe)
        source = self.workshop.source(recipe, item.entry.partition)
        digest = source.digest()
        read = {"input_digest": None if digest is None else str(digest), "input_digest_kind": source.digest_kind}
        intent = self.registry.open_recalled(self.recall, item.entry.output, **read, run=self.run)
        if intent is None:
            return None
        version = self.registry.get(f"{intent.model}:{intent.number}")
        scored = self.workshop.score(self._job(recipe, version, source, intent))
        self.registry.commit_output(intent, _written(scored))
        return version.ref

    def _job(self, recipe: Recipe, version: ModelVersion, source: RowInput, intent: Intent) -> Job:
        def record(scored: Scored, transaction: Transaction) -> None:
            self.registry.commit_output_within(transaction, intent, _written(scored))

        provenance, opened = self._provenance(version, source, intent), source.open()
        sketcher = sketcher_of(self.registry, version.ref, digest=intent.input_digest, rows=opened.rows)
        return Job(recipe=recipe, version=version, source=opened, intent=intent, provenance=provenance, record=record, sketcher=sketcher)

    def _provenance(self, version: ModelVersion, source: RowInput, intent: Intent) -> Provenance:
        from airflow_registry.scoring.writer import Provenance

        run: dict[str, Any] = {name: getattr(self.run, name, None) for name in ("dag_id", "run_id", "task_id", "map_index")}
        return Provenance(
            model=str(version.model),
            version=version.number,
            digest=None if version.digest is None else str(version.digest),
            partition=intent.partition,
            input_digest=intent.input_digest,
            input_digest_kind=source.digest_kind or "",
            registry=str(self.registry.describe().get("registry_uid", "")),
            deployment=self.registry.deployment,
            **run,
        )


def _written(scored: Scored) -> Written:
    facts: dict[str, Any] = {name: getattr(scored, name) for name in ("uri", "rows", "quarantined", "seconds", "size_bytes")}
    sketch = None if scored.sketch is None else scored.sketch.to_json()
    return Written(**facts, digest=str(scored.digest), null_predictions=scored.non_finite, sketch=sketch)
