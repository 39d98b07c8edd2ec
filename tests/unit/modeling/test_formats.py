from __future__ import annotations

import dataclasses
import pickle
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import (
    ArtifactNotFoundError,
    ConfigurationError,
    CorruptionError,
    InvalidInputError,
    MissingDependencyError,
    StorageUnavailableError,
    UntrustedArtifactError,
)
from airflow_registry.modeling import Model
from airflow_registry.modeling.formats import format_of, load, serialize

OWN = Trust(is_own=True)


class Threshold(Model):
    """Training code with the interface."""

    def fit(self, cut):
        self.cut = cut
        return self

    def predict(self, input_features):
        return (np.asarray(input_features)[:, 0] > self.cut).astype("int64")


class Plain:
    """Training code without it."""

    def predict(self, rows):
        return [1] * len(rows)


class Bomb:
    """Shows whether its code ran."""

    ran = False

    def predict(self, rows):
        return rows

    def __setstate__(self, state):
        Bomb.ran = True

    def __getstate__(self):
        return {"any": "state"}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """This test module under a name by which it can be imported."""
    monkeypatch.setitem(sys.modules, "training_code", sys.modules[__name__])
    for cls in (Threshold, Plain, Bomb):
        monkeypatch.setattr(cls, "__module__", "training_code")
    monkeypatch.setattr(Bomb, "ran", False)


@pytest.mark.parametrize("model", [Threshold().fit(0.5), Plain()], ids=["interface", "plain"])
@pytest.mark.parametrize(("format_", "name"), [(None, "model.joblib"), ("joblib", "model.joblib"), ("pickle", "model.pkl")])
def test_any_object_with_predict_is_stored_in_one_file_and_predicts_the_same(model, format_, name, tmp_path):
    stored = serialize(model, str(tmp_path), format=format_)
    assert stored.path == str(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    rows = np.array([[0.2], [0.9]])
    assert list(load(stored.path, stored.format, OWN).predict(rows)) == list(model.predict(rows))


@pytest.mark.parametrize("format_", ["joblib", "pickle"])
def test_the_same_object_gives_the_same_bytes(format_, tmp_path, numbers, labels):
    model = LogisticRegression().fit(numbers, labels)
    contents = [Path(serialize(model, str(tmp_path), format=format_).path).read_bytes() for _ in range(2)]
    assert contents[0] == contents[1]


def test_without_joblib_the_fallback_is_pickle(tmp_path, monkeypatch):
    path = serialize(Plain(), str(tmp_path), format="joblib").path
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert serialize(Plain(), str(tmp_path)).format == "pickle"
    with pytest.raises(MissingDependencyError, match=r"airflow-registry\[sklearn\]"):
        load(path, "joblib", OWN)


@pytest.mark.parametrize("format_", ["joblib", "pickle"])
@pytest.mark.parametrize(
    ("trust", "runs"),
    [
        (Trust(), False),
        (Trust(rule="own", is_own=False), False),
        (Trust(rule="own", is_own=True), True),
        (Trust(rule="none", is_own=True), False),
        (Trust(rule="all", is_own=False), True),
        (Trust(rule="own", is_own=False, trusted_types=("training_code.Bomb",)), False),
    ],
)
def test_the_trust_rule_decides_whether_the_code_in_a_pickle_runs(format_, trust, runs, tmp_path):
    path = serialize(Bomb(), str(tmp_path), format=format_).path
    if runs:
        load(path, format_, trust)
    else:
        with pytest.raises(
            UntrustedArtifactError, match=rf"the {format_} file .* would run code .* Register the model in a format without code"
        ):
            load(path, format_, trust)
    assert Bomb.ran is runs


@pytest.mark.parametrize("rule", ["OWN", "", None, "everything", True])
def test_a_rule_that_does_not_exist_is_refused(rule):
    with pytest.raises(ConfigurationError, match="Expected none, own or all"):
        Trust(rule=rule)


def test_trusted_types_are_a_list_and_trust_cannot_be_changed():
    assert Trust(trusted_types=["a.B"]).trusted_types == ("a.B",)
    with pytest.raises(ConfigurationError, match="list of type names"):
        Trust(trusted_types="a.B")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Trust().is_own = True


@pytest.mark.parametrize("thing", [object(), {"weights": [1]}, 7, None, lambda rows: rows])
def test_an_object_without_predict_is_refused_and_nothing_is_written(thing, tmp_path):
    with pytest.raises(InvalidInputError, match="has no predict"):
        serialize(thing, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_class_in_place_of_a_model_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="LogisticRegression is a class, not a fitted model"):
        serialize(LogisticRegression, str(tmp_path))


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InvalidInputError, match="Expected skops, onnx, lightgbm, xgboost, safetensors, joblib or pickle"):
        serialize(Plain(), str(tmp_path), format="pmml")


