"""MLflow model folders (pyfunc): loading one runs the code that it names or brings along, so `Trust` is asked first.

MLflow imports the folder's loader module, puts the folder's `code` on the module path, and unpickles what the flavour keeps.
What stands in the folder is looked at without running anything, so that a person can read it in the version's findings.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.findings import Finding
from airflow_registry.errors import CorruptionError, InvalidInputError
from airflow_registry.modeling.columns import in_order
from airflow_registry.modeling.optional import need

if TYPE_CHECKING:
    import numpy as np

MARKER = "MLmodel"
_LARGEST_MARKER = 1 << 20  # bytes
_LOADER_OF_CLASSES = "mlflow.pyfunc.model"  # unpickles a class of the user's own, with cloudpickle


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What the folder's `MLmodel` says.

    Attributes:
        loader_module: What MLflow imports to load it; None if it has no python_function flavour.
        code: The folder whose Python files are put on the module path; None if it brings none.
        mlflow_version: The MLflow that wrote it.
    """

    loader_module: str | None
    code: str | None
    mlflow_version: str | None


class MlflowModel:
    """An MLflow model that predicts on frames.

    Attributes:
        pyfunc: The `mlflow.pyfunc.PyFuncModel`.
        feature_names_in_: The columns of its signature, where it has one with names.
    """

    def __init__(self, pyfunc: Any) -> None:  # noqa: ANN401  mlflow.pyfunc.PyFuncModel
        import numpy as np

        self.pyfunc = pyfunc
        schema = pyfunc.metadata.get_input_schema()
        self._names = tuple(schema.input_names()) if schema is not None and schema.has_input_names() else ()
        if self._names:
            self.feature_names_in_ = np.array(self._names, dtype=object)

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """What the pyfunc says, as an array."""
        import numpy as np

        found: np.ndarray[Any, Any] = np.asarray(self.pyfunc.predict(self._ordered(rows)))
        return found

    def _ordered(self, rows: Any) -> Any:  # noqa: ANN401  a frame or an array
        return in_order(rows, self._names, len(self._names) or None, "The MLflow model")


