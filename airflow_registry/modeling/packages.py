"""Whether the packages of this process are those that a model was registered with, as far as its format cares.

A model that was written by another major version of its library may not load, or may load and predict something else. scikit-learn
promises nothing between minor versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAJOR, _MINOR = 1, 2  # how many numbers of a version must agree
_PICKLED = {"scikit-learn": _MINOR, "numpy": _MAJOR, "joblib": _MAJOR, "lightgbm": _MAJOR, "xgboost": _MAJOR, "torch": _MAJOR}
_WATCHED: dict[str, dict[str, int]] = {
    "skops": {"scikit-learn": _MINOR, "skops": _MAJOR, "numpy": _MAJOR},
    "joblib": _PICKLED,
    "pickle": _PICKLED,
    "lightgbm": {"lightgbm": _MAJOR},
    "xgboost": {"xgboost": _MAJOR},
    "onnx": {"onnxruntime": _MAJOR},
    "safetensors": {"numpy": _MAJOR},
    "mlflow": {"mlflow": _MAJOR, **_PICKLED},
}
# An older runtime does not know the newer operators; a newer one knows the older.
_MUST_NOT_BE_OLDER = {"onnx": ("onnxruntime",)}
_ALIASES = {"mlflow-skinny": "mlflow", "onnxruntime-gpu": "onnxruntime", "xgboost-cpu": "xgboost"}
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One package that differs.

    Attributes:
        package: Its name.
        recorded: The version that the model was registered with.
        installed: The version here.
        like: What to install instead, `scikit-learn==1.6.*`.
    """

    package: str
    recorded: str
    installed: str
    like: str

    def __str__(self) -> str:
        """`scikit-learn 1.6.1 at registration, 1.9.1 here`."""
        return f"{self.package} {self.recorded} at registration, {self.installed} here"


def mismatches(format_: str, recorded: Mapping[str, str], installed: Mapping[str, str]) -> tuple[Mismatch, ...]:
    """The packages that matter for a format and differ too much.

    Args:
        format_: Of the artifact.
        recorded: Versions by package at registration; what is not in it is not compared.
        installed: Versions by package here; the same.
    """
    then, now = _by_library(recorded), _by_library(installed)
    return tuple(_compared(format_, then, now))


def advice(ref: str, format_: str, found: tuple[Mismatch, ...]) -> str:
    """What to say about them: what differs, what may happen, what to do."""
    wanted = " ".join(repr(each.like) for each in found)
    return (
        f"{ref} (format {format_}) was registered with other versions of the packages that it depends on: {'; '.join(map(str, found))}. "
        f"It may not load, or predict something else. Install what it was registered with (pip install {wanted}), or train it again "
        "with the versions that are installed here."
    )


def _compared(format_: str, then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Mismatch]:
    for package, count in _WATCHED.get(format_, {}).items():
        recorded, installed = then.get(package), now.get(package)
        if recorded is None or installed is None:
            continue  # a package that is missing here says so itself when the model needs it
        if _differs(recorded, installed, count) or (package in _MUST_NOT_BE_OLDER.get(format_, ()) and _is_older(installed, recorded)):
            yield Mismatch(package=package, recorded=recorded, installed=installed, like=_like(package, recorded, count, format_))


def _by_library(versions: Mapping[str, str]) -> dict[str, str]:
    """One name for one library, whichever distribution brings it."""
    return {_ALIASES.get(name, name): version for name, version in versions.items()}


def _differs(recorded: str, installed: str, count: int) -> bool:
    return _numbers(recorded)[:count] != _numbers(installed)[:count]


def _is_older(installed: str, recorded: str) -> bool:
    return _numbers(installed)[:_MINOR] < _numbers(recorded)[:_MINOR]


def _like(package: str, recorded: str, count: int, format_: str) -> str:
    numbers = ".".join(map(str, _numbers(recorded)[:_MINOR]))
    if package in _MUST_NOT_BE_OLDER.get(format_, ()):
        return f"{package}>={numbers}"
    return f"{package}=={'.'.join(map(str, _numbers(recorded)[:count]))}.*"


def _numbers(version: str) -> tuple[int, ...]:
    found = _NUMBERS.match(version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
