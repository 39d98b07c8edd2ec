from __future__ import annotations

import gc
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd  # noqa: TC002  MLflow reads the types of predict
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import (
    CorruptionError,
    InvalidInputError,
    MissingDependencyError,
    SignatureMismatchError,
    UntrustedArtifactError,
)
from airflow_registry.modeling.formats import check_kind, format_of, load, serialize
from airflow_registry.modeling.pickle_scan import scan

OWN = Trust(is_own=True)


@pytest.fixture(scope="module")
def mlflow():
    """MLflow, without the numbers that it sends home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow.pyfunc
            import mlflow.sklearn
        yield mlflow


@pytest.fixture(scope="module")
def classifier(numbers, labels):
    return LogisticRegression().fit(numbers, np.where(labels, "yes", "no"))


@pytest.fixture(scope="module")
def folders(mlflow, classifier, numbers, tmp_path_factory):
    """Model folders as MLflow writes them: of a flavour, with a pickle in it, and of a class of the user's own."""
    root = tmp_path_factory.mktemp("mlflow")
    known = {"signature": mlflow.models.infer_signature(numbers, classifier.predict(numbers)), "pip_requirements": ["scikit-learn"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of pickles and of missing type hints, and leaves files open

        class Doubled(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.Series:
                return model_input["a"] * 2

        mlflow.sklearn.save_model(classifier, str(root / "skops"), serialization_format="skops", **known)
        mlflow.sklearn.save_model(classifier, str(root / "cloudpickle"), serialization_format="cloudpickle", **known)
        mlflow.pyfunc.save_model(str(root / "own"), python_model=Doubled(), pip_requirements=[])
    return root


@pytest.fixture
def loading():
    """MLflow leaves a file open while it loads a folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


@pytest.mark.parametrize("name", ["skops", "cloudpickle"])
def test_a_folder_predicts_as_the_model_that_was_saved_in_it(name, folders, classifier, numbers, loading):
    path = str(folders / name)
    assert format_of(path) == "mlflow"
    again = load(path, "mlflow", OWN)
    np.testing.assert_array_equal(again.predict(numbers[["d", "c", "b", "a"]].assign(more=1)), classifier.predict(numbers))
    np.testing.assert_array_equal(again.predict_proba(numbers), classifier.predict_proba(numbers))
    assert again.classes_.tolist() == ["no", "yes"]
    assert again.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(SignatureMismatchError, match="do not have: b, d"):
        again.predict(numbers[["a", "c"]])


def test_a_model_that_opens_its_files_when_it_predicts_finds_them_until_it_is_gone(mlflow, tmp_path, monkeypatch, numbers, loading):
    class Reads(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.Series:
            return model_input["a"] * float(Path(context.artifacts["factor"]).read_text())

    (tmp_path / "factor.txt").write_text("3")
    (tmp_path / "private").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        artifacts = {"factor": str(tmp_path / "factor.txt")}
        mlflow.pyfunc.save_model(str(tmp_path / "m"), python_model=Reads(), artifacts=artifacts, pip_requirements=[])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "private"))
    again = load(str(tmp_path / "m"), "mlflow", OWN)
    shutil.rmtree(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(numbers), numbers["a"] * 3)
    del again
    gc.collect()
    assert not list((tmp_path / "private").iterdir())


def test_a_folder_of_ones_own_class_predicts_rows(folders, numbers, loading):
    again = load(str(folders / "own"), "mlflow", OWN)
    np.testing.assert_array_equal(again.predict(numbers), numbers["a"].to_numpy() * 2)
    assert not hasattr(again, "predict_proba")


@pytest.mark.parametrize("trust", [Trust(), Trust(rule="none", is_own=True)])
def test_a_folder_runs_code_so_the_rule_for_code_decides_before_mlflow_is_imported(trust, folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    with pytest.raises(UntrustedArtifactError, match="Loading the MLflow folder .* would run code that it brings along"):
        load(str(folders / "skops"), "mlflow", trust)
    with pytest.raises(MissingDependencyError, match=r"An MLflow model folder needs the package"):
        load(str(folders / "skops"), "mlflow", OWN)


def test_the_findings_say_which_loader_runs_and_what_the_pickles_import(folders):
    def found(name):
        return {(finding.kind, finding.where, finding.names) for finding in scan(str(folders / name), "mlflow")}

    assert found("skops") == {("known", "skops: MLmodel", ("mlflow.sklearn",))}
    loader, *pickles = sorted(found("cloudpickle"), key=lambda each: each[1])
    assert loader == ("known", "cloudpickle: MLmodel", ("mlflow.sklearn",))
    assert [(kind, where) for kind, where, _ in pickles] == [("known", "cloudpickle: model.pkl")]
    own = found("own")
    assert ("unknown", "own: MLmodel", ("mlflow.pyfunc.model",)) in own
    assert {names for kind, where, names in own if kind == "dangerous" and where == "own: python_model.pkl"}, (
        "cloudpickle brings its code along"
    )


def folder(path, **said):
    path.mkdir()
    (path / "MLmodel").write_text(yaml.safe_dump(said))
    return path


def test_code_that_a_folder_brings_along_and_a_loader_of_its_own_are_named(tmp_path):
    path = folder(tmp_path / "m", flavors={"python_function": {"loader_module": "evil.loader", "code": "code"}})
    found = [(finding.kind, finding.where, finding.names) for finding in scan(str(path), "mlflow")]
    assert found == [("unknown", "m: MLmodel", ("evil.loader",)), ("unknown", "m: code", ())]


def test_a_loader_that_is_not_here_says_what_to_install(tmp_path, mlflow, loading):
    path = folder(tmp_path / "m", mlflow_version="3.17.2", flavors={"python_function": {"loader_module": "no_such_package.loader"}})
    with pytest.raises(
        InvalidInputError, match=r"MLflow cannot load the folder the model .*no_such_package.*install what its requirements"
    ):
        load(str(path), "mlflow", OWN, shown="the model")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", CorruptionError, "cannot be read"),
        ("flavors: [1, 2", CorruptionError, "cannot be read"),
        ("flavors: nothing", CorruptionError, "cannot be read"),
        ("&a [*a, *a]", CorruptionError, "cannot be read"),
        ("flavors: !!python/object/apply:builtins.dict [[[python_function, {}]]]", CorruptionError, "cannot be read"),
        ("flavors: {sklearn: {}}", InvalidInputError, "no python_function flavour"),
        ("x: '" + "y" * (1 << 20) + "'", CorruptionError, "more than"),
    ],
)
def test_a_folder_whose_description_cannot_be_used_says_why_and_can_still_be_kept(text, error, message, tmp_path):
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(error, match=message):
        load(str(tmp_path), "mlflow", OWN)
    assert scan(str(tmp_path), "mlflow")[0].kind == ("unread" if error is CorruptionError else "known")


def test_a_folder_without_description_is_a_folder_and_no_mlflow_model(tmp_path):
    assert format_of(str(tmp_path)) == "folder"
    with pytest.raises(InvalidInputError, match="is no MLflow model folder"):
        load(str(tmp_path), "mlflow", OWN)


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"N.")
    for format_ in ("mlflow", "folder"):
        with pytest.raises(InvalidInputError, match=rf"model.pkl is a file, and the format '{format_}' is a folder"):
            check_kind(str(tmp_path / "model.pkl"), format_)
    with pytest.raises(InvalidInputError, match="is a folder, and the format 'onnx' is a file"):
        check_kind(str(tmp_path), "onnx")
    for format_ in ("mlflow", "onnx", None):
        check_kind("s3://bucket/what-nobody-sees", format_)
    with pytest.raises(InvalidInputError, match="'pmml' is not a format. Expected skops, onnx"):
        check_kind("s3://bucket/x", "pmml")


def test_a_loaded_mlflow_model_is_registered_as_its_folder(folders, mlflow, loading, tmp_path):
    with pytest.raises(InvalidInputError, match="register the folder"):
        serialize(mlflow.pyfunc.load_model(str(folders / "skops")), str(tmp_path))
    assert not list(tmp_path.iterdir())
    assert not list(Path.cwd().glob("mlruns")), "MLflow leaves nothing behind"
