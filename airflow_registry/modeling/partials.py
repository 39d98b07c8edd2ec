"""The one partial function that scikit-learn itself puts into stock models.

Histogram gradient boosting with categories keeps `functools.partial(check_array, dtype=…)`. `functools.partial` can call
anything, so its name is on no list; it is let through only in a file whose every partial wraps exactly that function.
"""

from __future__ import annotations

import json
import zipfile
from typing import IO, TYPE_CHECKING, Any

from airflow_registry.modeling.canonical_zip import SCHEMA, nodes

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARTIAL = ("functools", "partial")
_CHECK_ARRAY = ("sklearn.utils.validation", "check_array")  # turns its argument into an array, or raises


def reviewed(found: Iterable[str], source: str | IO[bytes]) -> frozenset[str]:
    """`functools.partial`, if the skops file uses it in the reviewed way and in no other; else nothing.

    Args:
        found: The types that skops does not trust in the file.
        source: The file.
    """
    name = ".".join(_PARTIAL)
    if name not in found:
        return frozenset()
    with zipfile.ZipFile(source) as file:
        schema = json.loads(file.read(SCHEMA))
    return frozenset({name}) if all(map(_wraps_check_array, filter(_names_partial, nodes(schema)))) else frozenset()


def _names_partial(node: dict[str, Any]) -> bool:
    return (node.get("__module__"), node.get("__class__")) == _PARTIAL


def _wraps_check_array(node: dict[str, Any]) -> bool:
    """Whether the node builds a partial (rather than naming the type, which could then be called) of the one function."""
    function = node["content"]["func"] if node["__loader__"] == "PartialNode" else {}
    return function.get("__loader__") == "FunctionNode" and (function.get("__module__"), function.get("__class__")) == _CHECK_ARRAY
