"""Formats: how a model becomes one file, and which files may become a model again.

Serializing prefers formats that hold data and no code: skops for scikit-learn, the libraries' own for LightGBM, XGBoost, ONNX and
arrays. Where none can hold a model, joblib (or pickle) is used and a warning says why. Loading a pickle or an MLflow folder runs
whatever code it holds, so a `Trust` decides whether that may happen.
"""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError, one_of
from airflow_registry.modeling import (
    lightgbm_format,
    mlflow_format,
    onnx_format,
    pickle_format,
    safetensors_format,
    skops_format,
    xgboost_format,
)
from airflow_registry.modeling.native_file import head

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.trust import Trust

log = logging.getLogger(__name__)


class Native(Protocol):
    """What each module of a native format has: data only, read by the library that it belongs to."""

    @property
    def FILE_NAME(self) -> str:  # noqa: N802  a module's constant
        """What its file is called."""

    @property
    def EXTENSIONS(self) -> tuple[str, ...]:  # noqa: N802  a module's constant
        """Endings of names that can only be of this format."""

    def claims(self, model: object) -> bool:
        """Whether the format is made for this object."""

    def sniff(self, start: bytes) -> bool:
        """Whether a file that begins like this is of the format."""

    def dump(self, model: Any, path: str) -> tuple[str, ...]:  # noqa: ANN401  whatever the library makes
        """Write the object, or say what speaks against it."""

    def load(self, path: str, *, shown: str) -> object:
        """Read the file."""


