"""Versions in SHADOW, and labels that arrive later, where inputs and outputs are in a bucket."""

from __future__ import annotations

import pytest

from airflow_registry.modeling.signature import capture
from airflow_registry.operators import BatchInferenceOperator
from airflow_registry.scoring.partitions import list_partitions
from tests.integration.buckets.conftest import BOTH

DAY = "ds=2026-01-01"


@BOTH
@pytest.mark.s3
def test_a_version_in_shadow_is_compared_and_labels_are_joined_in_a_bucket(registry, fitted, context, lake, frame):
    rows = frame.drop(columns="late").iloc[10:20]
    lake.put(f"leads/{DAY}/part.parquet", rows.assign(x=rows["x"].where(rows["id"] != 12)))
    for _ in range(2):
        registry.register("lead", fitted, signature=capture(fitted, training_frame=frame))
    registry.promote("lead", 1, reason="the first one")
    registry.move("lead", 2, "SHADOW")
    operator = BatchInferenceOperator(model="lead", input=f"{lake.root}/leads", output=f"{lake.root}/out/", partition=DAY)
    result = operator.execute(context("score"))
    assert (result["ref"], result["rows"], result["quarantined"]) == ("lead:1", 9, 1)
    report = registry.shadow_report("lead", 2)
    [one] = report.comparisons
    assert (one.output, one.agreement.rows, one.agreement.agreeing, one.agreement.unmatched, report.failed) == (
        f"{lake.root}/out/.shadow/lead-v2/{DAY}", 9, 9, 0, (),
    )  # fmt: skip
    assert one.agreement.mean_difference == 0
    assert [part.key for part in list_partitions(f"{lake.root}/out", registry.core.settings.storage)] == [DAY]
    lake.put("labels.parquet", frame[["id", "late"]].iloc[10:20])
    made = registry.record_outcomes("lead", f"{lake.root}/labels.parquet", keys="id", label="late")
    assert [(found.number, found.is_shadow, found.rows) for found in made.labelled] == [(1, False, 9), (2, True, 9)]
    assert (made.used, made.unknown, made.labelled[1].paired.wins, made.labelled[1].paired.losses) == (9, 1, 0, 0)
