"""Reports: partitions alone and together, and predictions of two versions by the bins of the earlier one."""

import json
from datetime import UTC, datetime

from airflow_registry.domain.drift.bins import Bins, Feature, Profile, Reference
from airflow_registry.domain.drift.report import Counted, DriftReport, judge_partitions, since
from airflow_registry.domain.drift.sketch import Sketch
from airflow_registry.domain.drift.verdict import Limits, Verdict
from airflow_registry.domain.names import ModelName

AT = datetime(2026, 3, 1, tzinfo=UTC)
EDGES = tuple(range(1, 10))
EVEN, SHIFTED = (1000,) * 10 + (0,), (400,) + (1000,) * 8 + (1600, 0)


def profile(name, counts=EVEN):
    return Profile(features={name: Feature(bins=Bins(edges=EDGES), counts=counts)})


REFERENCE = Reference(inputs=profile("distance"), predictions=profile("probability_1"), rows=10_000, sampled=10_000)


def counted(name, inputs=EVEN, predictions=EVEN, rows=10_000):
    counts = {REFERENCE.inputs.digest: {"distance": inputs}, REFERENCE.predictions.digest: {"probability_1": predictions}}
    return Counted(output=f"/out/{name}", partition=name, committed_at=AT, sketch=Sketch(rows=rows, sampled=10_000, counts=counts))


def test_each_partition_is_judged_alone_and_all_of_them_together():
    each, together = judge_partitions(REFERENCE, [counted("a", inputs=SHIFTED), counted("b"), counted("c")], Limits())
    assert [(one.partition, one.judged.verdict, [drifted.name for drifted in one.judged.drifted]) for one in each] == [
        ("a", Verdict.DRIFTED, ["distance"]),
        ("b", Verdict.STABLE, []),
        ("c", Verdict.STABLE, []),
    ]
    assert together.verdict is Verdict.STABLE
    assert together.inputs[0].rows == 30_000


def test_inputs_and_predictions_share_one_alpha():
    (one,), _ = judge_partitions(REFERENCE, [counted("a", predictions=SHIFTED)], Limits())
    assert [feature.features for feature in one.judged.features] == [2, 2]
    assert [feature.name for feature in one.judged.drifted] == ["probability_1"]


def test_of_nothing_nothing_is_said():
    each, together = judge_partitions(REFERENCE, [], Limits())
    assert (each, together.features, together.verdict) == ((), (), Verdict.INSUFFICIENT)


def test_predictions_of_two_versions_are_compared_by_the_bins_of_the_earlier_one():
    earlier = profile("probability_1", counts=(1,) * 11)
    digest = earlier.digest
    before, now = (Sketch(counts={digest: {"probability_1": counts}}) for counts in (EVEN, SHIFTED))
    (found,) = since(earlier, before, now, Limits())
    assert (found.verdict, found.reference_rows) == (Verdict.DRIFTED, 10_000)
    assert since(earlier, Sketch(), now, Limits()) == since(earlier, before, Sketch(), Limits()) == ()


def test_a_report_is_json_with_the_features_once():
    each, together = judge_partitions(REFERENCE, [counted("a", inputs=SHIFTED)], Limits())
    report = DriftReport(
        model=ModelName("leads"), number=3, note="one partition", partitions=each, together=together, since_previous=together.predictions
    )
    body = json.loads(json.dumps(report.to_json()))
    assert (body["ref"], body["verdict"], body["note"]) == ("leads:3", "drifted", "one partition")
    assert [one["name"] for one in body["inputs"]] == ["distance"]
    assert body["partitions"] == [
        {
            "output": "/out/a",
            "partition": "a",
            "committed_at": "2026-03-01T00:00:00+00:00",
            "rows": 10_000,
            "verdict": "drifted",
            "drifted": ["distance"],
        }
    ]
    assert [one["name"] for one in body["since_previous"]] == ["probability_1"]
