"""Reading the facts of a report: one snapshot of the database, so that its parts agree with each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.domain.audit import AuditHead
from airflow_registry.domain.audit_report import AuditRecord
from airflow_registry.domain.ledger import UnrecordedUse
from airflow_registry.domain.metrics import Metric
from airflow_registry.domain.report import (
    AuditTrail,
    DecisionRecord,
    HistoryPoint,
    ModelReport,
    ScoringRecord,
    tenures,
)
from airflow_registry.errors import RegistryError
from airflow_registry.service import read
from airflow_registry.service.audit.anchoring import newest_anchored
from airflow_registry.service.people.standing import standing, vote, waiver
from airflow_registry.service.report import evaluations
from airflow_registry.service.report.intervals import with_intervals
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import audit, judgements, ledger, models, people, recalls
from airflow_registry.sql.statements import report as statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.report import EvaluationRecord
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction

HISTORY = 50  # versions in the history of a metric: a year of weekly retrains
AUDITED = 200  # entries; a version that was pinned anew every day has thousands


def gather(core: Core, ref: str) -> ModelReport:
    """Everything that is stored about one version.

    Raises:
        NoChampionError: If the reference is to PRODUCTION and nothing is there.
        VersionNotFoundError: If there is no such version.
    """
    version = read.get(core, ref)
    with core.store.read() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, version.model), version.number)
        found = _report(core, tx, row)
    evaluated = tuple(with_intervals(core, record, version.number) for record in found.evaluations)
    return replace(found, evaluations=evaluated, audit=replace(found.audit, anchored_to=_anchored_to(core)))


def _report(core: Core, tx: Transaction, row: VersionRow) -> ModelReport:
    changes = tuple(rows.promotion(found) for found in tx.all(judgements.promotions_of(row.model.id)))
    decisions = tuple(_decision(entry) for entry in tx.all(statements.decisions_about(row.model.id, row.id)))
    evaluated = evaluations.records(tx, row)
    return ModelReport(
        at=core.now(),
        registry=str(tx.scalar(audit.registry_uid())),
        deployment=core.settings.deployment,
        model=next(rows.registered_model(found) for found in tx.all(models.all_models()) if found["id"] == row.model.id),
        standing=standing(tx, row.model),
        version=row.value,
        previous=_previous(tx, row, decisions),
        evaluations=evaluated,
        decisions=decisions,
        votes=tuple(vote(entry) for entry in tx.all(people.votes_about(row.id))),
        waivers=tuple(waiver(entry) for entry in tx.all(people.waivers_about(row.id))),
        changes=tuple(change for change in changes if change.number == row.value.number),
        tenures=tenures(changes),
        scoring=_scoring(tx, row),
        history=_history(tx, row, evaluated),
        audit=_audit(tx, row),
    )


def _decision(entry: RowMapping) -> DecisionRecord:
    return DecisionRecord(
        decision=rows.decision(entry),
        policy=entry["policy"],
        source=entry["policy_source"],
        by=entry["decided_by"],
        dag_id=entry["dag_id"],
        run_id=entry["run_id"],
    )


def _previous(tx: Transaction, row: VersionRow, decisions: Sequence[DecisionRecord]) -> ModelVersion | None:
    """The champion of the newest decision that had one, else the version before this one."""
    number = next((entry.decision.champion for entry in reversed(decisions) if entry.decision.champion), row.value.number - 1)
    if number == row.value.number or number < 1:
        return None
    found = tx.first(models.version_by_number(row.model.id, number))
    return None if found is None else rows.model_version(found)


def _scoring(tx: Transaction, row: VersionRow) -> ScoringRecord:
    uses = tuple(
        UnrecordedUse(model=row.model.name, number=row.value.number, dag_id=use["dag_id"], run_id=use["run_id"])
        for use in (*tx.all(recalls.uses_of_version(row.id)), *tx.all(ledger.unrecorded_uses(row.id)))
    )
    return ScoringRecord(**tx.one(statements.written_by(row.id)), unrecorded=uses)


def _history(tx: Transaction, row: VersionRow, evaluated: Sequence[EvaluationRecord]) -> tuple[HistoryPoint, ...]:
    """Of every version and metric the newest value, but rather one on the data of this version's newest value of that metric."""
    own = _data_of_metrics(evaluated, row.value.number)
    newest = int(tx.scalar(models.newest_number(row.model.id)))
    chosen: dict[tuple[int, str], HistoryPoint] = {}
    for found in tx.all(statements.history(row.model.id, max(1, newest - HISTORY + 1))):
        key, digest = (found["number"], found["name"]), own.get(found["name"])
        is_same = digest is not None and found["data_digest"] == digest
        if key not in chosen or (is_same and not chosen[key].same_data):
            metric = Metric(**{name: found[name] for name in ("name", "value", "non_finite", "rows")})
            chosen[key] = HistoryPoint(number=found["number"], metric=metric, same_data=is_same)
    return tuple(chosen.values())


def _data_of_metrics(evaluated: Sequence[EvaluationRecord], number: int) -> dict[str, str | None]:
    """On which data each metric of a version was computed last; evaluations are newest first."""
    found: dict[str, str | None] = {}
    for evaluation in (record.evaluation for record in evaluated):
        for name in evaluation.of(number):
            found.setdefault(name, None if evaluation.data is None else evaluation.data.digest)
    return found


def _audit(tx: Transaction, row: VersionRow) -> AuditTrail:
    subjects = (row.value.ref, str(row.model.name))
    found = tuple(_entry(entry) for entry in reversed(tx.all(statements.audited(subjects, AUDITED))))
    head = tx.one(audit.head())
    earlier = tx.scalar(statements.count_audited(subjects)) - len(found)
    return AuditTrail(entries=found, earlier=earlier, head=AuditHead(seq=head["seq"], hash=head["hash"]), anchored_to=None)


def _entry(entry: RowMapping) -> AuditRecord:
    names = ("seq", "at", "deployment", "actor", "action", "subject", "body", "text", "hash")
    is_erased = entry["text_digest"] is not None and entry["text"] is None
    return AuditRecord(**{name: entry[name] for name in names}, is_erased=is_erased)


def _anchored_to(core: Core) -> int | None:
    """The newest entry that the artifact store knows; a store that does not answer is no reason to have no report."""
    try:
        return newest_anchored(core)
    except RegistryError:
        return None
