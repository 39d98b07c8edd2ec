"""Tells the ledger what somebody else's program wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_registry.champion.output import look, written
from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.operators.base import count
from airflow_registry.operators.consuming import ScoringOperator
from airflow_registry.operators.flow import Flow, Wrote

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from airflow_registry.domain.ledger import Written


class RecordPredictionsOperator(ScoringOperator):
    """Records that the version of this run wrote `output`; put it after the task that wrote it.

    Intent and commit come together and after the fact, so a program that dies half-way leaves no trace. Where that matters use
    `production(...).scoring(...)`, which writes the intent before.

    Args:
        model: Name of the model.
        output: URI of the partition's file or folder; one live writer each.
        partition: The partition's key.
        version: Which version wrote it; default: the one that this run is pinned to.
        uri: The data object, where it is not `output` itself.
        rows: Rows written (count); default: counted where the output is parquet that this worker can see.
        quarantined: Rows set aside (count).
        null_predictions: Of the rows written, those whose prediction is missing, NaN or infinite (count); None if nobody counted. The
            burn-in of a champion looks at it.
        if_no_champion: `skip` or `fail`.

    Returns:
        `output`, `partition`, `ref`, `committed`, `live`, `rows`, `run_id`.
    """

    default_task_id = "record_predictions"
    template_fields: Collection[str] = ("model", "output_path", "partition", "version", "uri", "rows", "quarantined", "null_predictions")

    def __init__(
        self,
        *,
        uri: str | None = None,
        rows: int | str | None = None,
        quarantined: int | str = 0,
        null_predictions: int | str | None = None,
        **kwargs: Any,  # noqa: ANN401  the arguments of ScoringOperator
    ) -> None:
        super().__init__(**kwargs)
        self.uri = uri
        self.rows = rows
        self.quarantined = quarantined
        self.null_predictions = null_predictions

    def execute(self, context: Context) -> dict[str, Any]:
        """Intent and commit in one."""
        with airflow_errors():
            registry = self._registry()
            version = self._version(registry, context)
            written = self._written()
            self._filled = Flow(writes=(Wrote(uri=written.uri, rows=written.rows),))
            intent = registry.open_output(
                self.output_path,
                partition=self.partition,
                model=version.model,
                version=version.number,
                run=run_key(context),
                force=True,  # the program has written already, so the content is new, whoever wrote the last one
            )
            return registry.commit_output(intent, written).to_json()

    def _written(self) -> Written:
        """What can be seen of the output, and what the caller knows better."""
        uri = self.uri or self.output_path
        storage = self._storage()
        seen = look(uri, storage)
        if seen is not None and seen.changed_ns == 0:
            raise InvalidInputError(
                f"Not recorded: there is no file at {uri}. Check where the program writes, then clear it and this task."
            )
        found = written(uri, storage)
        rows, quarantined = count("rows", self.rows), count("quarantined", self.quarantined)
        nulls = count("null_predictions", self.null_predictions)
        return replace(
            found,
            rows=found.rows if rows is None else rows,
            quarantined=quarantined or found.quarantined,
            null_predictions=found.null_predictions if nulls is None else nulls,
        )
