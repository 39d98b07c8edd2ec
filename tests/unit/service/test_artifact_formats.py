"""Formats through the registry: registered, verified, loaded whoever registered them, and scored in batches."""

from __future__ import annotations

import os
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression

from airflow_registry import ModelRegistry
from airflow_registry.domain.model import Lineage
from airflow_registry.errors import CorruptionError, DigestMismatchError, InvalidInputError, UntrustedArtifactError
from airflow_registry.modeling import environment
from airflow_registry.scoring.predict import output_schema, plan, predict_batch
from airflow_registry.service import load as loading

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about protobuf
    from skl2onnx import to_onnx

SMALL = {"n_estimators": 3, "n_jobs": 1}


class RunsCommand:
    def __reduce__(self):
        return os.system, ("echo it ran >&2",)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    found = pd.DataFrame(rng.normal(size=(80, 3)).astype("float32"), columns=["a", "b", "c"])
    return found.assign(converted=np.where(found["a"] > 0, "yes", "no"), lead=[f"lead-{number}" for number in range(80)])


@pytest.fixture(scope="module")
def models(rows):
    inputs, labels = rows[["a", "b", "c"]], rows["converted"]
    logistic = LogisticRegression().fit(inputs.to_numpy(), labels)
    return {
        "lightgbm": lightgbm.LGBMClassifier(**SMALL, verbose=-1).fit(inputs, labels),
        "xgboost": xgboost.XGBClassifier(**SMALL).fit(inputs, (labels == "yes").astype(int)),
        "onnx": to_onnx(logistic, inputs.to_numpy()[:1], options={"zipmap": False}),
        "skops": LogisticRegression().fit(inputs, labels),
        "joblib": logistic,
    }


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(f"sqlite:///{tmp_path / 'registry.db'}", artifacts=str(tmp_path / "store"), create=True)


def suspicious(registry):
    """The same registry for somebody who trusts no code."""
    return ModelRegistry.from_settings(replace(registry.core.settings, trusted="none"))


@pytest.mark.parametrize("format_", ["lightgbm", "xgboost", "onnx", "skops"])
def test_a_model_without_code_is_scored_in_batches_by_those_who_trust_nobody(format_, registry, models, rows):
    version = registry.register("lead_scoring", models[format_])
    assert version.artifact.format == format_
    assert version.findings == ()
    read = suspicious(registry).get(version.ref)
    model = read.load()
    batch = pa.RecordBatch.from_pandas(rows[["lead", "c", "b", "a"]] if format_ != "onnx" else rows[["lead", "a", "b", "c"]])
    layout = plan(read.signature, batch.schema, ("lead",))
    found = predict_batch(model, layout, batch)
    labels = ["0", "1"] if format_ == "xgboost" else ["no", "yes"]
    assert found.schema.names == ["lead", "prediction", *[f"probability_{label}" for label in labels]]
    right = np.array([str(said) for said in found["prediction"].to_pylist()]) == np.where(rows["converted"] == "yes", labels[1], labels[0])
    assert right.mean() > 0.9
    declared = output_schema(model, read.signature, batch.schema, layout)
    assert declared.field("prediction").type == found.schema.field("prediction").type


def test_a_file_from_elsewhere_is_registered_by_what_it_is(registry, models, tmp_path):
    models["lightgbm"].booster_.save_model(tmp_path / "model.txt")
    models["xgboost"].save_model(tmp_path / "model.json")
    for name, format_ in (("model.txt", "lightgbm"), ("model.json", "xgboost")):
        assert registry.register("lead_scoring", str(tmp_path / name)).artifact.format == format_
    with pytest.raises(InvalidInputError, match="is a file, and the format 'mlflow' is a folder"):
        registry.register("lead_scoring", str(tmp_path / "model.txt"), format="mlflow")
    assert len(registry.versions("lead_scoring")) == 2


