"""Recording metrics that were computed somewhere: with the registration, by other code, or by `evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit_state import EVALUATIONS
from airflow_registry.domain.metrics import metrics_from
from airflow_registry.errors import InvalidMetricError
from airflow_registry.service.core import Core, new_uid
from airflow_registry.sql import catalog, claimed, rows
from airflow_registry.sql.statements import judgements as statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.evaluation import Evaluation, Source
    from airflow_registry.domain.metrics import Metric
    from airflow_registry.domain.model import Dataset
    from airflow_registry.sql.store import Transaction


def record_metrics(core: Core, model: str, version: object, metrics: Mapping[str, object], evaluated_on: Dataset | None) -> Evaluation:
    """Store metrics of one version that were computed elsewhere.

    Raises:
        InvalidMetricError: If there are none, or one is not a number.
    """
    checked = metrics_from(metrics, rows=None if evaluated_on is None else evaluated_on.rows)
    if not checked:
        raise InvalidMetricError("There is no metric to record. Give at least one, for example {'auc': 0.91}.")
    with core.store.write() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, model), version)
        evaluation_id = add_evaluation(core, tx, row.model.id, "recorded", evaluated_on, {row.id: checked}, by=core.user)
        audit_evaluation(core, tx, row, evaluated_on, evaluation_id)
        return read_evaluation(tx, row.model, evaluation_id)


def add_evaluation(
    core: Core,
    tx: Transaction,
    model_id: int,
    source: Source,
    data: Dataset | None,
    results: Mapping[int, tuple[Metric, ...]],
    *,
    by: str,
    kept: Mapping[str, Any] | None = None,
) -> int:
    """Write one evaluation; `results` holds metrics by the versions' row ids, `kept` other columns. Returns its sequence."""
    facts: dict[str, Any] = {} if data is None else {f"data_{name}": getattr(data, name) for name in ("name", "uri", "digest", "rows")}
    facts |= kept or {}
    values = {"uid": new_uid(), "model_id": model_id, "source": source, "recorded_at": core.now(), "recorded_by": by, **facts}
    evaluation_id: int = tx.scalar(statements.add_evaluation(values))
    lines = [_line(evaluation_id, version_id, metric) for version_id, metrics in results.items() for metric in metrics]
    tx.run_many(statements.add_metrics(), lines)
    return evaluation_id


def read_evaluation(tx: Transaction, model: catalog.ModelRow, evaluation_id: int) -> Evaluation:
    """One evaluation with all its metrics."""
    return rows.evaluations(tx.all(statements.evaluation_by_id(evaluation_id)), model.name)[0]


def audit_evaluation(
    core: Core, tx: Transaction, row: catalog.VersionRow, data: Dataset | None, evaluation_id: int, *, rows_digest: str | None = None
) -> None:
    """Say in the audit chain that a version has been evaluated, on what, what came out, and which rows are kept of it."""
    evaluation = claimed.named(tx, EVALUATIONS, evaluation_id)
    body = {"data": None if data is None else rows.dataset_to_json(data), "evaluation": evaluation}
    if rows_digest is not None:
        body["rows"] = {"digest": rows_digest}
    core.record(tx, "evaluate", row.value.ref, body, by=core.user)


def _line(evaluation_id: int, version_id: int, metric: Metric) -> dict[str, Any]:
    facts = {name: getattr(metric, name) for name in ("name", "slice", "value", "non_finite", "rows")}
    return {"evaluation_id": evaluation_id, "version_id": version_id, **facts}
