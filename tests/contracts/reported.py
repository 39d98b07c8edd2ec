"""A model's story with everything in it that a report can tell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.model import Dataset, Lineage, RuntimeMetrics
from airflow_registry.domain.names import RunKey

DIGEST = "sha256:" + "a" * 64
GIT = "0123456789abcdef0123456789abcdef01234567"
RULE = "log_loss at most 0.1"
POLICY = {
    "schema": 1,
    "model": "late",
    "first_model": "value_rules",
    "rules": [
        {"metric": "roc_auc", "at_least": 0.55, "at_most": 0.99},
        {"metric": "roc_auc", "against": "champion", "no_worse_than": 0.01, "confidence": 0.95},
        {"metric": "log_loss", "at_most": 0.1},
        {"metric": "accuracy", "against": "trivial", "improve_by": 0.01},
        {"metric": "roc_auc", "by": "carrier", "min_rows": 100, "at_least": 0.4},
        {"approval": {"people": 1, "not_the_author": True}},
    ],
    "valid_for": "7d",
}
HARMFUL = "<script>alert('x')</script> & <img src=x onerror=alert(1)> [a](javascript:alert(1)) `b` **c** |d|"


def rows(folder, count=600):
    """A file to evaluate on: two features, a carrier with a harmful name among others, and whether it was late."""
    random = np.random.default_rng(7)
    near, far = random.normal(size=(2, count))
    late = (near + far + random.normal(size=count) > 0).astype(int)
    carrier = random.choice(["AA", "DL", "<script>alert(2)</script>"], count, p=[0.5, 0.4, 0.1])
    table = pa.table({"near": near, "far": far, "late": late, "carrier": carrier})
    path = f"{folder}/holdout.parquet"
    pq.write_table(table, path)
    return path


def model(*, knows_far):
    random = np.random.default_rng(8)
    features = random.normal(size=(400, 2))
    target = features.sum(axis=1) + random.normal(size=400) > 0
    import pandas as pd

    frame = pd.DataFrame(features * [1, knows_far], columns=["near", "far"])
    return LogisticRegression().fit(frame, target.astype(int))


def tell(registry, folder, clock=None):
    """`late:2` is champion after v1: evaluated, refused once, waived, approved by a person, promoted, and used."""
    path = rows(folder)
    registry.register("late", model(knows_far=0), metrics={"roc_auc": 0.7, "broken": float("nan")}, change_note="first")
    registry.describe_model("late", purpose=f"who is late {HARMFUL}", owner="ops@example.org", risk_tier="medium")
    registry.promote("late", 1, reason="the first one")
    registry.register(
        "late",
        model(knows_far=1),
        description=f"Logistic regression {HARMFUL}",
        change_note=f"knows far, too {HARMFUL}",
        parameters={"C": 1.0, "features": ["near", "far"]},
        tags={"team": HARMFUL},
        datasets=(Dataset("flights", uri="s3://lake/flights/", digest=DIGEST, rows=400),),
        runtime=RuntimeMetrics(training_seconds=12.5, peak_memory_bytes=3 << 20),
        lineage=Lineage(
            published_by="trainer",
            trained_by="tim",
            git_commit=GIT,
            container_image="img:7",
            dag_id="train",
            run_id="monday",
            task_id="fit",
            bundle_name="dags",
            bundle_version="b7",
            triggered_by="trish",
            git_author="Gus <gus@example.org>",
        ),
    )
    registry.evaluate("late", 2, data=path, target="late", slices=["carrier"], name=f"holdout {HARMFUL}")
    registry.record_metrics("late", 2, {"cost": float("inf")}, evaluated_on=Dataset("books", digest="sha256:" + "b" * 64, rows=9))
    refused = registry.decide("late", 2, policy=POLICY)
    assert refused.outcome == "REFUSED", [reason.text for reason in refused.reasons]
    _advance(clock)
    registry.waive("late", 2, rule=RULE, reason=f"the border is a typing error {HARMFUL}", expires="7d", by="wanda")
    registry.vote("late", 2, policy=POLICY, by="approver", comment=f"looked at it {HARMFUL}")
    registry.promote("late", 2, decision=registry.decide("late", 2, policy=POLICY), by="robot")
    _use(registry, folder)
    return path


def _use(registry, folder):
    for partition, written in (("a", Written(uri=f"{folder}/out/a/x", rows=90, quarantined=10)), ("b", None)):
        run = RunKey(dag_id="score", run_id=f"run {partition}", task_id="t")
        intent = registry.open_output(f"{folder}/out/{partition}", partition=partition, model="late", version=2, run=run)
        if written is not None:
            registry.commit_output(intent, written)
    registry.pin("late", RunKey(dag_id="spark", run_id="silent", task_id="t"))


def _advance(clock):
    if clock is not None:
        clock.advance(hours=1)
