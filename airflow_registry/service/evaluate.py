"""Evaluating: the challenger and the champion score the same rows, in one pass."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_registry.domain.metrics import metrics_from
from airflow_registry.domain.model import Dataset
from airflow_registry.errors import RegistryError
from airflow_registry.service import load
from airflow_registry.service.record import add_evaluation, audit_evaluation
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import judgements, models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.scoring.evaluation import Evaluated
    from airflow_registry.service.core import Core

_log = logging.getLogger(__name__)


def evaluate(core: Core, model: str, version: object, *, data: str, target: str, metrics: Sequence[str], name: str | None) -> Evaluation:
    """Score the version and the champion on `data` and store the metrics of both.

    Args:
        core: The stores.
        model: The model.
        version: The challenger.
        data: Parquet or CSV: a file, a folder, or a glob; local, `s3://` or `gs://`.
        target: Column that holds the labels.
        metrics: scikit-learn names; empty for the usual ones of the kind of model.
        name: What the data set is called; default: its URI.

    Raises:
        InvalidInputError: If the data or the target column cannot be used.
    """
    from airflow_registry.scoring.evaluation import evaluate as score
    from airflow_registry.scoring.source import open_source

    judged = _judged(core, model, version)
    source = open_source(data, core.settings.storage)
    objects = {row.value.number: found for row in judged if (found := _loaded(core, row, is_champion=row is not judged[0])) is not None}
    judged = [row for row in judged if row.value.number in objects]
    signatures = {row.value.number: row.value.signature for row in judged}
    scored = score(objects, signatures, source, target, tuple(metrics))
    _tell_of_excluded(scored)
    dataset = Dataset(name=name or data, uri=data, digest=scored.dataset_digest, rows=scored.rows)
    results = {row.id: metrics_from(scored.results[row.value.number], rows=scored.rows) for row in judged}
    with core.store.write() as tx:
        evaluation_id = add_evaluation(core, tx, judged[0].model.id, "evaluate", dataset, results, by=core.user)
        audit_evaluation(core, tx, judged[0], dataset)
        found = tx.all(judgements.evaluations_with(judged[0].model.id, [row.id for row in judged]))
    return next(entry for entry in rows.evaluations(found, judged[0].model.name) if entry.sequence == evaluation_id)


def _tell_of_excluded(scored: Evaluated) -> None:
    if scored.excluded:
        from airflow_registry.scoring.quarantine import summary

        total = scored.rows + scored.excluded
        _log.warning("%s of %s rows were left out for every version:\n%s", scored.excluded, total, summary(scored.reasons))


def _loaded(core: Core, row: catalog.VersionRow, *, is_champion: bool) -> object:
    """The model; None for a champion that can never be loaded: it must not stand in the way of those who would replace it."""
    try:
        return load.load(core, row.value)
    except RegistryError as error:
        if not is_champion or error.retryable:
            error.add_note(f"This is about {row.value.ref}; nothing was evaluated.")
            raise
        _log.warning("The champion %s is left out, so no rule against it can hold: %s", row.value.ref, error)
        return None


def _judged(core: Core, model: str, version: object) -> list[catalog.VersionRow]:
    """The challenger first, then the champion where there is another one."""
    with core.store.read() as tx:
        row = catalog.need_model(tx, model)
        challenger = catalog.need_version(tx, row, version)
        champion = catalog.champion_cell(tx, row)
        if champion.version_id in {None, challenger.id}:
            return [challenger]
        found = tx.first(models.version_by_id(champion.version_id or 0))
        return [challenger] if found is None else [challenger, catalog.version_row(found, row)]
