from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from airflow_registry.errors import InvalidInputError, MissingDependencyError
from airflow_registry.modeling import Model
from airflow_registry.modeling.remote import has_to_remote, load_remote, loader_of, upload


class ByPath:
    """to_remote(remote_path), from_remote as a class method."""

    def __init__(self, weight):
        self.weight = weight

    def to_remote(self, remote_path):
        Path(remote_path).write_text(json.dumps(self.weight), encoding="utf-8")

    @classmethod
    def from_remote(cls, remote_path):
        return cls(json.loads(Path(remote_path).read_text(encoding="utf-8")))


class ByPersist:
    """to_remote(persist=True) -> remote_path, from_remote as an instance method."""

    folder = ""
    weight = 0

    def to_remote(self, persist=False):
        path = Path(self.folder) / "chosen.json"
        if persist:
            path.write_text(json.dumps(self.weight), encoding="utf-8")
        return str(path)

    def from_remote(self, remote_path):
        self.weight = json.loads(Path(remote_path).read_text(encoding="utf-8"))


class Answers:
    """Whatever signature the test wants."""

    def __init__(self, to_remote):
        self.to_remote = to_remote


class NeedsArguments:
    def __init__(self, weight):
        self.weight = weight

    def from_remote(self, remote_path):
        return self


class ReturnsNothing:
    @classmethod
    def from_remote(cls, remote_path):
        return None


class Outer:
    class Inner:
        @staticmethod
        def from_remote(remote_path):
            return f"inner from {remote_path}"


@pytest.fixture
def here(monkeypatch):
    """This test module under a name by which it can be imported."""
    monkeypatch.setitem(sys.modules, "training_code", sys.modules[__name__])
    for cls in (ByPath, ByPersist):
        monkeypatch.setattr(cls, "__module__", "training_code")


def test_the_form_that_takes_a_path_goes_there_and_comes_back_by_its_class_method(tmp_path, here):
    path = str(tmp_path / "m.json")
    model = ByPath(7)
    assert upload(model, path) == path
    assert loader_of(model) == "training_code:ByPath"
    assert load_remote(loader_of(model), path).weight == 7


def test_the_form_that_chooses_its_path_is_asked_to_persist_and_comes_back_by_its_instance_method(tmp_path, here):
    model = ByPersist()
    model.folder, model.weight = str(tmp_path), 5
    path = upload(model, "s3://not/used")
    assert path == str(tmp_path / "chosen.json")
    assert Path(path).exists(), "persist=True was not passed"
    loaded = load_remote(loader_of(model), path)
    assert (type(loaded), loaded.weight) == (ByPersist, 5)


@pytest.mark.parametrize(
    ("to_remote", "expected"),
    [
        (lambda remote_path: remote_path.upper(), "S3://PLACE"),
        (lambda path, persist=False: f"{path}/{persist}", "s3://place/True"),
        (lambda *, persist: f"chosen {persist}", "chosen True"),
        (lambda remote_path=None: f"{remote_path}!", "s3://place!"),
        (lambda: "s3://its/own", "s3://its/own"),
        (lambda *args, **kwargs: f"{args} {kwargs}", "('s3://place',) {}"),
        (lambda retries=3, persist=False: f"{retries} {persist}", "3 True"),
    ],
)
def test_the_signature_says_how_to_remote_is_called(to_remote, expected):
    assert upload(Answers(to_remote), "s3://place") == expected


@pytest.mark.parametrize("answer", [None, "", "  ", 7, Path("here")])
def test_an_upload_that_does_not_say_where_the_model_is_is_refused(answer):
    with pytest.raises(InvalidInputError, match=r"Answers\.to_remote returned .*It must return its remote path.*Nothing was registered"):
        upload(Answers(lambda persist: answer), "s3://place")


def test_a_to_remote_that_wants_more_than_a_path_is_refused_by_the_names_of_its_arguments():
    with pytest.raises(InvalidInputError, match=r"to_remote\(bucket, key\) cannot be called: expected to_remote\(remote_path\) or"):
        upload(Answers(lambda bucket, key: "x"), "s3://place")


def test_an_error_of_the_upload_itself_reaches_the_caller():
    def fails(remote_path):
        raise TypeError("unsupported operand")

    with pytest.raises(TypeError, match="unsupported operand"):
        upload(Answers(fails), "s3://place")


def test_only_a_to_remote_of_its_own_makes_a_model_upload_itself():
    class Stored(Model):
        def fit(self):
            return self

        def predict(self, input_features):
            return input_features

    class Uploads(Stored):
        def to_remote(self, remote_path):
            return remote_path

    class UploadsToo(Uploads):
        pass

    assert not has_to_remote(Stored())
    assert has_to_remote(Uploads())
    assert has_to_remote(UploadsToo())
    assert has_to_remote(ByPath(1))
    assert not has_to_remote(object())


def test_a_class_inside_a_class_is_found_by_its_qualified_name(here):
    assert load_remote("training_code:Outer.Inner", "there") == "inner from there"


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ("__main__:Churn", "'Churn' was defined in a script or inside a function"),
        ("training_code:test.<locals>.Churn", "was defined in a script or inside a function"),
        ("training_code:Gone", "has no class 'Gone' any more"),
        ("training_code:json", "has no class 'json'"),
        ("training_code:Answers", "has no from_remote"),
        ("training_code:NeedsArguments", "no instance can be made without arguments"),
        ("training_code:ReturnsNothing", "from_remote returned nothing"),
        ("no_such_package_at_all.models:Churn", "there is no module 'no_such_package_at_all'"),
        ("training_code", "is not a loader. Expected 'module:Class'"),
        ("", "is not a loader"),
    ],
)
def test_a_loader_that_leads_nowhere_says_why(here, loader, message):
    with pytest.raises(InvalidInputError, match=message):
        load_remote(loader, "s3://place")


def test_a_module_whose_own_import_fails_names_the_missing_package(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import no_such_library_for_models\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match="needs 'no_such_library_for_models', which is not installed"):
        load_remote("half_installed:Churn", "s3://place")
