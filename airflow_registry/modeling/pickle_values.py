"""What the machine that follows pickles remembers: a few values, a memo, and the names that it met."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from airflow_registry.modeling.pickle_source import Unread

if TYPE_CHECKING:
    from airflow_registry.domain.findings import Kind

LARGEST_TUPLE = 64
WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_DTYPE = re.compile(r"[<>|=]?([biufcSUVMmO?])(\d{0,9})")

OPAQUE: Final = object()
MARK: Final = object()


class Global(str):
    """The full name of something that was imported."""

    __slots__ = ()


class Made:
    """Something that was made by calling a name; only of array wrappers and types of numbers more is remembered."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: object) -> None:
        self.name, self.arguments, self.state = name, arguments, None


class Dict(dict[str, Any]):
    """A dictionary, of which only texts among its first few keys are remembered.

    Attributes:
        is_whole: Whether there are no others.
    """

    __slots__ = ("is_whole",)

    def __init__(self) -> None:
        super().__init__()
        self.is_whole = True


class Memo:
    """What was stored under a number. Numbers mostly count up, and a list needs a tenth of a dictionary's memory."""

    def __init__(self) -> None:
        self.near: list[Any] = []
        self.far: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.near) + len(self.far)

    def put(self, key: int, value: object) -> None:
        """Store a value."""
        if key in self.far or not 0 <= key <= len(self.near):
            self.far[key] = value
        elif key == len(self.near):
            self.near.append(value)
        else:
            self.near[key] = value

    def get(self, key: int) -> Any:  # noqa: ANN401  any value
        """The value, or LookupError."""
        return self.far[key] if key in self.far or key < 0 else self.near[key]


class Names:
    """The names that were found, by kind."""

    def __init__(self, most: int) -> None:
        self.most, self.left_out = most, 0
        self.found: dict[Kind, set[str]] = {}

    def add(self, kind: Kind, name: str) -> None:
        """Remember a name."""
        names = self.found.setdefault(kind, set())
        if name in names:
            return
        if len(names) < self.most:
            names.add(name)
        else:
            self.left_out += 1


def is_wrapper(value: object) -> bool:
    """Whether it is joblib's stand-in for an array, or the class of these."""
    name = value.name if isinstance(value, Made) else value if isinstance(value, Global) else ""
    return name == WRAPPER


def remember(target: object, pairs: list[Any]) -> None:
    """Put keys and values, which stand one behind the other, into a dictionary."""
    if not isinstance(target, Dict):
        return
    for key, value in zip(pairs[::2], pairs[1::2], strict=False):
        if type(key) is str and len(target) < LARGEST_TUPLE:
            target[key] = value
        else:
            target.is_whole = False


def item_size(dtype: object) -> int | None:
    """Bytes of one element; None if the elements are objects.

    Raises:
        Unread: If that is not known beyond doubt: what was set later would count, so it must say the same.
    """
    said = dtype.arguments[0] if isinstance(dtype, Made) and isinstance(dtype.arguments, tuple) and dtype.arguments else None
    found = _DTYPE.fullmatch(said) if type(said) is str else None
    if found is None or not isinstance(dtype, Made):
        raise Unread("an array does not say the type of its elements")
    letter, digits = found.groups()
    size, is_object = int(digits or 1) * (4 if letter == "U" else 1), letter == "O"
    state = dtype.state if isinstance(dtype.state, tuple) else ()
    set_size, flags = (state[5], state[7]) if len(state) > 7 else (-1, None if letter == "V" else int(is_object))
    if type(flags) is not int or set_size not in {-1, size} or (letter != "V" and bool(flags & 1) != is_object):
        raise Unread("an array contradicts itself about the type of its elements")
    return None if flags & 1 else size
