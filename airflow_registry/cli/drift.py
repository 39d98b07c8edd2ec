"""Commands about drift: the champion's features and predictions, and the retrainings that were asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_registry.cli.answer import DONE, REFUSED, Answer, Table
from airflow_registry.domain.drift.verdict import Verdict, excess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.drift.report import DriftReport
    from airflow_registry.domain.drift.verdict import FeatureDrift

LIMIT, LONGEST = 10, 20
"""Marks of a bar: of a feature at its limit, and of one far beyond."""
_FEATURES = ("feature", "verdict", "PSI", "limit", "of the limit", "rows", "reference")


def drift(call: Call) -> Answer:
    """How far the champion's data drifted; drift is exit code 1, so that a script can ask."""
    given = {name: call[name] for name in ("partitions", "alpha", "floor", "ignore") if call[name] is not None}
    found = call.registry.drift(call["model"], **given)
    return Answer(
        document=found.to_json(),
        blocks=[*_tables(found), *(one.reason for one in found.together.drifted), found.note],
        exit_code=REFUSED if found.verdict is Verdict.DRIFTED else DONE,
    )


def retrainings(call: Call) -> Answer:
    """What was asked for because of drift."""
    found, now = call.registry.retrainings(call["model"]), datetime.now(UTC)
    newest = max((version.number for version in call.registry.versions(call["model"])), default=0)
    states = ["awaited" if one.is_open(newest_version=newest, now=now) else "over" for one in found]
    rows = [
        (one.number, one.asked_at, one.asked_by, state, one.expires_at, next(iter(one.reasons), None))
        for one, state in zip(found, states, strict=True)
    ]
    columns = ("number", "asked at", "by", "state", "at most until", "first reason")
    return Answer(
        document={"retrainings": [{**one.to_json(), "state": state} for one, state in zip(found, states, strict=True)]},
        blocks=[Table(columns=columns, rows=rows, empty=f"Nobody asked for a retraining of {call['model']} because of drift.")],
    )


def bar(one: FeatureDrift) -> str:
    """How much of its limit a feature has used: ten marks are the limit, and a `+` says that there is more than is shown."""
    marks = round(LIMIT * excess(one))
    return "#" * marks if marks <= LONGEST else "#" * (LONGEST - 1) + "+"


def _tables(found: DriftReport) -> list[Table]:
    nothing = "Nothing was counted."
    partitions = [
        (one.partition, one.judged.verdict, one.rows, one.committed_at, ", ".join(feature.name for feature in one.judged.drifted))
        for one in found.partitions
    ]
    tables = [
        Table(title=f"What goes into {found.ref}", columns=_FEATURES, rows=_rows(found.together.inputs), empty=nothing),
        Table(title=f"What {found.ref} says", columns=_FEATURES, rows=_rows(found.together.predictions), empty=nothing),
        Table(
            title="Partition by partition", columns=("partition", "verdict", "rows", "written", "drifted"), rows=partitions, empty=nothing
        ),
    ]
    if found.since_previous:
        title = f"What {found.ref} says, against what {found.model}:{found.previous} said last"
        tables.insert(2, Table(title=title, columns=_FEATURES, rows=_rows(found.since_previous)))
    return tables


def _rows(features: Sequence[FeatureDrift]) -> list[tuple[object, ...]]:
    return [(one.name, one.verdict, one.psi, _limit(one), bar(one), one.rows, one.reference_rows) for one in features]


def _limit(one: FeatureDrift) -> float | None:
    return None if one.cutoff is None else max(one.cutoff, one.floor)
