"""An evaluation holds the metrics of versions on the same rows."""

import json
import math
from datetime import UTC, datetime

from airflow_registry.domain.evaluation import Evaluation
from airflow_registry.domain.metrics import metric
from airflow_registry.domain.model import Dataset
from airflow_registry.domain.names import ModelName

RESULTS = {7: (metric("auc", 0.6), metric("auc", 0.1, slice_="carrier=UA")), 8: (metric("auc", math.nan), metric("f1", 0.0))}


def evaluation(data):
    return Evaluation(
        uid="e",
        model=ModelName("m"),
        sequence=1,
        source="evaluate",
        data=data,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        results=RESULTS,
    )


def test_the_metrics_of_one_version_are_those_of_all_rows():
    found = evaluation(None)
    assert found.of(7) == {"auc": 0.6}
    assert math.isnan(found.of(8)["auc"])
    assert found.of(9) == {}


def test_what_tasks_hand_on_is_strict_json():
    text = json.dumps(evaluation(Dataset(name="may", rows=3)).to_json(), allow_nan=False)
    assert json.loads(text) == {
        "evaluation": "e",
        "data": "may",
        "rows": 3,
        "metrics": {"7": {"auc": 0.6}, "8": {"auc": "nan", "f1": 0.0}},
        "slices": [],
    }


def test_slices_are_found_by_their_column_and_have_metrics_of_their_own():
    found = evaluation(None)
    assert found.of(7, "carrier=UA") == {"auc": 0.1}
    assert found.of(7, "carrier=AA") == {}
    assert found.slices_of("carrier") == {"carrier=UA": None}
    assert found.slices_of("carr") == {}


def test_without_a_data_set_nothing_is_said_about_it():
    found = evaluation(None).to_json()
    assert (found["data"], found["rows"]) == (None, None)
