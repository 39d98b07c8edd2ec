"""Data that cannot judge anybody, and decisions that cannot promote anybody: what the command line says about each.

Each no is an exit code 1 with a sentence, never a traceback, and nothing becomes champion.
"""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_registry.modeling.signature import capture

ROWS = pd.DataFrame({"x": [float(row) for row in range(40)], "y": [row // 20 for row in range(40)], "side": ["a", "b"] * 20})
POLICY = """\
rules:
  - {metric: roc_auc, at_least: 0.6}
  - {metric: accuracy, against: champion, no_worse_than: 0.05, confidence: 0.95}
  - {metric: average_precision, by: side, at_least: 0.6}
"""


@pytest.fixture
def judged(registry, tmp_path, command):
    """Evaluates version 2 beside its champion on some rows by a policy, and lets the gate decide."""
    for _ in range(2):
        model = LogisticRegression().fit(ROWS[["x"]], ROWS["y"])
        registry.register("lead", model, signature=capture(model, ROWS[["x"]]))
    registry.promote("lead", 1, reason="first")
    (tmp_path / "policy.yaml").write_text(POLICY)

    def run(rows, *more):
        rows.to_parquet(tmp_path / "rows.parquet")
        wanted = ["--data", tmp_path / "rows.parquet", "--target", "y", "--policy", tmp_path / "policy.yaml", *more]
        return command("evaluate", "lead:2", *wanted), command("decide", "lead:2", "--policy", tmp_path / "policy.yaml")

    return run


def test_good_rows_are_approved_so_that_the_refusals_below_mean_something(judged):
    (code, out, _), (decided, told, _) = judged(pd.concat([ROWS] * 5))
    assert (code, decided) == (0, 0)
    assert "never approved" not in out
    assert told.startswith("APPROVED")


@pytest.mark.parametrize(
    ("rows", "heading", "reason"),
    [
        (ROWS.iloc[:0], "rows.parquet, 0 rows", "roc_auc of v2 is NaN on"),
        (ROWS.iloc[:1], "rows.parquet, 1 row", "roc_auc of v2 is NaN on"),
        (ROWS.assign(y=1), "rows.parquet, 40 rows", "roc_auc of v2 is NaN on"),
        (ROWS.assign(x=3.0), "rows.parquet, 40 rows", "roc_auc of v2 is 0.5 on"),
    ],
    ids=["no rows", "one row", "one class", "all scores tied"],
)
def test_rows_that_can_tell_nothing_are_evaluated_and_never_approved(judged, rows, heading, reason):
    (code, out, _), (decided, told, _) = judged(rows)
    assert code == 0
    assert out.splitlines()[0].endswith(heading)
    assert ("labels of one class only, no rows" in out) == ("NaN" in reason)
    assert decided == 1
    assert told.startswith("REFUSED")
    assert reason in told


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        (ROWS.assign(y=[math.nan, *ROWS["y"][1:]]), (), r"'y' of '.*rows.parquet' has no value in 1 of 40 rows. Expected a label in each"),
        (ROWS.drop(columns="y"), (), r"has no target column 'y'. It has x, side."),
        (ROWS, ("--slice", "sied"), r"has no slice column 'sied'. It has x, y, side"),
        (pd.concat([ROWS] * 30).assign(id=range(1200)), ("--slice", "id"), r"'id' of '.*' has more than 1,000 different values"),
        (ROWS, ("--metric", "roc_acu"), r"No metric named 'roc_acu' can be computed. Did you mean 'roc_auc'\?"),
        (ROWS, ("--metric", "r2"), r"No metric named 'r2' can be computed for binary predictions"),
    ],
    ids=["a label is missing", "no label column", "no slice column", "too many slices", "unknown metric", "other metric"],
)
def test_what_cannot_be_evaluated_is_refused_in_a_sentence_and_stores_nothing(registry, judged, rows, more, said):
    (code, out, err), (decided, told, _) = judged(rows, *more)
    assert (code, out) == (1, "")
    assert re.search(said, err)
    assert "Traceback" not in err
    assert registry.report("lead:2").evaluations == ()
    assert decided == 1
    assert "No evaluation of v2 holds 'roc_auc'" in told
    assert registry.production("lead").number == 1


def test_a_percentage_of_a_baseline_of_zero_and_one_below_zero(registry, tmp_path, command):
    from airflow_registry import Dataset

    books = Dataset("books", digest="sha256:" + "b" * 64)
    for metrics in ({"nothing": 0.0, "profit": -100.0}, {"nothing": 0.1, "profit": -111.0}):
        registry.register("lead", metrics=metrics, evaluated_on=books)
    registry.promote("lead", 1, reason="first")
    (tmp_path / "policy.yaml").write_text(
        "rules:\n"
        "  - {metric: nothing, against: champion, no_worse_than: 1%, goal: maximize}\n"
        "  - {metric: profit, against: champion, no_worse_than: 10%, goal: maximize}\n"
    )
    code, out, _ = command("decide", "lead:2", "--policy", tmp_path / "policy.yaml")
    assert code == 1
    assert "nothing of champion v1 is 0, and 1% of 0 says nothing. Give the margin as a number." in out
    assert "gain -11 (higher is better), needed at least -10 (10%): not enough." in out
