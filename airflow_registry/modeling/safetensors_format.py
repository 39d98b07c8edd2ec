"""safetensors: named arrays and nothing else. Loading gives a dictionary of numpy arrays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling.native_file import damaged, head, write
from airflow_registry.modeling.optional import need

if TYPE_CHECKING:
    import numpy as np


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILE_NAME = "model.safetensors"
EXTENSIONS = (".safetensors",)
_WHAT = "safetensors file"
_OF_NUMPY = _words("BOOL F64 F32 F16 I64 I32 I16 I8 U64 U32 U16 U8 C64")


def claims(model: object) -> bool:
    """Whether it is a dictionary of numpy arrays by name."""
    if not isinstance(model, dict) or not model:
        return False
    return all(isinstance(name, str) and type(array).__module__ == "numpy" and hasattr(array, "dtype") for name, array in model.items())


def sniff(start: bytes) -> bool:
    """Whether a file begins with the length of a JSON object, and the object."""
    return len(start) > 9 and start[8:10] in {b'{"', b"{}"} and 2 <= int.from_bytes(start[:8], "little") <= 100_000_000


def dump(model: Any, path: str) -> tuple[str, ...]:  # noqa: ANN401  a dictionary of arrays
    """Write the arrays; the same arrays give the same bytes.

    Returns:
        What speaks against this format; empty if the file was written.

    Raises:
        InvalidInputError: If it is no dictionary of arrays.
        MissingDependencyError: If safetensors is not installed.
        StorageUnavailableError: If the file cannot be written.
    """
    if not claims(model):
        raise InvalidInputError(f"safetensors holds a dictionary of numpy arrays by name; found {type(model).__name__}.")
    import numpy as np

    arrays = need("safetensors.numpy", extra="safetensors", purpose="A file of tensors")
    if strange := sorted(name for name, array in model.items() if array.dtype.kind not in "biufc"):
        raise InvalidInputError(f"safetensors holds numbers; these arrays hold something else: {', '.join(strange)}.")
    try:
        write(path, arrays.save({name: np.ascontiguousarray(model[name]).reshape(model[name].shape) for name in model}))
    except (KeyError, ValueError, _error()) as error:
        raise InvalidInputError(f"The arrays cannot be written as safetensors: {type(error).__name__}: {error}.") from error
    return ()


def load(path: str, *, shown: str) -> dict[str, np.ndarray[Any, Any]]:
    """Read a safetensors file, which messages call `shown`.

    Raises:
        CorruptionError: If it is not whole.
        InvalidInputError: If it holds numbers of a type that numpy does not have.
        MissingDependencyError: If safetensors is not installed.
    """
    arrays = need("safetensors.numpy", extra="safetensors", purpose="A file of tensors")
    try:
        found: dict[str, np.ndarray[Any, Any]] = arrays.load_file(path)
    except (KeyError, TypeError, AttributeError, _error()) as error:
        if foreign := _foreign_types(path):
            raise InvalidInputError(
                f"The safetensors file {shown} holds {', '.join(foreign)}, which numpy does not have. Use version.download(folder) and "
                "load it with the library that made it (safetensors.torch)."
            ) from error
        raise damaged(_WHAT, shown, error) from error
    return found


def _error() -> type[Exception]:
    error: type[Exception] = need("safetensors", extra="safetensors", purpose="A file of tensors").SafetensorError
    return error


def _foreign_types(path: str) -> list[str]:
    """Types of numbers that only other libraries know (BF16, F8_…)."""
    start = head(path)
    try:
        with open(path, "rb") as file:  # noqa: PTH123  head() has just read it
            header = json.loads(file.read(8 + int.from_bytes(start[:8], "little"))[8:]) if sniff(start) else {}
        types = {entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return sorted(str(kind) for kind in types - _OF_NUMPY)
