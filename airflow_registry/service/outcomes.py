"""Labels that arrive later: joined with the live predictions by key columns, judged, and kept per version and partition.

Only live outputs are looked at, of the champion and of versions in SHADOW beside it. Nothing is kept unless everything could be joined.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.outcomes import Labelled, LiveMetrics, Paired, PairedTest, RecordedOutcomes, mean_of
from airflow_registry.errors import InvalidInputError, NotFoundError, OutputConflictError
from airflow_registry.service.core import Core, new_uid
from airflow_registry.service.people.words import speaker
from airflow_registry.service.score import output_key
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import outcomes as statements
from airflow_registry.sql.statements.ledger import entry_by_uid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow_registry.domain.ledger import LedgerEntry
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.labels import Found, Labels
    from airflow_registry.scoring.live import Turned
    from airflow_registry.sql.catalog import ModelRow
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is handed in.

    Attributes:
        labels: A pandas frame, an Arrow table, or a path.
        keys: The columns that say which row a label is of.
        column: The column that holds the labels.
        output: Only outputs at or below this folder; None for all.
        partition: Only this partition; None for all.
        metrics: Empty for what suits the kind of model.
        by: Who hands it in; None for the process's user.
    """

    labels: object
    keys: Sequence[str] | str
    column: str
    output: str | None = None
    partition: str | None = None
    metrics: tuple[str, ...] = ()
    by: str | None = None


def record(core: Core, model: str, order: Order) -> RecordedOutcomes:
    """Join labels with the live predictions of a model, judge them, and keep what came out.

    Raises:
        NotFoundError: If the model has no live output there.
        InvalidInputError: If the labels contradict each other, belong to rows of several partitions or to none, or cannot be compared
            with the predictions.
    """
    from airflow_registry.scoring.labels import read_labels

    person = speaker(core, order.by)
    with core.store.read() as tx:
        found = catalog.need_model(tx, model)
        entries = _live_outputs(tx, found, order)
    labels = read_labels(order.labels, order.keys, order.column, core.settings.storage)
    joined = _Joined.of(entries, labels, core.settings.storage)
    joined.refuse_nothing(labels, entries)
    judged = [group.judged(labels, order.metrics) for group in joined.groups]
    with core.store.write() as tx:
        kept = _store(core, tx, found, judged, labels, person)
    used = sum(len(group.found[group.champion.uid].positions) for group in joined.groups)
    return RecordedOutcomes(
        model=found.name,
        labels=labels.given,
        used=used,
        unknown=len(labels.values) + labels.without_key - used,
        without_value=labels.without_value,
        repeated=labels.repeated,
        labelled=kept,
        skipped=tuple(joined.skipped),
    )


def live_metrics(core: Core, model: str, version: object) -> tuple[LiveMetrics, ...]:
    """How the predictions of each version, or of one, turned out."""
    with core.store.read() as tx:
        found = catalog.need_model(tx, model)
        asked = None if version is None else catalog.need_version(tx, found, version)
        told = [labelled(row) for row in tx.all(statements.outcomes_of(found.id, None if asked is None else asked.id))]
    numbers = sorted({one.number for one in told}) if asked is None else [asked.value.number]
    return tuple(
        LiveMetrics(model=found.name, number=number, partitions=tuple(one for one in told if one.number == number)) for number in numbers
    )


def live_since(tx: Transaction, model_id: int, version_id: int, since: datetime, metric: str) -> tuple[float, int]:
    """A live metric of what a version has written as champion since then, and the rows behind it; NaN and 0 without any."""
    return mean_of(metric, [labelled(row) for row in tx.all(statements.outcomes_of(model_id, version_id, since))])


