"""skops: data and type names, no code. The format for scikit-learn models."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import (
    CorruptionError,
    InvalidInputError,
    MissingDependencyError,
    RegistryError,
    StorageUnavailableError,
    UntrustedArtifactError,
)
from airflow_registry.modeling import canonical_zip, index_bounds, partials
from airflow_registry.modeling.trusted_types import TRUSTED_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAMAGE = (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError, EOFError, KeyError)


def is_sklearn(model: object) -> bool:
    """Whether the model is a scikit-learn estimator, or built on one; does not import scikit-learn."""
    return any(base.__module__.partition(".")[0] == "sklearn" for base in type(model).__mro__)


def dump(model: object, path: str, trusted_types: frozenset[str] | None) -> tuple[str, ...]:
    """Write the model canonically: the same fitted state gives the same bytes.

    Args:
        model: A fitted estimator.
        path: The file to write.
        trusted_types: What loading will trust beside this package's list; None to write whatever skops can hold.

    Returns:
        What speaks against skops: names of types that loading would refuse, or skops's own words. Empty if the file was written.

    Raises:
        InvalidInputError: If `trusted_types` is None and skops cannot hold the model.
        MissingDependencyError: If skops is not installed.
        StorageUnavailableError: If the file cannot be written.
    """
    skops = _skops()
    try:
        data = skops.dumps(model)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        if trusted_types is None:
            raise InvalidInputError(f"{type(model).__name__} cannot be written as skops: {error}. Leave the format out.") from error
        return (str(error),)
    if trusted_types is not None:
        found = set(skops.get_untrusted_types(data=data))
        if refused := found - TRUSTED_TYPES - trusted_types - partials.reviewed(found, io.BytesIO(data)):
            return tuple(sorted(refused))
    _write(data, path)
    return ()


def load(path: str, trusted_types: frozenset[str], *, shown: str) -> object:
    """Read a skops file, which messages call `shown`; only reviewed types and `trusted_types` are built.

    Raises:
        CorruptionError: If the file is not a whole skops file, or its indices point outside its arrays.
        InvalidInputError: If it needs code that is not importable here, or that is of another version.
        MissingDependencyError: If skops is not installed.
        UntrustedArtifactError: If it holds other types; all of them are named.
    """
    skops = _skops()
    with _clear_errors(shown):
        found = set(skops.get_untrusted_types(file=path))
        if refused := found - TRUSTED_TYPES - trusted_types - partials.reviewed(found, path):
            raise UntrustedArtifactError(_refusal(shown, refused))
        model: object = skops.load(path, trusted=sorted(found))
        index_bounds.check(model, shown)
    return model


def _write(data: bytes, path: str) -> None:
    try:
        canonical_zip.rewrite(io.BytesIO(data), path)
    except OSError as error:
        Path(path).unlink(missing_ok=True)
        raise StorageUnavailableError(f"Cannot write the model to {path}: {error}. Nothing was registered.") from error


def _refusal(path: str, refused: set[str]) -> str:
    names = ", ".join(sorted(refused))
    return (
        f"The skops file {path} holds types that nobody vouched for: {names}. Nothing was loaded. If you know that they do no harm, "
        "name them in trusted_types of the connection; never copy the list from a file that you did not make."
    )


@contextmanager
def _clear_errors(path: str) -> Iterator[None]:
    """A file from anywhere can make skops raise anything; the caller sees errors of this package."""
    try:
        yield
    except (RegistryError, MemoryError):
        raise
    except (ImportError, AttributeError) as error:
        raise InvalidInputError(
            f"The skops file {path} needs code that this process cannot import: {error}. Install the packages that the model was "
            "trained with, in those versions."
        ) from error
    except _DAMAGE as error:
        raise CorruptionError(
            f"{path} is not a whole skops file ({type(error).__name__}: {error}). Nothing was loaded. Restore it from a backup, or "
            "register the model again from its source."
        ) from error
    except Exception as error:
        raise InvalidInputError(
            f"The model in {path} cannot be rebuilt ({type(error).__name__}: {error}). Either the file was tampered with, or it was "
            "written by versions of scikit-learn or skops that this process cannot read: compare version.lineage.packages."
        ) from error


def _skops() -> Any:  # noqa: ANN401  a module
    """`skops.io`, imported without a word.

    At its first import skops asks every loaded module for a few hundred names. Airflow's modules answer for names they do not have,
    each time with a warning: more than a thousand lines in the log of a task.
    """
    _require_skops()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("skops.io")


def _require_skops() -> None:
    try:
        is_there = importlib.util.find_spec("skops") is not None
    except ValueError:  # imported in a way that left no specification
        is_there = False
    if not is_there:
        raise MissingDependencyError.extra("skops", "sklearn", "A scikit-learn model (format skops)")
