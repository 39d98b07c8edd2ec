"""`init`: the files it writes are run in the loop, unchanged, on tidy data and on awkward data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airflow_registry.cli import main

pytestmark = pytest.mark.airflow


def leads(folder):
    """Two classes, with all that goes wrong in a CSV file: gaps also in the target, dates, free text, keys, spaces, a quotation mark."""
    random, count = np.random.default_rng(0), 400
    visits, plan = random.integers(0, 20, count), random.choice(["free", "pro", None], count)
    frame = pd.DataFrame(
        {
            "lead_id": range(1000, 1000 + count),
            "visits": visits,
            'age of "lead"': random.normal(40, 9, count).round(1),
            "plan": plan,
            "signed_up": pd.date_range("2026-01-01", periods=count).strftime("%Y-%m-%d"),
            "note": [f"called {number} times" for number in range(count)],
            "is_eu": random.random(count) > 0.5,
            "country": "DE",
            "empty": None,
        }
    )
    frame["converted"] = ((visits + 4 * (plan == "pro") + random.normal(0, 3, count)) > 12).astype(float)
    frame.loc[::17, "converted"] = None
    frame.loc[::11, 'age of "lead"'] = None
    frame.to_csv(folder / "leads.csv", index=False)
    return folder / "leads.csv"


def houses(folder):
    """A number, from enough rows for trees."""
    random, count = np.random.default_rng(1), 2500
    frame = pd.DataFrame(
        {"rooms": random.integers(1, 9, count), "area": random.normal(90, 30, count), "city": random.choice(list("abc"), count)}
    )
    frame["price €"] = 2000.0 * frame["area"] + 10_000 * frame["rooms"] * (frame["city"] == "a") + random.normal(0, 9000, count)
    frame["seen"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(range(count), unit="h")
    frame.to_parquet(folder / "Houses 2026.parquet")
    return folder / "Houses 2026.parquet"


def flowers(folder):
    """Three classes that are texts, one of them very rare, and nothing but numbers to tell them by."""
    random = np.random.default_rng(2)
    kinds = np.array(["setosa"] * 60 + ["virginica"] * 60 + ["rare one"] * 2)
    frame = pd.DataFrame({"petal": random.normal(0, 0.4, len(kinds)) + 3 * (kinds == "virginica"), "kind": kinds})
    frame.to_csv(folder / "flowers.csv", index=False)
    return folder / "flowers.csv"


@pytest.mark.parametrize(
    ("make", "target", "model", "columns"),
    [
        (leads, "converted", "leads_converted", ["lead_id", "prediction", "probability_0", "probability_1"]),
        (houses, "price €", "houses_2026_price", None),
    ],
    ids=["classes", "number"],
)
def test_the_files_run_and_version_1_is_promoted_and_scores_the_first_rows(
    closed_loop, registry, tmp_path, capsys, make, target, model, columns
):
    data = make(tmp_path)
    assert main(["init", "--data", str(data), "--target", target, "--dags", str(tmp_path / "dags"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == model
    assert closed_loop.load(tmp_path / "dags") == sorted([f"score_{model}", f"train_{model}"])
    trained, scored = closed_loop.run(f"train_{model}")
    assert trained.state == "success", trained.tasks
    assert (scored.dag_id, scored.state) == (f"score_{model}", "success"), scored.tasks
    champion = registry.production(model)
    assert (champion.number, champion.artifact.format) == (1, "skops")
    [entry] = registry.predictions(model)
    rows = pd.read_parquet(Path(entry.output) / "predictions.parquet")
    expected = pd.read_csv(data) if data.suffix == ".csv" else pd.read_parquet(data)
    assert (entry.is_live, len(rows), entry.quarantined) == (True, min(len(expected), 1000), 0)
    assert columns is None or list(rows.columns) == columns


def test_the_next_training_is_compared_with_the_champion(closed_loop, registry, tmp_path, capsys):
    assert main(["init", "--data", str(flowers(tmp_path)), "--target", "kind", "--dags", str(tmp_path / "dags")]) == 0
    closed_loop.load(tmp_path / "dags")
    closed_loop.run("train_flowers_kind")
    (again, *_) = closed_loop.run("train_flowers_kind")
    assert again.state == "success", again.tasks
    assert [version.number for version in registry.versions("flowers_kind")] == [1, 2]
    assert any("v1" in reason.text for reason in registry.decisions("flowers_kind")[-1].reasons)
