"""How predictions turned out: joined over partitions by their rows."""

import json
import math
from datetime import UTC, datetime

import pytest

from airflow_registry.domain.names import ModelName
from airflow_registry.domain.outcomes import Labelled, LiveMetrics, Paired, PairedTest, RecordedOutcomes, mean_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEST = PairedTest(metric="accuracy", challenger=0.9, baseline=0.8, gain=0.1, lower=None, p_value=0.04, method="exact McNemar", rows=10)


def labelled(rows, *, paired=None, **metrics):
    about = {"uid": "u", "number": 2, "partition": "a", "output": "/out/a", "is_shadow": False, "kind": "binary", "label": "late"}
    return Labelled(**about, rows=rows, unlabelled=0, at=NOW, by="ada", metrics=metrics, paired=paired)


def live(*partitions):
    return LiveMetrics(model=ModelName("lead"), number=2, partitions=partitions)


def test_partitions_are_weighed_by_their_rows():
    found = live(labelled(30, accuracy=0.9, rmse=3.0), labelled(10, accuracy=0.5, rmse=1.0))
    assert found.rows == 40
    assert found.metrics == {"accuracy": pytest.approx(0.8), "rmse": pytest.approx(math.sqrt(7.0))}


def test_a_partition_without_a_value_is_left_out_and_none_at_all_is_nan():
    parts = [labelled(30, roc_auc=math.nan), labelled(10, roc_auc=0.7), labelled(5), labelled(0, roc_auc=0.1)]
    assert mean_of("roc_auc", parts) == (0.7, 10)
    assert mean_of("rmse", parts) == (pytest.approx(math.nan, nan_ok=True), 0)
    assert live().metrics == {}


def test_paired_rows_add_up_for_each_champion():
    pairs = [
        Paired(baseline=1, rows=10, wins=4, losses=1, tests=(TEST,)), Paired(baseline=3, rows=5, wins=0, losses=0),
        Paired(baseline=1, rows=10, wins=4, losses=1),
    ]  # fmt: skip
    found = live(*(labelled(10, paired=pair) for pair in pairs), labelled(1))
    assert found.paired == (Paired(baseline=1, rows=20, wins=8, losses=2), Paired(baseline=3, rows=5, wins=0, losses=0))
    assert found.paired[0].p_value == pytest.approx(0.0547, abs=1e-4)


def test_all_of_it_is_small_json():
    told = live(labelled(10, paired=Paired(baseline=1, rows=10, wins=4, losses=1, tests=(TEST,)), accuracy=0.9)).to_json()
    assert (told["ref"], told["rows"], told["metrics"], told["paired"][0]["wins"]) == ("lead:2", 10, {"accuracy": 0.9}, 4)
    assert told["partitions"][0]["paired"]["tests"][0]["metric"] == "accuracy"
    assert told["partitions"][0]["version"] == 2
    given = RecordedOutcomes(model=ModelName("lead"), labels=3, used=2, unknown=1, labelled=(labelled(2),), skipped=(("/out/b", "no key"),))
    told = given.to_json()
    assert (told["labels"], told["unknown"], told["skipped"]) == (3, 1, [{"output": "/out/b", "reason": "no key"}])
    assert told["labelled"][0]["paired"] is None
    assert json.dumps(told, default=str)
