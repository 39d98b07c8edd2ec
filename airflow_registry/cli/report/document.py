"""A report as a document for machines: every fact, under names that stay the same from release to release (`schema: 1`)."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_registry.cli import documents
from airflow_registry.domain.diff import compare
from airflow_registry.domain.report import gains, limits

if TYPE_CHECKING:
    from airflow_registry.domain.report import DecisionRecord, EvaluationRecord, HistoryPoint, Measure, ModelReport

SCHEMA = 1


def document(report: ModelReport) -> dict[str, Any]:
    """The report with all its facts."""
    return {
        "schema": SCHEMA,
        "ref": report.version.ref,
        "at": report.at,
        "registry": report.registry,
        "deployment": report.deployment,
        "model": {**documents.model(report.model), **_fields(report.standing)},
        "version": documents.version(report.version),
        "limits": list(limits(report)),
        "what_changed": _what_changed(report),
        "evaluations": [_evaluation(entry) for entry in report.evaluations],
        "gains": [_fields(gain) for gain in gains(report)],
        "decisions": [_decision(entry) for entry in report.decisions],
        "votes": [_fields(vote) for vote in report.votes],
        "waivers": [_fields(waiver) for waiver in report.waivers],
        "promotions": [documents.promotion(change) for change in report.changes],
        "champions": [_fields(tenure) for tenure in report.tenures],
        "scoring": {**_fields(report.scoring), "unrecorded": [_fields(use) for use in report.scoring.unrecorded]},
        "history": [_point(point) for point in report.history],
        "audit": {
            **_fields(report.audit),
            "head": {"seq": report.audit.head.seq, "hash": report.audit.head.hash},
            "entries": [_fields(entry) for entry in report.audit.entries],
        },
    }


def _what_changed(report: ModelReport) -> dict[str, Any] | None:
    return None if report.previous is None else documents.diff(compare(report.previous, report.version))


def _evaluation(record: EvaluationRecord) -> dict[str, Any]:
    facts = documents.evaluation(record.evaluation)
    return {
        **facts,
        **_fields(record, without=("evaluation", "measures", "bins")),
        "metrics": [_measure(entry) for entry in record.measures],
        "bins": {str(number): [_fields(part) for part in bins] for number, bins in record.bins.items()},
    }


def _measure(measure: Measure) -> dict[str, Any]:
    metric = measure.metric
    interval = None if measure.interval is None else _fields(measure.interval)
    about = {"name": metric.name, "slice": metric.slice, "version": measure.number}
    return {**about, "value": metric.as_float, "rows": metric.rows, "interval": interval}


def _decision(record: DecisionRecord) -> dict[str, Any]:
    return {**documents.decision(record.decision), **_fields(record, without=("decision",))}


def _point(point: HistoryPoint) -> dict[str, Any]:
    return {"version": point.number, "name": point.metric.name, "value": point.metric.as_float, "same_data": point.same_data}


def _fields(value: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:  # noqa: ANN401  any dataclass
    return {field.name: getattr(value, field.name) for field in fields(value) if field.name not in without}
