"""Collecting all faults of one input before refusing it, each with its path inside the input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, TypeVar

from airflow_registry.errors import InvalidInputError, InvalidPolicyError, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

T = TypeVar("T")


@dataclass(slots=True)
class Faults:
    """The faults found so far, as `path: sentence`."""

    found: list[str] = field(default_factory=list)

    def add(self, path: str, sentence: str) -> None:
        """Note a fault."""
        self.found.append(f"{path}: {sentence}")

    def choice(self, path: str, value: object, allowed: Collection[str]) -> None:
        """Note a fault unless `value` is one of `allowed`."""
        if not isinstance(value, str) or value not in allowed:
            self.add(path, f"this release does not know {value!r} here; expected {one_of(allowed)}.{hint(value, allowed)}")

    def attempt(self, path: str, make: Callable[[], T]) -> T | None:
        """What `make` returns; if it refuses its input, note its faults below `path` and return None."""
        try:
            return make()
        except InvalidPolicyError as error:
            self.found += [f"{path}.{fault}".lstrip(".") for fault in error.faults] or [f"{path}: {error}"]
        except InvalidInputError as error:
            self.add(path, str(error))
        return None

    def refuse(self, source: str) -> None:
        """Raise if there is any fault.

        Raises:
            InvalidPolicyError: With all of them.
        """
        if self.found:
            raise InvalidPolicyError.with_faults(source, self.found)


def finite(value: object) -> float:
    """A finite float from a number; a negative zero becomes zero, so that equal values print the same.

    Raises:
        InvalidPolicyError: If it is not a number (a bool and text are not), NaN or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        raise InvalidPolicyError(f"expected a number; found {value!r}.")
    try:
        number = float(value)
    except (OverflowError, ValueError):  # a whole number beyond the floats; a signalling NaN
        number = math.nan
    if not math.isfinite(number):
        raise InvalidPolicyError(f"expected a finite number; found {value!r}.")
    return number + 0.0


def hint(word: object, known: Collection[str]) -> str:
    """` Did you mean 'at_least'?`, or nothing when no known word is close."""
    meant = closest(word, known)
    return f" Did you mean {meant!r}?" if meant else ""


def closest(word: object, known: Collection[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    import difflib  # only on the way to an error: it costs as much as the rest of the domain

    return next(iter(difflib.get_close_matches(str(word).lower(), known, n=1, cutoff=0.7)), None)