NATIVE: dict[str, Native] = {
    "onnx": onnx_format,
    "lightgbm": lightgbm_format,
    "xgboost": xgboost_format,
    "safetensors": safetensors_format,
}
SERIALIZED_FORMATS = ("skops", *NATIVE, "joblib", "pickle")
LOADABLE_FORMATS = (*SERIALIZED_FORMATS, "mlflow")
FORMATS = (*LOADABLE_FORMATS, "file", "folder")
_EXTENSIONS = {".skops": "skops", ".joblib": "joblib", ".pkl": "pickle", ".pickle": "pickle"} | {
    extension: name for name, native in NATIVE.items() for extension in native.EXTENSIONS
}
_FILE_NAMES = {"skops": "model.skops", "joblib": "model.joblib", "pickle": "model.pkl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Serialized:
    """The one file that a model became.

    Attributes:
        path: Where it is, `<folder>/model.<ext>`.
        format: One of `SERIALIZED_FORMATS`.
    """

    path: str
    format: str


def serialize(model: object, folder: str, *, format: str | None = None, trusted_types: Iterable[str] = ()) -> Serialized:  # noqa: A002
    """Write the model to one file in `folder`.

    Args:
        model: A fitted estimator or booster, an ONNX model, a dictionary of numpy arrays, or any object with `predict`.
        folder: An existing folder.
        format: One of `SERIALIZED_FORMATS`; None for the safest that can hold the model.
        trusted_types: Type names that may stay in skops because loading will trust them (the setting `trusted_types`).

    Raises:
        InvalidInputError: If the object is no model, the format is unknown, or it cannot hold the model.
        MissingDependencyError: If the format's library is not installed.
        StorageUnavailableError: If the file cannot be written.
    """
    if format is not None and format not in SERIALIZED_FORMATS:
        raise InvalidInputError(f"{format!r} is not a format that a model can be written in. Expected {one_of(SERIALIZED_FORMATS)}.")
    wanted = format or next((name for name, native in NATIVE.items() if native.claims(model)), None)
    if wanted in NATIVE:
        return _native(model, folder, wanted, is_chosen=format is not None)
    _check_model(model)
    if wanted == "skops" or (wanted is None and skops_format.is_sklearn(model)):
        path = str(Path(folder) / _FILE_NAMES["skops"])
        obstacles = skops_format.dump(model, path, None if wanted else frozenset(trusted_types))
        if not obstacles:
            return Serialized(path=path, format="skops")
        _warn_fallback(model, "skops", obstacles, "Types that you trust can be named in the setting trusted_types.")
    return _pickled(model, folder, wanted or _pickle_flavour())


def format_of(path: str) -> str:
    """The format of an artifact that was made elsewhere, by its name, then by how it begins: a loadable one, `folder` or `file`."""
    if path.endswith(("/", "\\")) or Path(path).is_dir():
        return "mlflow" if mlflow_format.is_folder(path) else "folder"
    by_name = _EXTENSIONS.get(Path(path).suffix.lower())
    if by_name is not None:
        return by_name
    start = head(path)
    return next((name for name, native in NATIVE.items() if native.sniff(start)), "file")


def check_kind(path: str, format: str | None) -> None:  # noqa: A002  the word that people use
    """Refuse a format that an artifact cannot have.

    Args:
        path: A local file or folder, or the address of one that cannot be looked at.
        format: What the caller says it is; None says nothing.

    Raises:
        InvalidInputError: If there is no such format, or it is one of folders and this is a file, or the other way round.
    """
    if format is None:
        return
    if format not in FORMATS:
        raise InvalidInputError(f"{format!r} is not a format. Expected {one_of(FORMATS)}; leave format= out to go by the file's name.")
    is_of_folders = format in {"mlflow", "folder"}
    if (Path(path).is_file() and is_of_folders) or (Path(path).is_dir() and not is_of_folders):
        found, other = ("a file", "a folder") if is_of_folders else ("a folder", "a file")
        raise InvalidInputError(f"{path} is {found}, and the format {format!r} is {other}. Leave format= out to go by what is there.")


def load(path: str, format: str, trust: Trust, *, shown: str | None = None) -> object:  # noqa: A002  the word that people use
    """The model in a file whose digest the caller has verified.

    Args:
        path: The file; for MLflow the folder.
        format: How it was written.
        trust: What may be loaded.
        shown: What messages call the file, where `path` is a copy that nobody will find; default: its path.

    Raises:
        ArtifactNotFoundError: If there is no such file.
        CorruptionError: If the file is truncated or damaged.
        InvalidInputError: If the format cannot be loaded as an object, or the file needs code that is not here.
        MissingDependencyError: If the format's library is not installed.
        UntrustedArtifactError: If loading would run code, or build types, that nobody vouched for.
    """
    if format not in LOADABLE_FORMATS:
        raise InvalidInputError(_not_loadable(path, format))
    if not (Path(path).is_dir() if format == "mlflow" else Path(path).is_file()):
        raise ArtifactNotFoundError(f"There is no artifact {'folder' if format == 'mlflow' else 'file'} at {path}, so nothing was loaded.")
    name = shown or path
    if format in NATIVE:
        return NATIVE[format].load(path, shown=name)
    if format == "skops":
        return skops_format.load(path, frozenset(trust.trusted_types), shown=name)
    if format == "mlflow":
        trust.check_code(f"the MLflow folder {name}")
        return mlflow_format.load(path, shown=name)
    trust.check_code(f"the {format} file {name}")
    return pickle_format.load(path, format, shown=name)


def _check_model(model: object) -> None:
    if isinstance(model, type):
        raise InvalidInputError(f"{model.__name__} is a class, not a fitted model. Pass an instance of it.")
    if mlflow_format.claims(model):
        raise mlflow_format.refuse_object()
    if not callable(getattr(model, "predict", None)):
        raise InvalidInputError(
            f"{type(model).__name__} has no predict, so it cannot be served as a model. Pass a fitted model, the path of a file or "
            "folder, or None to register metadata only."
        )


def _native(model: object, folder: str, format_: str, *, is_chosen: bool) -> Serialized:
    """In the library's own format; where it cannot hold everything, as a pickle with a warning."""
    path = str(Path(folder) / NATIVE[format_].FILE_NAME)
    obstacles = NATIVE[format_].dump(model, path)
    if not obstacles:
        return Serialized(path=path, format=format_)
    if is_chosen:
        raise InvalidInputError(f"{type(model).__name__} cannot be written as {format_}: {'; '.join(obstacles)}. Leave the format out.")
    _warn_fallback(model, format_, obstacles, "")
    return _pickled(model, folder, _pickle_flavour())


def _pickled(model: object, folder: str, format_: str) -> Serialized:
    path = str(Path(folder) / _FILE_NAMES[format_])
    pickle_format.dump(model, path, format_)
    return Serialized(path=path, format=format_)


def _pickle_flavour() -> str:
    return "joblib" if importlib.util.find_spec("joblib") else "pickle"


def _warn_fallback(model: object, format_: str, obstacles: tuple[str, ...], remedy: str) -> None:
    log.warning(
        "%s is stored as %s, which runs code when it is loaded, because the safe format %s cannot take it: %s. %s",
        type(model).__name__,
        _pickle_flavour(),
        format_,
        ", ".join(obstacles),
        remedy,
    )


def _not_loadable(path: str, format_: str) -> str:
    if format_ == "none":
        return "This version is metadata only: it was registered without an artifact, so there is nothing to load."
    if format_ in {"file", "folder", "remote"}:
        return (
            f"The artifact at {path} is a {format_!r} artifact, which the registry keeps but cannot turn into an object. Use "
            "version.remote_path, or version.download(folder), and load it with the library that made it."
        )
    return f"{format_!r} is not a format that can be loaded. Expected {one_of(LOADABLE_FORMATS)}."
