"""Commands about versions beside the champion, and about labels that arrive later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.answer import Answer, Facts, Table
from airflow_registry.cli.progress import progress
from airflow_registry.cli.show import metrics_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.outcomes import Labelled, LiveMetrics, Paired
    from airflow_registry.domain.shadow import ShadowReport


def shadow(call: Call) -> Answer:
    """What a version said beside the champion."""
    version = call.registry.get(call["ref"])
    found = call.registry.shadow_report(version.model, version.number)
    rows = [
        (one.partition, one.champion, one.agreement.all_rows, one.agreement.share, one.agreement.mean_difference, one.seconds, one.at)
        for one in found.comparisons
    ]
    columns = ("partition", "champion", "rows", "agreement", "mean difference", "seconds", "at")
    failed = Table(title="Failed or stopped", columns=("output",), rows=[(output,) for output in found.failed])
    return Answer(
        document=found.to_json(),
        blocks=[
            _agreement(found),
            Table(columns=columns, rows=rows, empty=f"{version.ref} was not compared yet."),
            *([failed] if found.failed else []),
        ],
    )


def record(call: Call) -> Answer:
    """Join labels with predictions."""
    with progress(f"Joining labels with the predictions of {call['model']}"):
        found = call.registry.record_outcomes(
            call["model"],
            call["labels"],
            keys=call["key"],
            label=call["label"],
            output=call["output"],
            partition=call["partition"],
            metrics=call["metric"] or (),
        )
    counts = {"labels": found.labels, "used": found.used, "of unknown rows": found.unknown}
    left_out = Table(title="Left out", columns=("output", "why"), rows=found.skipped)
    return Answer(
        document=found.to_json(),
        blocks=[
            Facts(pairs={**counts, "without a value": found.without_value, "repeated": found.repeated}),
            _labelled(found.labelled),
            *([left_out] if found.skipped else []),
        ],
    )


def live(call: Call) -> Answer:
    """Live metrics of a model or a version."""
    model, number = call["model"], None
    if ":" in model or "@" in model:
        version = call.registry.get(model)
        model, number = version.model, version.number
    found = call.registry.live_metrics(model, number)
    rows = [(one.number, len(one.partitions), one.rows, metrics_text(one.metrics), _against(one)) for one in found if one.partitions]
    columns = ("version", "partitions", "labelled rows", "metrics", "against the champion")
    empty = f"No labels were recorded for {call['model']}. Hand them in: airflow-registry outcomes record MODEL LABELS --key … --label …"
    partitions = [one for each in found for one in each.partitions]
    return Answer(
        document={"model": str(model), "versions": [one.to_json() for one in found]},
        blocks=[Table(columns=columns, rows=rows, empty=empty), *([_labelled(partitions)] if number is not None and partitions else [])],
    )


def _agreement(found: ShadowReport) -> Facts:
    total, counted = found.agreement, found.shadowed
    drift = total.score_drift
    return Facts(
        pairs={
            "version": f"{found.model}:{found.number}",
            "stage": found.stage,
            "champion": found.champion,
            "partitions": counted.partitions,
            "rows": counted.rows,
            "agreement": total.share,
            "mean difference": total.mean_difference,
            "drift of the scores (PSI)": drift,
        }
    )


def _labelled(found: Sequence[Labelled]) -> Table:
    rows = [(one.number, one.partition, one.is_shadow, one.rows, one.unlabelled, metrics_text(one.metrics), one.at) for one in found]
    columns = ("version", "partition", "in shadow", "labelled rows", "without a label", "metrics", "at")
    return Table(title="Partitions", columns=columns, rows=rows)


def _against(found: LiveMetrics) -> str | None:
    return "; ".join(_won(one) for one in found.paired) or None


def _won(one: Paired) -> str:
    return f"better than v{one.baseline} on {one.wins} rows, worse on {one.losses} of {one.rows} (p {one.p_value:.3g})"