class MlflowClassifier(MlflowModel):
    """An MLflow model around a classifier with probabilities.

    Attributes:
        classes_: The labels, in the order of the columns of `predict_proba`.
    """

    def __init__(self, pyfunc: Any, classifier: Any) -> None:  # noqa: ANN401  mlflow.pyfunc.PyFuncModel and what it wraps
        super().__init__(pyfunc)
        self._classifier = classifier
        self.classes_ = classifier.classes_

    def predict_proba(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """Probabilities, shape (n_rows, n_classes)."""
        found: np.ndarray[Any, Any] = self._classifier.predict_proba(self._ordered(rows))
        return found


def is_folder(path: str) -> bool:
    """Whether a folder is an MLflow model."""
    return Path(path, MARKER).is_file()


def claims(model: object) -> bool:
    """Whether the model came out of an MLflow folder."""
    return (type(model).__module__, type(model).__qualname__) == ("mlflow.pyfunc", "PyFuncModel")


def refuse_object() -> InvalidInputError:
    """A loaded pyfunc has left its folder behind."""
    return InvalidInputError(
        "A loaded MLflow model cannot be registered as an object, because what makes it up is its folder. Save it with "
        "mlflow.<flavour>.save_model(model, folder) and register the folder, or register the model inside it (get_raw_model())."
    )


def inspect(path: str, *, shown: str) -> Folder:
    """Read the folder's `MLmodel` and nothing else.

    Raises:
        CorruptionError: If it cannot be read.
        InvalidInputError: If the path is no MLflow folder.
    """
    import yaml

    marker = Path(path, MARKER)
    if not marker.is_file():
        raise InvalidInputError(f"{shown} is no MLflow model folder: there is no file {MARKER} in it.")
    try:
        if marker.stat().st_size > _LARGEST_MARKER:
            raise ValueError(f"it has more than {_LARGEST_MARKER} bytes")  # noqa: TRY301  one way for all that can be wrong
        said = yaml.safe_load(marker.read_text(encoding="utf-8"))
        pyfunc = said["flavors"].get("python_function") or {}
        facts = (pyfunc.get("loader_module"), pyfunc.get("code"), said.get("mlflow_version"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise CorruptionError(f"The file {MARKER} of the MLflow folder {shown} cannot be read: {error}. Save the model again.") from error
    loader, code, version = (None if fact is None else str(fact) for fact in facts)
    return Folder(loader_module=loader, code=code, mlflow_version=version)


def findings(path: str, name: str) -> tuple[Finding, ...]:
    """What loading the folder would import, beside its pickles: its loader, and code that it brings along."""
    try:
        folder = inspect(path, shown=name)
    except (CorruptionError, InvalidInputError) as error:
        return (Finding(kind="unread", where=f"{name}: {MARKER}", note=str(error)),)
    if folder.loader_module is None:
        return (Finding(kind="known", where=f"{name}: {MARKER}", note="no python_function flavour, so it cannot be loaded"),)
    loader = folder.loader_module
    kind, note = ("known", "the loader") if loader.startswith("mlflow.") else ("unknown", "the loader is not MLflow's own")
    if loader == _LOADER_OF_CLASSES:
        kind, note = "unknown", "the loader of classes of the user's own"
    found = [Finding(kind=kind, where=f"{name}: {MARKER}", names=(loader,), note=note)]  # type: ignore[arg-type]  # one of two
    if folder.code is not None:
        found.append(Finding(kind="unknown", where=f"{name}: {folder.code}", note="Python files that go on the module path"))
    return tuple(found)


def load(path: str, *, shown: str) -> MlflowModel:
    """Load the folder, which messages call `shown`. This runs its code: the caller has asked `Trust`.

    Raises:
        CorruptionError: If its `MLmodel` cannot be read.
        InvalidInputError: If it has no python_function flavour, or MLflow cannot load it here.
        MissingDependencyError: If MLflow is not installed.
    """
    folder = inspect(path, shown=shown)
    if folder.loader_module is None:
        raise InvalidInputError(
            f"The MLflow folder {shown} has no python_function flavour, so it cannot be loaded as a model. Use version.download(folder) "
            "and the library that made it."
        )
    pyfunc = need("mlflow.pyfunc", extra="mlflow", purpose="An MLflow model folder")
    kept = tempfile.mkdtemp(prefix="airflow_registry_")  # only this user can enter it
    try:
        model = _adapted(pyfunc.load_model(_kept(path, kept), suppress_warnings=True))
    except BaseException as error:
        shutil.rmtree(kept, ignore_errors=True)
        if isinstance(error, MemoryError) or not isinstance(error, Exception):
            raise
        raise InvalidInputError(
            f"MLflow cannot load the folder {shown} ({type(error).__name__}: {error}). It was written by MLflow {folder.mlflow_version} "
            f"for the loader {folder.loader_module}: install what its requirements.txt names (version.download(folder) to see it)."
        ) from error
    weakref.finalize(model, shutil.rmtree, kept, ignore_errors=True)
    return model


def _kept(path: str, private: str) -> str:
    """A copy for as long as the model lives: some models open files of their folder only when they predict."""
    return shutil.copytree(path, Path(private, "model").as_posix(), copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that has no links
        shutil.copy2(source, target)


def _adapted(model: Any) -> MlflowModel:  # noqa: ANN401  mlflow.pyfunc.PyFuncModel
    raw = _raw(model)
    has_probabilities = callable(getattr(raw, "predict_proba", None)) and getattr(raw, "classes_", None) is not None
    return MlflowClassifier(model, raw) if has_probabilities else MlflowModel(model)


def _raw(model: Any) -> object:  # noqa: ANN401  mlflow.pyfunc.PyFuncModel
    """What MLflow wraps, where it says so."""
    try:
        found: object = model.get_raw_model()
    except Exception:  # noqa: BLE001  each flavour has its own way of having none
        return None
    return found
