"""Models that upload themselves: calling `to_remote` and `from_remote` in every form that is in use."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from airflow_registry.errors import InvalidInputError, MissingDependencyError
from airflow_registry.modeling.base import Model

_PERSIST = "persist"


def has_to_remote(model: object) -> bool:
    """Whether the model brings its own upload; the default of `Model` does not count."""
    if isinstance(model, Model) and not model.stores_itself:
        return False
    return callable(getattr(model, "to_remote", None))


def upload(model: object, suggested_path: str) -> str:
    """Let the model upload itself, and return where it is.

    Args:
        model: An object with `to_remote(remote_path)` or `to_remote(persist=True) -> remote_path`.
        suggested_path: Where it should go; a model that chooses its own path ignores it.

    Raises:
        InvalidInputError: If `to_remote` has neither form, or says nothing usable about where the model is.
    """
    method = getattr(model, "to_remote", None)
    if not callable(method):
        raise InvalidInputError(f"{type(model).__name__} has no to_remote, so it cannot upload itself.")
    args, kwargs = _call(method, type(model).__name__, suggested_path)
    answer = method(*args, **kwargs)
    if answer is None and args:
        return suggested_path  # it was told where to upload, so there is nothing to say
    return _checked_path(answer, type(model).__name__)


def loader_of(model: object) -> str:
    """`module:Class` of the model, by which `load_remote` finds its `from_remote`."""
    return f"{type(model).__module__}:{type(model).__qualname__}"


def load_remote(loader: str, remote_path: str) -> object:
    """The model that `to_remote` uploaded.

    This imports the class and runs its `from_remote`; the caller decides beforehand whether the loader may be trusted.

    Args:
        loader: `module:Class`, from `loader_of`.
        remote_path: What `upload` returned.

    Raises:
        InvalidInputError: If the class cannot be found, was defined in a script, or has no usable `from_remote`.
        MissingDependencyError: If its module needs a package that is not installed.
    """
    cls = _find_class(loader)
    declared = inspect.getattr_static(cls, "from_remote", None)
    if declared is None:
        raise InvalidInputError(f"{loader} has no from_remote, so what it uploaded to {remote_path} cannot be loaded. Add the method.")
    if isinstance(declared, (classmethod, staticmethod)):
        return _not_none(cls.from_remote(remote_path), loader)
    instance = _empty_instance(cls, loader)
    answer = instance.from_remote(remote_path)
    return instance if answer is None else answer


def _call(method: Any, name: str, suggested_path: str) -> tuple[tuple[str, ...], dict[str, bool]]:  # noqa: ANN401  a bound method
    """The arguments that `to_remote` wants: the path, `persist=True`, or both."""
    parameters = _parameters(method)
    if parameters is None:
        return (suggested_path,), {}
    plain = [p for p in parameters if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD} and p.name != _PERSIST]
    required = [p for p in plain if p.default is p.empty]
    if len(required) > 1:
        wanted = ", ".join(p.name for p in required)
        raise InvalidInputError(
            f"{name}.to_remote({wanted}) cannot be called: expected to_remote(remote_path) or to_remote(persist=True) -> remote_path."
        )
    kwargs = {_PERSIST: True} if any(p.name == _PERSIST for p in parameters) else {}
    wants_path = bool(required) or (not kwargs and bool(parameters))
    return ((suggested_path,) if wants_path else ()), kwargs


def _parameters(method: Any) -> list[inspect.Parameter] | None:  # noqa: ANN401  a bound method
    try:
        return list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # written in C, or wrapped beyond recognition
        return None


def _checked_path(answer: object, name: str) -> str:
    if isinstance(answer, str) and answer.strip():
        return answer
    raise InvalidInputError(
        f"{name}.to_remote returned {answer!r}, so nobody knows where the model is. It must return its remote path, "
        "for example 's3://models/lead_scoring/8'. Nothing was registered."
    )


def _find_class(loader: str) -> Any:  # noqa: ANN401  a class that is known by name only
    module, _, qualname = loader.partition(":")
    if not module or not qualname:
        raise InvalidInputError(f"{loader!r} is not a loader. Expected 'module:Class'.")
    if module == "__main__" or "<locals>" in qualname:
        raise InvalidInputError(
            f"The class {qualname!r} was defined in a script or inside a function, so no other process can find it. Move it to a "
            "module that this process can import, and register the model again."
        )
    found: Any = _import(module, loader)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise InvalidInputError(f"The module {module!r} has no class {qualname!r} any more. Restore it, or register the model again.")
    return found


def _import(module: str, loader: str) -> object:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise InvalidInputError(
                f"The model's class {loader} cannot be imported here: there is no module {error.name!r}. Install the package that "
                "holds the training code, or put it where this process finds it (plugins folder, bundle root, PYTHONPATH)."
            ) from error
        raise MissingDependencyError(f"The model's class {loader} needs {error.name!r}, which is not installed here.") from error


def _empty_instance(cls: Any, loader: str) -> Any:  # noqa: ANN401  a class that is known by name only
    try:
        inspect.signature(cls).bind()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{loader} has from_remote as an instance method, but no instance can be made without arguments ({error}). Make "
            "from_remote a class method, or give the arguments of __init__ defaults."
        ) from error
    return cls()


def _not_none(model: object, loader: str) -> object:
    if model is None:
        raise InvalidInputError(f"{loader}.from_remote returned nothing. As a class method it must return the model.")
    return model
