"""Libraries that only some formats need, imported when such a model is at hand."""

from __future__ import annotations

import importlib
from typing import Any

from airflow_registry.errors import MissingDependencyError


def need(module: str, *, extra: str, purpose: str) -> Any:  # noqa: ANN401  a module
    """The module, imported.

    Args:
        module: What to import, `lightgbm`.
        extra: The extra of this package that brings it.
        purpose: What needs it, as a message begins: `A LightGBM model`.

    Raises:
        MissingDependencyError: If it is not installed, or is installed and cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module.partition(".")[0]:
            raise MissingDependencyError.extra(module, extra, purpose) from error
        raise _broken(module, purpose, error) from error
    except (ImportError, OSError) as error:  # a shared library that the wheel expects on the machine, such as libgomp
        raise _broken(module, purpose, error) from error


def _broken(module: str, purpose: str, error: Exception) -> MissingDependencyError:
    return MissingDependencyError(
        f"{purpose} needs the package {module!r}, which is installed and cannot be imported: {error}. Install what it misses."
    )