def labelled(row: Mapping[Any, Any]) -> Labelled:
    """A row of the outcomes joined with its ledger entry and version."""
    facts = {name: row[name] for name in ("uid", "number", "output", "kind", "label", "rows", "unlabelled")}
    return Labelled(
        **facts,
        partition=row["partition_key"],
        is_shadow=bool(row["is_shadow"]),
        at=row["recorded_at"],
        by=row["recorded_by"],
        metrics={name: float(value) for name, value in row["metrics"].items()},
        paired=_paired(row["paired"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The outputs over one partition: the champion's, and those beside it."""

    champion: LedgerEntry
    found: Mapping[str, Found]

    def judged(self, labels: Labels, metrics: tuple[str, ...]) -> tuple[_Group, Turned]:
        """Metrics of all of them."""
        from airflow_registry.scoring.live import judge_live

        return self, judge_live(self.found, labels, champion=self.champion.uid, number=self.champion.number, metrics=metrics)


@dataclass(slots=True, kw_only=True)
class _Joined:
    """Outputs in which labels were found."""

    groups: list[_Group] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    owners: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Sequence[LedgerEntry], labels: Labels, storage: StorageOptions) -> _Joined:
        joined = cls()
        champions = [entry for entry in entries if not entry.is_shadow]
        for champion in champions:
            found = joined.find(champion, labels, storage)
            if found is None or not len(found.positions):
                continue
            joined.claim(champion, found, labels)
            beside = [entry for entry in entries if entry.is_shadow and _is_beside(entry, champion)]
            others = {entry.uid: one for entry in beside if (one := joined.find(entry, labels, storage)) is not None}
            joined.groups.append(_Group(champion=champion, found={champion.uid: found, **others}))
        return joined

    def find(self, entry: LedgerEntry, labels: Labels, storage: StorageOptions) -> Found | None:
        """The labelled rows of an output; None, and why, for one that cannot be joined."""
        from airflow_registry.scoring.labels import NotJoinableError, find_labelled

        try:
            return find_labelled(entry.output, labels, storage)
        except (NotJoinableError, NotFoundError) as error:
            self.skipped.append((entry.output, str(error)))
            return None

    def claim(self, entry: LedgerEntry, found: Found, labels: Labels) -> None:
        """A label of rows of two partitions says nothing about either."""
        for position in found.positions.tolist():
            other = self.owners.setdefault(position, entry.output)
            if other != entry.output:
                raise InvalidInputError(
                    f"The keys {', '.join(labels.keys)} do not say which partition a label is of: {labels.key(position)} stands in "
                    f"{other} and in {entry.output}. Name the partition with partition= or output=, or name more keys."
                )

    def refuse_nothing(self, labels: Labels, entries: Sequence[LedgerEntry]) -> None:
        """Labels that belong to nothing are a mistake, not a result.

        Raises:
            InvalidInputError: If no label was found; says why outputs were left out.
        """
        if self.groups:
            return
        why = f" {self.skipped[0][1]}" if self.skipped else f" The first label is of {labels.key(0)}."
        looked = len([entry for entry in entries if not entry.is_shadow])
        raise InvalidInputError(f"None of {len(labels.values)} labels is of a row in the {looked} live outputs that were looked at.{why}")


def _live_outputs(tx: Transaction, model: ModelRow, order: Order) -> tuple[LedgerEntry, ...]:
    place = None if order.output is None else output_key(order.output)
    found = tuple(rows.ledger_entry(row) for row in tx.all(statements.live_outputs(model.id, place, order.partition)))
    if not any(not entry.is_shadow for entry in found):
        where = "".join(f" {name} {value!r}" for name, value in (("at", order.output), ("of partition", order.partition)) if value)
        raise NotFoundError(
            f"{model.name} has no live output{where}, so the labels are of nothing. Only what BatchInferenceOperator, scoring(...) or "
            "RecordPredictionsOperator recorded is known; `airflow-registry predictions` lists it."
        )
    return found


def _is_beside(entry: LedgerEntry, champion: LedgerEntry) -> bool:
    return (entry.partition, entry.input_digest) == (champion.partition, champion.input_digest)


def _store(
    core: Core, tx: Transaction, model: ModelRow, judged: Sequence[tuple[_Group, Turned]], labels: Labels, by: str
) -> tuple[Labelled, ...]:
    """Keep what came out, and say so in the audit."""
    told = [_values(tx, group, uid, turned, labels) for group, turned in judged for uid in turned.metrics]
    common = {"model_id": model.id, "recorded_at": core.now(), "recorded_by": by}
    kept = [{**values, **common} for values, _ in told]
    tx.run_many(statements.add_outcomes(), kept)
    body = {"label": labels.column, "keys": list(labels.keys), "labels": labels.given, "outputs": len(kept)}
    core.record(tx, "record_outcomes", str(model.name), body, by=by)
    return tuple(labelled({**values, **place}) for values, (_, place) in zip(kept, told, strict=True))


def _values(tx: Transaction, group: _Group, uid: str, turned: Turned, labels: Labels) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of one row, and where its predictions are.

    Raises:
        OutputConflictError: If another writer's predictions took their place meanwhile.
    """
    row, found, paired = tx.one(entry_by_uid(uid)), group.found[uid], turned.paired.get(uid)
    if not row["is_live"]:
        raise OutputConflictError(
            f"{row['output']} was written anew while its labels were joined, and nothing was kept. Record them again."
        )
    values = {
        "uid": new_uid(),
        "version_id": row["version_id"],
        "entry_id": row["id"],
        "kind": turned.kind,
        "label": labels.column,
        "rows": len(found.positions),
        "unlabelled": found.unlabelled,
        "metrics": rows.metrics_to_json(turned.metrics[uid]),
        "paired": None if paired is None else asdict(paired),
    }
    return values, {name: row[name] for name in ("number", "output", "partition_key", "is_shadow")}


def _paired(stored: Mapping[str, Any] | None) -> Paired | None:
    if stored is None:
        return None
    return Paired(**{**stored, "tests": tuple(PairedTest(**test) for test in stored["tests"])})
