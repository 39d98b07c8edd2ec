"""joblib and pickle: they hold anything, and run code when they are loaded. `Trust` is asked before anything here loads."""

from __future__ import annotations

import logging
import pickle
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.errors import CorruptionError, InvalidInputError, MissingDependencyError, StorageUnavailableError

if TYPE_CHECKING:
    from types import ModuleType

log = logging.getLogger(__name__)

_PROTOCOL = 5  # fixed: the same state gives the same bytes on every Python that this package supports
_DAMAGE = (EOFError, IndexError, KeyError, UnicodeDecodeError, ValueError, pickle.UnpicklingError, struct.error, zlib.error)
_SCRIPTS = ("__main__", "unusual_prefix_")  # Airflow imports DAG files under names that start like this


def dump(model: object, path: str, format_: str) -> None:
    """Write the model with joblib or pickle; on failure there is no file.

    Raises:
        InvalidInputError: If something in the model cannot be pickled.
        MissingDependencyError: If joblib is not installed.
        StorageUnavailableError: If the file cannot be written.
    """
    _warn_about_scripts(model)
    try:
        _write(model, path, format_)
    except OSError as error:
        Path(path).unlink(missing_ok=True)
        raise StorageUnavailableError(f"Cannot write the model to {path}: {error}. Nothing was registered.") from error
    except (AttributeError, NotImplementedError, TypeError, ValueError, RecursionError, pickle.PicklingError) as error:
        Path(path).unlink(missing_ok=True)
        raise InvalidInputError(
            f"{type(model).__name__} cannot be written as {format_}: {error}. Classes and functions inside a model must be importable "
            "by name, and open files, locks and connections cannot be stored. Or give the model a to_remote of its own."
        ) from error


def load(path: str, format_: str, *, shown: str) -> object:
    """Read what `dump` wrote. This runs the code in the file, which messages call `shown`.

    Raises:
        CorruptionError: If the file is truncated or damaged.
        InvalidInputError: If it needs code that is not importable here.
        MissingDependencyError: If joblib is not installed.
    """
    try:
        return _read(path, format_)
    except MissingDependencyError:
        raise
    except (ImportError, AttributeError) as error:
        raise InvalidInputError(
            f"The {format_} file {shown} needs code that this process cannot import: {error}. Install the package that holds the "
            "model's class in the version that it was trained with; a class that was defined in a script must move to a module."
        ) from error
    except _DAMAGE as error:
        raise CorruptionError(
            f"The {format_} file {shown} cannot be read ({type(error).__name__}: {error}): it is truncated or damaged, or was written "
            "by library versions that this process cannot read. Nothing was loaded. Register the model again from its source."
        ) from error


def _write(model: object, path: str, format_: str) -> None:
    if format_ == "joblib":
        _joblib().dump(model, path, protocol=_PROTOCOL)
        return
    with Path(path).open("wb") as file:
        pickle.dump(model, file, protocol=_PROTOCOL)


def _read(path: str, format_: str) -> object:
    if format_ == "joblib":
        return _joblib().load(path)
    with Path(path).open("rb") as file:
        return pickle.load(file)  # noqa: S301  the caller asked Trust


def _joblib() -> ModuleType:
    try:
        import joblib
    except ImportError as error:
        raise MissingDependencyError.extra("joblib", "sklearn", "A model in the joblib format") from error
    module: ModuleType = joblib
    return module


def _warn_about_scripts(model: object) -> None:
    if type(model).__module__.startswith(_SCRIPTS):
        log.warning(
            "The class %s was defined in a script or a DAG file, so other processes cannot load the model. Move it to a module.",
            type(model).__qualname__,
        )