def test_arrays_are_registered_and_loaded_as_arrays(registry):
    version = registry.register("weights", {"w": np.arange(3.0)})
    assert version.artifact.format == "safetensors"
    assert suspicious(registry).get(version.ref).load()["w"].tolist() == [0.0, 1.0, 2.0]


def test_the_same_fitted_state_is_the_same_version_bytes(registry, models):
    first, second = (registry.register("lead_scoring", models["lightgbm"]) for _ in range(2))
    assert (first.digest, first.number, second.number) == (second.digest, 1, 2)


@pytest.mark.parametrize("copy", [True, False], ids=["stored", "left in place"])
def test_a_pickle_that_can_run_commands_is_registered_with_a_warning_and_kept_in_mind(copy, registry, tmp_path, caplog, capfd):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(RunsCommand()))
    version = registry.register("lead_scoring", str(tmp_path / "model.pkl"), copy=copy)
    (finding,) = version.findings
    assert (finding.kind, finding.where, finding.names) == ("dangerous", "model.pkl", ("posix.system",))
    assert "model.pkl imports posix.system" in caplog.text
    assert "the setting trusted decides whether it may be loaded" in caplog.text
    assert registry.get(version.ref).findings == version.findings
    assert registry.versions("lead_scoring")[0].findings == version.findings
    with pytest.raises(UntrustedArtifactError, match="would run code that it brings along, and trusted is 'none'"):
        suspicious(registry).get(version.ref).load()
    assert capfd.readouterr().err == "", "nothing of it has run"


def test_what_a_pickle_of_a_stock_model_imports_is_kept_without_a_warning(registry, models, tmp_path, caplog):
    joblib.dump(models["joblib"], tmp_path / "model.joblib", compress=3)
    version = registry.register("lead_scoring", str(tmp_path / "model.joblib"))
    (finding,) = registry.get(version.ref).findings
    assert finding.kind == "known"
    assert "sklearn.linear_model._logistic.LogisticRegression" in finding.names
    assert not caplog.records


def test_a_pickle_that_we_wrote_ourselves_is_looked_into_as_well(registry, models, caplog):
    version = registry.register("lead_scoring", models["joblib"], format="joblib")
    assert [finding.kind for finding in version.findings] == ["known"]
    assert not caplog.records


def test_a_model_folder_is_verified_as_a_whole(registry, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: own.loader}}")
    (folder / "model.pkl").write_bytes(pickle.dumps(RunsCommand()))
    version = registry.register("lead_scoring", str(folder))
    assert version.artifact.format == "mlflow"
    assert [(finding.kind, finding.where) for finding in version.findings] == [
        ("dangerous", "model: model.pkl"),
        ("unknown", "model: MLmodel"),
    ]
    Path(version.remote_path, "MLmodel").write_text("flavors: {python_function: {loader_module: other.loader}}")
    with pytest.raises((DigestMismatchError, CorruptionError)):
        version.load()


def test_other_versions_of_the_packages_are_warned_of_once(registry, models, caplog, monkeypatch):
    monkeypatch.setattr(loading, "_compared", set())
    then = {**environment.packages(), "lightgbm": "3.3.5", "numpy": "1.26.4"}
    version = registry.register("lead_scoring", models["lightgbm"], lineage=Lineage(packages=then))
    version.load()
    assert "lead_scoring:1 (format lightgbm) was registered with other versions" in caplog.text
    assert "lightgbm 3.3.5 at registration" in caplog.text
    assert "pip install 'lightgbm==3.*'" in caplog.text
    assert "numpy" not in caplog.text, "the format does not depend on it"
    caplog.clear()
    registry.get(version.ref).load()
    registry.register("lead_scoring", models["lightgbm"]).load()
    assert not caplog.records


def test_the_libraries_of_every_format_are_recorded(registry, models):
    packages = registry.register("lead_scoring", models["lightgbm"]).lineage.packages
    assert set(packages) >= {"lightgbm", "xgboost", "onnxruntime", "onnx", "safetensors", "skops", "scikit-learn", "numpy", "mlflow-skinny"}
