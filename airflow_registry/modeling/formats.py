"""Formats: how a model becomes one file, and which files may become a model again.

Serializing prefers skops, which holds data and type names. Where skops cannot hold a model, joblib (or pickle) is used and
a warning says why. Loading a pickle runs whatever code it holds, so a `Trust` decides whether that may happen.
"""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError, one_of
from airflow_registry.modeling import pickle_format, skops_format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.trust import Trust

log = logging.getLogger(__name__)

SERIALIZED_FORMATS = ("skops", "joblib", "pickle")
_EXTENSIONS = {".skops": "skops", ".joblib": "joblib", ".pkl": "pickle", ".pickle": "pickle"}
_FILE_NAMES = {"skops": "model.skops", "joblib": "model.joblib", "pickle": "model.pkl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Serialized:
    """The one file that a model became.

    Attributes:
        path: Where it is, `<folder>/model.<ext>`.
        format: `skops`, `joblib` or `pickle`.
    """

    path: str
    format: str


def serialize(model: object, folder: str, *, format: str | None = None, trusted_types: Iterable[str] = ()) -> Serialized:  # noqa: A002
    """Write the model to one file in `folder`.

    Args:
        model: A fitted estimator, or any object with `predict`.
        folder: An existing folder.
        format: `skops`, `joblib` or `pickle`; None for the safest that can hold the model.
        trusted_types: Type names that may stay in skops because loading will trust them (the setting `trusted_types`).

    Raises:
        InvalidInputError: If the object has no `predict`, the format is unknown, or it cannot hold the model.
        MissingDependencyError: If the format's library is not installed.
        StorageUnavailableError: If the file cannot be written.
    """
    _check_model(model)
    if format is not None and format not in SERIALIZED_FORMATS:
        raise InvalidInputError(f"{format!r} is not a format that a model can be written in. Expected {one_of(SERIALIZED_FORMATS)}.")
    if format == "skops" or (format is None and skops_format.is_sklearn(model)):
        path = str(Path(folder) / _FILE_NAMES["skops"])
        obstacles = skops_format.dump(model, path, None if format else frozenset(trusted_types))
        if not obstacles:
            return Serialized(path=path, format="skops")
        _warn_fallback(model, obstacles)
    return _pickled(model, folder, format or _pickle_flavour())


def format_of(path: str) -> str:
    """The format of an artifact that was made elsewhere, by its name: a loadable one, or `folder`, or `file`."""
    if path.endswith(("/", "\\")) or Path(path).is_dir():
        return "folder"
    return _EXTENSIONS.get(Path(path).suffix.lower(), "file")


def load(path: str, format: str, trust: Trust, *, shown: str | None = None) -> object:  # noqa: A002  the word that people use
    """The model in a file whose digest the caller has verified.

    Args:
        path: The file.
        format: How it was written.
        trust: What may be loaded.
        shown: What messages call the file, where `path` is a copy that nobody will find; default: its path.

    Raises:
        ArtifactNotFoundError: If there is no such file.
        CorruptionError: If the file is truncated or damaged.
        InvalidInputError: If the format cannot be loaded as an object, or the file needs code that is not here.
        UntrustedArtifactError: If loading would run code, or build types, that nobody vouched for.
    """
    if format not in SERIALIZED_FORMATS:
        raise InvalidInputError(_not_loadable(path, format))
    if not Path(path).is_file():
        raise ArtifactNotFoundError(f"There is no artifact file at {path}, so nothing was loaded.")
    if format == "skops":
        return skops_format.load(path, frozenset(trust.trusted_types), shown=shown or path)
    trust.check_code(f"the {format} file {shown or path}")
    return pickle_format.load(path, format, shown=shown or path)


def _check_model(model: object) -> None:
    if isinstance(model, type):
        raise InvalidInputError(f"{model.__name__} is a class, not a fitted model. Pass an instance of it.")
    if not callable(getattr(model, "predict", None)):
        raise InvalidInputError(
            f"{type(model).__name__} has no predict, so it cannot be served as a model. Pass a fitted model, the path of a file or "
            "folder, or None to register metadata only."
        )


def _pickled(model: object, folder: str, format_: str) -> Serialized:
    path = str(Path(folder) / _FILE_NAMES[format_])
    pickle_format.dump(model, path, format_)
    return Serialized(path=path, format=format_)


def _pickle_flavour() -> str:
    return "joblib" if importlib.util.find_spec("joblib") else "pickle"


def _warn_fallback(model: object, obstacles: tuple[str, ...]) -> None:
    log.warning(
        "%s is stored as %s, which runs code when it is loaded, because the safe format skops cannot take it: %s. Types that you "
        "trust can be named in the setting trusted_types.",
        type(model).__name__,
        _pickle_flavour(),
        ", ".join(obstacles),
    )


def _not_loadable(path: str, format_: str) -> str:
    if format_ == "none":
        return "This version is metadata only: it was registered without an artifact, so there is nothing to load."
    if format_ in {"file", "folder", "remote"}:
        return (
            f"The artifact at {path} is a {format_!r} artifact, which the registry keeps but cannot turn into an object. Use "
            "version.remote_path, or version.download(folder), and load it with the library that made it."
        )
    return f"{format_!r} is not a format that can be loaded. Expected {one_of(SERIALIZED_FORMATS)}."
