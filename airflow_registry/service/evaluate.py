"""Evaluating: challenger, champion and anchors score the same rows, in one pass; what is known of each row is kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_registry.domain.metrics import metric, metrics_from
from airflow_registry.domain.model import Dataset
from airflow_registry.errors import InvalidInputError, RegistryError
from airflow_registry.service import load
from airflow_registry.service.baselines import find_judged
from airflow_registry.service.record import add_evaluation, audit_evaluation, read_evaluation
from airflow_registry.service.rows import keep_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from airflow_registry.artifacts.base import Stored
    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.metrics import Metric
    from airflow_registry.domain.policy import Policy
    from airflow_registry.scoring.evaluation import Asked, Evaluated
    from airflow_registry.service.baselines import Judged
    from airflow_registry.service.core import Core

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be evaluated on.

    Attributes:
        data: Parquet or CSV: a file, a folder, or a glob; local, `s3://` or `gs://`.
        target: Column that holds the labels.
        metrics: scikit-learn names, or `module:function`; empty for the usual ones of the kind of model.
        slices: `"carrier"`, `"distance:4"` or `{"column": "distance", "bins": 4}`.
        anchors: Versions that are scored beside the champion: numbers, references, `"3 promotions ago"`.
        name: What the data set is called; default: its URI.
        policy: Whose metrics, slices and anchors are added.
    """

    data: str
    target: str
    metrics: Sequence[str] = ()
    slices: Sequence[object] = ()
    anchors: Sequence[object] = field(default=())
    name: str | None = None
    policy: Policy | None = None

    def asked(self) -> Asked:
        """What is looked for in the data.

        Raises:
            InvalidInputError: If a slice is none, or a list is given as text.
        """
        from airflow_registry.scoring.evaluation import Asked
        from airflow_registry.scoring.slices import parse_slices

        if isinstance(self.metrics, str):
            raise InvalidInputError(f"metrics= is a list of names, also of one: [{self.metrics!r}].")
        asks = None if self.policy is None else self.policy.asks
        slices = parse_slices(self.slices) if asks is None else parse_slices([*parse_slices(self.slices), *asks.slices])
        return Asked(target=self.target, metrics=tuple(self.metrics), slices=slices, of_policy=() if asks is None else asks.metrics)

    @property
    def every_anchor(self) -> Sequence[object]:
        """Those of the policy too."""
        return self.anchors if self.policy is None or not self.policy.asks.anchors else [*self.anchors, *self.policy.asks.anchors]


def evaluate(core: Core, model: str, version: object, order: Order) -> Evaluation:
    """Score the version, the champion and the anchors on the same rows, and store metrics and rows.

    Args:
        core: The stores.
        model: The model.
        version: The challenger.
        order: On what, and what for.

    Raises:
        InvalidInputError: If the data, the target, a metric or a slice cannot be used.
        VersionNotFoundError: If the version or an anchor is not there.
        StorageUnavailableError: If a store is out of reach; nothing is stored then.
    """
    from airflow_registry.scoring.evaluation import evaluate as score
    from airflow_registry.scoring.source import open_source

    asked = order.asked()
    with core.store.read() as tx:
        judged = find_judged(tx, model, version, order.every_anchor)
    source = open_source(order.data, core.settings.storage)
    objects = {each.number: found for each in judged if (found := _loaded(core, each)) is not None}
    judged = tuple(each for each in judged if each.number in objects)
    scored = score(objects, {each.number: each.row.value.signature for each in judged}, source, asked)
    _tell_of_excluded(scored)
    return _store(core, judged, order, scored)


def _store(core: Core, judged: tuple[Judged, ...], order: Order, scored: Evaluated) -> Evaluation:
    """Bytes before rows: a crash leaves a file that nobody speaks of."""
    from airflow_registry.scoring.rows_file import About

    challenger = judged[0].row
    digests = {each.number: each.row.value.digest for each in judged}
    stored = keep_rows(core, scored.table, About(model=challenger.model.name, target=order.target, versions=digests))
    dataset = Dataset(name=order.name or order.data, uri=order.data, digest=scored.dataset_digest, rows=scored.rows)
    results = {each.row.id: _metrics(scored, each.number) for each in judged}
    kept = _kept(scored, order, stored)
    with core.store.write() as tx:
        number = add_evaluation(core, tx, challenger.model.id, "evaluate", dataset, results, by=core.user, kept=kept)
        audit_evaluation(core, tx, challenger, dataset, number, rows_digest=stored.digest)
        return read_evaluation(tx, challenger.model, number)


def _metrics(scored: Evaluated, number: int) -> tuple[Metric, ...]:
    """The metrics of one version: of all rows, then of each slice."""
    of_slices = (
        metric(name, value, rows=scored.slice_rows[slice_], slice_=slice_)
        for slice_, values in scored.sliced[number].items()
        for name, value in values.items()
    )
    return (*metrics_from(scored.results[number], rows=scored.rows), *of_slices)


def _kept(scored: Evaluated, order: Order, stored: Stored) -> Mapping[str, Any]:
    from airflow_registry.sql.rows import metrics_to_json

    return {
        "kind": scored.table.kind,
        "target": order.target,
        "slices": list(scored.table.slices),
        "trivial": metrics_to_json(scored.trivial),
        "artifact_uri": stored.remote_path,
        "artifact_digest": stored.digest,
    }


def _tell_of_excluded(scored: Evaluated) -> None:
    if scored.excluded:
        from airflow_registry.scoring.quarantine import summary

        total = scored.rows + scored.excluded
        _log.warning("%s of %s rows were left out for every version:\n%s", scored.excluded, total, summary(scored.reasons))


def _loaded(core: Core, judged: Judged) -> object:
    """The model; None for a baseline that can never be loaded: it must not stand in the way of those who would replace it."""
    version = judged.row.value
    try:
        return load.load(core, version)
    except RegistryError as error:
        if judged.role == "challenger" or error.retryable:
            error.add_note(f"This is about {version.ref}; nothing was evaluated.")
            raise
        _log.warning("The %s %s is left out, so no rule against it can hold: %s", judged.role, version.ref, error)
        return None
