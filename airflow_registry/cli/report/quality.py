"""The part of a report that says how good a version is: metrics of all rows and by slice, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.render import shown
from airflow_registry.cli.report import figures
from airflow_registry.cli.report.blocks import Facts, Grid, Section, Text
from airflow_registry.domain.metrics import known_goal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_registry.cli.report.blocks import Block
    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.report import EvaluationRecord, HistoryPoint, Measure, ModelReport

WORST = 30
USUAL = ("roc_auc", "auc", "accuracy", "log_loss", "r2", "rmse", "mae")
_GOALS = {"maximize": "higher", "minimize": "lower", None: "not known"}


def evaluations(report: ModelReport) -> list[Section]:
    """One section for each data set that is shown in detail, and one that mentions the other evaluations."""
    if not report.evaluations:
        return [Section(title="Evaluation", blocks=[Text(text="No evaluation is recorded.")])]
    detailed = [_detailed(report, record) for record in report.detailed]
    rest = [record for record in report.evaluations if not record.measures]
    return [*detailed, *([_mentioned(report, rest)] if rest else []), *_history(report)]


def primary(report: ModelReport, names: Iterable[str]) -> list[str]:
    """Names of metrics, those first by which the newest policy decides, then the usual ones."""
    rules = report.decisions[-1].policy.get("rules", ()) if report.decisions else ()
    ruled = [rule["metric"] for rule in rules if "metric" in rule]
    order = {name: place for place, name in reversed(list(enumerate([*ruled, *USUAL])))}
    return sorted(set(names), key=lambda name: (order.get(name, len(order)), name))


def others(report: ModelReport, record: EvaluationRecord) -> list[int]:
    """The other versions of an evaluation: the champion first."""
    champion = report.model.champion
    return sorted((number for number in record.evaluation.results if number != report.version.number), key=lambda n: (n != champion, n))


def cell(measure: Measure | None) -> object:
    """`0.912 (0.905 to 0.919)`, `nan`, or None."""
    if measure is None:
        return None
    value, interval = shown(measure.metric.as_float), measure.interval
    return value if interval is None else f"{value} ({interval.low:.4g} to {interval.high:.4g})"


def _detailed(report: ModelReport, record: EvaluationRecord) -> Section:
    names = primary(report, (entry.metric.name for entry in record.of(report.version.number)))
    sliced = primary(report, (entry.metric.name for entry in record.measures if entry.metric.slice))
    blocks: list[Block] = [Facts(pairs=_about(record)), _overall(report, record, names), *_remarks(record)]
    numbers = [report.version.number, *others(report, record)]
    if names:
        blocks += figures.by_slice(record, numbers, names[0], WORST)
    blocks += figures.of_scores(record, report.version.number)
    blocks += [_by_slice(report, record, name, is_first=place == 0) for place, name in enumerate(sliced)]
    return Section(title=f"Evaluation on {_name(record.evaluation)}", blocks=blocks)


def _name(evaluation: Evaluation) -> str:
    return "data that nobody named" if evaluation.data is None else evaluation.data.name


def _about(record: EvaluationRecord) -> dict[str, object]:
    found, data = record.evaluation, record.evaluation.data
    return {
        "evaluation": found.uid,
        "metrics come from": {"evaluate": "this registry", "recorded": "other code", "registration": "the registration"}[found.source],
        "recorded": found.recorded_at,
        "recorded by": record.recorded_by,
        "data": None if data is None else data.name,
        "uri of the data": None if data is None else data.uri,
        "digest of the data": None if data is None else data.digest,
        "rows of the data": None if data is None else data.rows,
        "kind": found.kind,
        "target": found.target,
        "slices": found.slices or "none",
        "rows kept": found.rows_uri or "no",
        "digest of the rows": found.rows_digest,
        "decisions that used the data": record.uses,
    }


def _overall(report: ModelReport, record: EvaluationRecord, names: Sequence[str]) -> Grid:
    numbers = [report.version.number, *others(report, record)]
    found = {(entry.metric.name, entry.number): entry for number in numbers for entry in record.of(number)}
    rows = [
        (
            name,
            *(cell(found.get((name, number))) for number in numbers),
            record.evaluation.trivial.get(name, ""),
            _GOALS[known_goal(name)],
            found[name, numbers[0]].metric.rows,
        )
        for name in names
    ]
    columns = ("metric", *(_heading(report, number) for number in numbers), "best constant", "better is", "rows")
    return Grid(title="All rows", columns=columns, rows=rows, empty="This version has no metric on all rows.")


def _heading(report: ModelReport, number: int) -> str:
    return f"v{number} (champion)" if number == report.model.champion else f"v{number}"


def _remarks(record: EvaluationRecord) -> list[Block]:
    methods = {(entry.interval.method, entry.interval.confidence) for entry in record.measures if entry.interval is not None}
    if not methods:
        return [Text(text=f"No intervals. {record.problem or ''}".rstrip())]
    said = ", ".join(f"{method} at {confidence:.0%}" for method, confidence in sorted(methods))
    return [Text(text=f"In brackets: where the value would lie on endlessly many rows like these, as far as chance goes ({said}).")]


def _by_slice(report: ModelReport, record: EvaluationRecord, name: str, *, is_first: bool) -> Grid:
    found_worst = record.worst(report.version.number, name)
    worst, more = found_worst[:WORST], len(found_worst) - WORST
    beside = others(report, record)
    wanted = {entry.metric.slice for entry in worst}
    found = {(e.metric.slice, e.number): e for e in record.measures if e.metric.name == name and e.metric.slice in wanted}
    rows = [
        (entry.metric.slice, entry.metric.rows, cell(entry), *(cell(found.get((entry.metric.slice, number))) for number in beside))
        for entry in worst
    ]
    columns = ("slice", "rows", *(_heading(report, number) for number in (report.version.number, *beside)))
    note = f"The {WORST} worst slices; {more:,} more are in the JSON form of this report." if more > 0 else ""
    return Grid(title=f"{name} by slice, worst first", columns=columns, rows=rows, note=note, folded=not is_first)


def _mentioned(report: ModelReport, records: Sequence[EvaluationRecord]) -> Section:
    number = report.version.number
    rows = [
        (
            record.evaluation.recorded_at,
            record.evaluation.source,
            _name(record.evaluation),
            ", ".join(f"{name} {value:.6g}" for name, value in sorted(record.evaluation.of(number).items())),
            record.evaluation.uid,
        )
        for record in records
    ]
    grid = Grid(columns=("recorded", "source", "data", f"metrics of v{number}", "evaluation"), rows=rows[:WORST], note=_more(len(rows)))
    return Section(title="Other evaluations", blocks=[grid])


def _more(count: int) -> str:
    return f"{count - WORST:,} older ones are in the JSON form of this report." if count > WORST else ""


def _history(report: ModelReport) -> list[Section]:
    """The metrics of the newest versions, on the same data where that is known."""
    names = primary(report, {point.metric.name for point in report.history})
    numbers = sorted({point.number for point in report.history}, reverse=True)
    if len(numbers) < 2:
        return []
    known = {(point.number, point.metric.name): point for point in report.history}
    rows = [(f"v{number}", *(_past(known.get((number, name))) for name in names)) for number in numbers]
    note = "* on other data than the newest value of this version, so that it does not compare."
    grid = Grid(columns=("version", *names), rows=rows, note=note, folded=True, title="Values")
    return [Section(title="Metrics over versions", blocks=[*figures.history(report, names), grid])]


def _past(point: HistoryPoint | None) -> str:
    if point is None:
        return ""
    return f"{point.metric.as_float:.6g}{'' if point.same_data else ' *'}"
