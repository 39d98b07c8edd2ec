"""Evaluating: who is scored, what is kept of each row, and what is said when that is not what was written."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from airflow_registry import Dataset
from airflow_registry.domain.rules import Anchor
from airflow_registry.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    InvalidInputError,
    StorageUnavailableError,
    VersionNotFoundError,
)
from airflow_registry.modeling.signature import capture
from airflow_registry.service import restore
from airflow_registry.service.rows import rows_of
from airflow_registry.service.smoke import smoke
from airflow_registry.sql.statements import judgements
from tests.contracts.registry_base import RegistryBase

N = 400
POLICY = {
    "schema": 1,
    "rules": [
        {"metric": "recall", "by": "carrier", "at_least": 0.1},
        {"metric": "roc_auc", "against": "anchor", "version": 1, "no_worse_than": 0.1},
        {"metric": "revenue", "at_least": 1},
    ],
}


def data(seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": random.normal(size=N), "distance": random.integers(0, 1000, N), "carrier": random.choice(["AA", "UA"], N)})
    return frame.assign(late=(frame["x"] + random.normal(size=N) > 0).astype(int))


@cache
def fitted():
    frame = data(1)
    return [LogisticRegression(C=10.0**-number).fit(frame[["x"]], frame["late"]) for number in range(1, 5)]


class Evaluating(RegistryBase):
    @pytest.fixture
    def holdout(self, tmp_path):
        data().to_parquet(tmp_path / "holdout.parquet")
        return str(tmp_path / "holdout.parquet")

    @pytest.fixture
    def four(self, registry):
        """`lead:1` to `lead:4`; v1, v2 and v3 became champion one after another."""
        frame = data(1)
        for number, model in enumerate(fitted(), start=1):
            registry.register("lead", model, signature=capture(model, frame[["x"]]))
            if number < 4:
                registry.promote("lead", number, reason="test")

    @pytest.fixture
    def evaluate(self, registry, four, holdout):
        def call(number=4, **asked):
            return registry.evaluate("lead", number, **{"data": holdout, "target": "late", "metrics": ["accuracy"], **asked})

        return call

    # -- who is scored ----------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        ("anchors", "numbers"),
        [
            ((), {3, 4}),
            ([1], {1, 3, 4}),
            (["lead:2", "v1"], {1, 2, 3, 4}),
            (["1 promotion ago"], {2, 3, 4}),
            ([{"promotions_ago": 2}], {1, 3, 4}),
            ([Anchor(version=1)], {1, 3, 4}),
            (["lead@production", 4], {3, 4}),
        ],
    )
    def test_anchors_are_scored_beside_challenger_and_champion(self, evaluate, anchors, numbers):
        assert set(evaluate(anchors=anchors).results) == numbers

    def test_an_anchor_that_nobody_is_is_left_out_and_told(self, evaluate, caplog):
        assert set(evaluate(anchors=["9 promotions ago", "lead@shadow"]).results) == {1, 3, 4}
        assert "lead has no version that is lead@shadow, so no rule against it can hold" in caplog.text

    def test_an_anchor_that_cannot_be_loaded_is_left_out_and_told(self, registry, evaluate, caplog):
        Path(registry.get("lead:1").remote_path).unlink()
        assert set(evaluate(anchors=[1, 2]).results) == {2, 3, 4}
        assert "The anchor lead:1 is left out, so no rule against it can hold" in caplog.text

    @pytest.mark.parametrize(
        ("anchors", "error", "message"),
        [
            ([9], VersionNotFoundError, "no version 9"),
            (["other:1"], InvalidInputError, "is of another model than lead"),
            (["yesterday"], InvalidInputError, "is no anchor"),
            ("1", InvalidInputError, "is a list"),
            (5, InvalidInputError, "is a list"),
        ],
    )
    def test_what_is_no_anchor_is_refused_and_nothing_is_stored(self, evaluate, unchanged, anchors, error, message):
        unchanged()
        with pytest.raises(error, match=message):
            evaluate(anchors=anchors)

    # -- what is found out ------------------------------------------------------------------------------------------------
    def test_slices_are_metric_rows_with_their_counts(self, registry, evaluate, sql):
        found = evaluate(slices=["carrier", {"column": "distance", "bins": 2}])
        stored = dict(sql("SELECT DISTINCT slice, rows FROM airflow_registry_metrics WHERE slice <> ''"))
        assert {name.partition("=")[0] for name in stored} == {"carrier", "distance:2"}
        assert found.slices == ("carrier", "distance:2")
        assert found.slices_of("carrier") == {name: rows for name, rows in stored.items() if name.startswith("carrier=")}
        assert sum(found.slices_of("distance:2").values()) == N
        assert set(found.of(4, "carrier=AA")) == {"accuracy"}
        assert len(json.dumps(found.to_json())) < 500

    def test_kind_target_and_the_best_constant_are_kept_non_numbers_too(self, evaluate):
        found = evaluate(metrics=["accuracy", "selection_rate", "sklearn.metrics:roc_auc_score"])
        assert (found.kind, found.target) == ("binary", "late")
        late = data()["late"].mean()
        assert found.trivial["accuracy"] == pytest.approx(max(late, 1 - late))
        assert found.trivial["sklearn.metrics:roc_auc_score"] == 0.5

    def test_what_is_not_a_number_survives_the_database(self, registry, holdout, tmp_path):
        frame = data().assign(late=1)
        frame.to_parquet(tmp_path / "one_class.parquet")
        registry.register("lead", LogisticRegression().fit(data()[["x"]], data()["late"]), signature=capture(None, data()[["x"]]))
        found = registry.evaluate("lead", 1, data=str(tmp_path / "one_class.parquet"), target="late", metrics=["roc_auc", "accuracy"])
        assert math.isnan(found.of(1)["roc_auc"])
        assert math.isnan(found.trivial["roc_auc"])
        assert found.trivial["accuracy"] == 1

    def test_what_a_policy_asks_for_is_added(self, evaluate, tmp_path):
        (tmp_path / "lead.yaml").write_text(json.dumps(POLICY))
        for policy in (POLICY, str(tmp_path / "lead.yaml")):
            found = evaluate(policy=policy)
            assert set(found.of(4)) == {"accuracy", "recall", "roc_auc"}
            assert found.slices == ("carrier",)
            assert set(found.results) == {1, 3, 4}

    def test_numbers_are_evaluated_like_classes(self, registry, tmp_path):
        frame = data().assign(minutes=lambda rows: rows["x"] * 3)
        frame.to_parquet(tmp_path / "numbers.parquet")
        model = LinearRegression().fit(frame[["x"]], frame["minutes"])
        registry.register("lead", model, signature=capture(model, frame[["x"]]))
        found = registry.evaluate("lead", 1, data=str(tmp_path / "numbers.parquet"), target="minutes", slices=["carrier"])
        assert found.kind == "regression"
        assert found.of(1)["rmse"] == pytest.approx(0, abs=1e-9)
        assert found.trivial["r2"] == pytest.approx(0)
        assert rows_of(registry.core, found).labels.dtype == float

    # -- the rows ---------------------------------------------------------------------------------------------------------
    def test_what_is_known_of_each_row_comes_back_without_the_data(self, registry, evaluate, holdout):
        found = evaluate(slices=["carrier"], anchors=[1])
        Path(holdout).unlink()
        rows = rows_of(registry.core, found)
        assert (rows.kind, rows.classes, rows.data_digest) == ("binary", (0, 1), found.data.digest)
        assert rows.labels.tolist() == data()["late"].tolist()
        assert set(rows.scored) == {1, 3, 4}
        assert np.mean(rows.scored[4].predictions == rows.labels) == found.of(4)["accuracy"]
        codes = rows.slices["carrier"]
        assert [codes.names[code] for code in codes.codes] == [f"carrier={name}" for name in data()["carrier"]]

    def test_the_same_evaluation_again_keeps_its_rows_once(self, registry, evaluate, sql):
        first, second = evaluate(), evaluate()
        assert first.uid != second.uid
        assert first.rows_uri == second.rows_uri
        assert first.rows_uri.startswith(f"{registry.core.artifacts.root}/evaluations/lead/")
        assert first.rows_uri.endswith("/rows.arrow")
        bodies = [json.loads(body) for (body,) in sql("SELECT body FROM airflow_registry_audit WHERE action = 'evaluate'")]
        assert [body["rows"] for body in bodies] == [{"digest": first.rows_digest}] * 2

    @pytest.mark.parametrize("damage", ["flipped", "cut", "other rows"])
    def test_rows_that_were_tampered_with_are_refused_with_the_remedy(self, registry, evaluate, damage):
        found, other = evaluate(), Path(evaluate(slices=["carrier"]).rows_uri).read_bytes()
        path = Path(found.rows_uri)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes({"flipped": bytes(data), "cut": bytes(data[:100]), "other rows": other}[damage])
        remedy = r"are not those that were written.*Evaluate again: `airflow-registry evaluate lead:4 "
        with pytest.raises(DigestMismatchError, match=remedy):
            rows_of(registry.core, found)

    def test_rows_that_are_gone_are_told_with_the_remedy(self, registry, evaluate):
        found = evaluate()
        Path(found.rows_uri).unlink()
        with pytest.raises(ArtifactNotFoundError, match="are gone: .*Evaluate again"):
            rows_of(registry.core, found)

    def test_metrics_that_were_recorded_have_no_rows(self, registry):
        registry.register("lead")
        found = registry.record_metrics("lead", 1, {"auc": 0.9}, evaluated_on=Dataset("holdout"))
        assert (found.kind, found.slices, dict(found.trivial), found.rows_uri) == (None, (), {}, None)
        with pytest.raises(ArtifactNotFoundError, match=r"keeps no rows: its metrics were computed elsewhere \(source 'recorded'\)"):
            rows_of(registry.core, found)

    def test_where_the_rows_cannot_be_kept_nothing_is_stored(self, evaluate, registry, unchanged, monkeypatch):
        unchanged()
        root = Path(registry.core.artifacts.root)
        (root / "evaluations").write_text("a file where a folder should be")
        with pytest.raises(StorageUnavailableError):
            evaluate()

    def test_a_crash_before_the_rows_of_the_database_leaves_an_orphan_and_a_retry_finds_it(self, registry, evaluate, monkeypatch):
        from airflow_registry.service import evaluate as evaluating

        monkeypatch.setattr(evaluating, "add_evaluation", lambda *_args, **_options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            evaluate()
        monkeypatch.undo()
        orphans = self.unknown(registry)
        assert len(orphans) == 1
        assert evaluate().rows_uri == orphans[0]
        assert self.unknown(registry) == []

    def unknown(self, registry):
        with registry.core.store.read() as tx:
            known = {row["artifact_uri"] for row in tx.all(judgements.kept_rows())}
        known |= {version.remote_path for version in registry.versions("lead")}
        return list(registry.core.artifacts.orphans(known))

    def test_rows_of_evaluations_are_not_taken_for_versions_that_were_lost(self, registry, evaluate):
        evaluate()
        lifted = restore.Lifted(model="lead", next_number=9, lost=(5, 8), revision=9, champion=3, pointed_at=3)
        assert restore._without_rows(registry.core, (lifted,)) == ()

    # -- the smoke test ---------------------------------------------------------------------------------------------------
    def test_a_version_is_tried_with_rows_of_its_evaluation(self, registry, evaluate, holdout):
        evaluate()
        found = smoke(registry.core, registry.get("lead:4"), loads_within=timedelta(seconds=60), predicts_rows=10)
        assert (found.problem, found.predicted_rows) == (None, 10)
        assert found.loaded_in_s < 60

    def test_without_data_its_rows_are_made_up_from_the_signature(self, registry, four):
        found = smoke(registry.core, registry.get("lead:4"), loads_within=timedelta(seconds=60), predicts_rows=3)
        assert (found.problem, found.predicted_rows) == (None, 3)

    def test_what_nobody_knows_how_to_ask_is_told(self, registry, tmp_path):
        (tmp_path / "model.bin").write_bytes(b"x")
        version = registry.register("lead", tmp_path / "model.bin")
        found = smoke(registry.core, version, loads_within=timedelta(seconds=60))
        assert "Nobody knows what lead:1 can be asked" in found.problem

    def test_an_artifact_that_was_changed_or_never_kept_is_a_finding(self, registry, four):
        version = registry.get("lead:4")
        Path(version.remote_path).write_bytes(b"something else")
        assert "is not the one that was registered" in smoke(registry.core, version, loads_within=timedelta(seconds=60)).problem
        registry.register("lead", signature=version.signature)
        assert "keeps no bytes" in smoke(registry.core, registry.get("lead:5"), loads_within=timedelta(seconds=60)).problem
