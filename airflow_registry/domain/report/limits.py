"""What a reader must know before trusting a version: what was not measured, not recorded, or not decided by the gate.

Each limit follows from stored facts; a limit that does not apply is not mentioned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.domain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_registry.domain.report.values import EvaluationRecord, ModelReport

RUNS_CODE = frozenset({"joblib", "pickle", "mlflow"})
FEW_ROWS = 200  # what a policy without `min_rows` is read with
OFTEN = 20  # decisions on the same data: with so many tries the best of equal versions looks better than it is


def limits(report: ModelReport) -> tuple[str, ...]:
    """Sentences, the gravest first."""
    parts = (_of_evaluation, _of_decision, _of_people, _of_scoring, _of_data, _of_artifact, _of_records)
    return tuple(sentence for part in parts for sentence in part(report))


def _of_evaluation(report: ModelReport) -> Iterator[str]:
    if not report.evaluations:
        yield "No evaluation is recorded: nothing is known of the quality of this version."
        return
    if all(entry.evaluation.source != "evaluate" for entry in report.evaluations):
        yield "Every metric was handed in by other code; the registry has computed none of them itself."
    for record in report.detailed:
        yield from _of_record(report, record)


def _of_record(report: ModelReport, record: EvaluationRecord) -> Iterator[str]:
    data = record.evaluation.data
    name = "data that nobody named" if data is None else repr(data.name)
    number = report.version.number
    if data is None or data.digest is None:
        yield f"The evaluation on {name} cannot be compared with others: the digest of its data is not recorded."
    elif any(entry.digest == data.digest for entry in report.version.datasets):
        yield f"The evaluation on {name} used data that the version was trained on, so that its metrics say little."
    if len(record.evaluation.results) == 1:
        yield f"The evaluation on {name} holds no other version, so that nothing on it is a comparison."
    if record.uses is not None and record.uses >= OFTEN:
        yield (
            f"The data {name} have been used for {record.uses} decisions about this model: the more often, the more the best version "
            "on them is best by luck. Take fresh data."
        )
    yield from _of_slices(record, name, number, _min_rows(report))
    yield from _of_intervals(record, name, number)


def _of_slices(record: EvaluationRecord, name: str, number: int, min_rows: int) -> Iterator[str]:
    rows = {entry.metric.slice: entry.metric.rows or 0 for entry in record.measures if entry.number == number and entry.metric.slice}
    if not rows:
        yield f"The evaluation on {name} has no slices: how the version does on parts of the data is not known."
        return
    few = [slice_ for slice_, count in rows.items() if count < min_rows]
    if few:
        yield f"{len(few)} of {len(rows)} slices of {name} have fewer than {min_rows} rows, too few to judge them: {_some(few)}."


def _of_intervals(record: EvaluationRecord, name: str, number: int) -> Iterator[str]:
    broken = sorted({entry.metric.name for entry in record.measures if entry.number == number and entry.metric.value is None})
    if broken:
        yield f"Not a finite number on {name}, or on some of its slices: {_some(broken)}."
    bare = sorted({entry.metric.name for entry in record.of(number) if entry.interval is None and entry.metric.value is not None})
    if bare:
        why = f" {record.problem}" if record.problem else ""
        yield f"Without an interval on {name}, so that nobody knows how far off by luck: {_some(bare)}.{why}"


def _of_decision(report: ModelReport) -> Iterator[str]:
    newest = report.newest_decision
    if newest is None:
        yield "The gate has never judged this version."
    elif newest.outcome is not Outcome.APPROVED:
        yield f"The newest decision of the gate is {newest.outcome}."
    elif newest.expires_at is not None and newest.expires_at <= report.at and report.version.stage is not Stage.PRODUCTION:
        yield f"The approval expired at {newest.expires_at:%Y-%m-%d %H:%M} UTC."
    overrides = [change for change in report.changes if change.is_override]
    if overrides:
        yield f"It came into PRODUCTION without a decision of the gate ({_some(change.by for change in overrides)})."
    if newest is not None and any(reason.ruling is Ruling.NOT_APPLICABLE for reason in newest.reasons):
        yield "Rules that compare with another version did not apply when it was judged: there was none to compare with."


def _of_people(report: ModelReport) -> Iterator[str]:
    lifted = [waiver for waiver in report.waivers if waiver.holds_at(report.at)]
    if lifted:
        yield f"Rules that a waiver lifts: {_some(f'{waiver.rule} (by {waiver.person})' for waiver in lifted)}."
    if report.standing.is_frozen_at(report.at):
        yield f"The model is frozen: no version is promoted automatically before {report.standing.frozen_until:%Y-%m-%d %H:%M} UTC."


def _of_scoring(report: ModelReport) -> Iterator[str]:
    scoring = report.scoring
    total = scoring.rows + scoring.quarantined
    if scoring.quarantined:
        share = 100 * scoring.quarantined / total
        yield f"{scoring.quarantined:,} of {total:,} rows ({share:.3g} %) that it should have scored did not fit and were set aside."
    if scoring.unfinished:
        writes = "write was" if scoring.unfinished == 1 else "writes were"
        yield f"{scoring.unfinished:,} {writes} begun and never committed: the output may be half-written."
    if scoring.unrecorded:
        runs = len(scoring.unrecorded)
        given = "run was" if runs == 1 else "runs were"
        yield f"{runs:,} {given} given this version and recorded nothing: what was done with it, nobody knows."


def _of_data(report: ModelReport) -> Iterator[str]:
    if not report.version.datasets:
        yield "What it was trained on is not recorded."
    nameless = [entry.name for entry in report.version.datasets if entry.digest is None]
    if nameless:
        yield f"Training data without a digest, so that nobody can show that they are still the same: {_some(nameless)}."
    if report.version.signature is None:
        yield "It has no signature: which columns it takes is not recorded, and rows are not checked before it scores them."


def _of_artifact(report: ModelReport) -> Iterator[str]:
    artifact = report.version.artifact
    if not artifact.remote_path:
        yield "It has no artifact: only facts about it are registered."
    elif not artifact.is_stored:
        yield "Its bytes are kept elsewhere; this registry cannot show that they are still the same."
    if artifact.format in RUNS_CODE:
        yield f"Loading its format ({artifact.format}) runs code that the artifact brings."


def _of_records(report: ModelReport) -> Iterator[str]:
    model, version = report.model, report.version
    facts = {"purpose": model.purpose, "owner": model.owner, "risk tier": model.risk_tier}
    missing = [name for name, value in {**facts, "git commit": version.lineage.git_commit}.items() if not value]
    if missing:
        yield f"Not recorded: {_some(missing)}."
    anchored, newest = report.audit.anchored_to, report.audit.entries[-1].seq if report.audit.entries else 0
    if anchored is not None and anchored < newest:
        yield (
            f"The audit is anchored up to entry {anchored}, and the newest one about this version is {newest}: whoever can write to the "
            "database could have computed those between anew."
        )
    if version.origin is not None:
        yield "It was copied from another registry; what happened there is told as its origin and was not checked here."


def _min_rows(report: ModelReport) -> int:
    """The largest `min_rows` of the newest policy."""
    rules = report.decisions[-1].policy.get("rules", ()) if report.decisions else ()
    return max((rule["min_rows"] for rule in rules if "min_rows" in rule), default=FEW_ROWS)


def _some(names: Iterable[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