@pytest.mark.parametrize("format_", ["joblib", "pickle"])
def test_a_model_that_cannot_be_pickled_is_refused_and_nothing_is_left(format_, tmp_path):
    model = Plain()
    model.log = (tmp_path / "log").open("w")
    with pytest.raises(InvalidInputError, match=f"Plain cannot be written as {format_}.*to_remote"):
        serialize(model, str(tmp_path), format=format_)
    model.log.close()
    assert [file.name for file in tmp_path.iterdir()] == ["log"]


def test_a_class_from_a_dag_file_is_stored_with_a_warning_that_nobody_else_can_load_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "unusual_prefix_1a2b_train", sys.modules[__name__])
    monkeypatch.setattr(Plain, "__module__", "unusual_prefix_1a2b_train")
    serialize(Plain(), str(tmp_path))
    assert "Move it to a module" in caplog.text


@pytest.mark.parametrize("format_", [None, "joblib", "pickle"])
def test_a_folder_that_is_not_there_is_storage_out_of_reach(format_, tmp_path):
    with pytest.raises(StorageUnavailableError, match="Cannot write the model"):
        serialize(Plain(), str(tmp_path / "gone"), format=format_)
    with pytest.raises(StorageUnavailableError, match="Cannot write the model"):
        serialize(LogisticRegression(), str(tmp_path / "gone"), format=format_)


@pytest.mark.parametrize("format_", ["joblib", "pickle"])
def test_a_truncated_pickle_is_damage(format_, tmp_path, numbers, labels):
    path = Path(serialize(LogisticRegression().fit(numbers, labels), str(tmp_path), format=format_).path)
    whole = path.read_bytes()
    for size in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptionError, match="truncated or damaged"):
            load(str(path), format_, OWN)


def test_text_in_place_of_a_pickle_is_damage(tmp_path):
    (tmp_path / "model.pkl").write_text("not a model", encoding="utf-8")
    with pytest.raises(CorruptionError):
        load(str(tmp_path / "model.pkl"), "pickle", OWN)


@pytest.mark.parametrize("format_", ["joblib", "pickle"])
def test_a_model_whose_class_is_not_here_names_the_class(format_, tmp_path, monkeypatch):
    path = serialize(Plain(), str(tmp_path), format=format_).path
    monkeypatch.delattr(sys.modules[__name__], "Plain")
    with pytest.raises(InvalidInputError, match=r"cannot import.*Plain"):
        load(path, format_, OWN)
    monkeypatch.delitem(sys.modules, "training_code")
    with pytest.raises(InvalidInputError, match=r"cannot import.*training_code"):
        load(path, format_, OWN)


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    for format_ in ("skops", "joblib", "pickle"):
        with pytest.raises(ArtifactNotFoundError, match="no artifact file"):
            load(str(tmp_path / "gone"), format_, OWN)


@pytest.mark.parametrize(
    ("format_", "message"),
    [
        ("file", r"Use version\.remote_path, or version\.download\(folder\)"),
        ("folder", r"Use version\.remote_path, or version\.download\(folder\)"),
        ("remote", r"Use version\.remote_path"),
        ("none", "metadata only"),
        ("pmml", "Expected skops, onnx, lightgbm, xgboost, safetensors, joblib, pickle or mlflow"),
    ],
)
def test_a_format_that_is_no_object_says_what_to_use_instead(format_, message, tmp_path):
    with pytest.raises(InvalidInputError, match=message):
        load(str(tmp_path / "model.bin"), format_, Trust(rule="all"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model.skops", "skops"),
        ("s3://bucket/a.b/model.JOBLIB", "joblib"),
        ("/x/model.pkl", "pickle"),
        ("model.pickle", "pickle"),
        ("s3://bucket/model/", "folder"),
        ("model.onnx", "onnx"),
        ("s3://bucket/model.safetensors", "safetensors"),
        ("model.ubj", "xgboost"),
        ("model.lgb", "lightgbm"),
        ("model.txt", "file"),
        ("model.json", "file"),
        ("model", "file"),
        ("model.skops.txt", "file"),
    ],
)
def test_the_extension_says_the_format_of_an_artifact_from_elsewhere(path, expected):
    assert format_of(path) == expected


def test_a_folder_is_a_folder_whatever_it_is_called(tmp_path):
    (tmp_path / "model.pkl").mkdir()
    assert format_of(str(tmp_path / "model.pkl")) == "folder"


def test_files_that_the_libraries_wrote_themselves_load_too(tmp_path, numbers, labels):
    model = LogisticRegression().fit(numbers, labels)
    joblib.dump(model, tmp_path / "a.joblib", compress=3)
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(model))
    for name in ("a.joblib", "b.pkl"):
        path = str(tmp_path / name)
        np.testing.assert_array_equal(load(path, format_of(path), OWN).predict(numbers), model.predict(numbers))
