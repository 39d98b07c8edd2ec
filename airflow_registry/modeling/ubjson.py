"""Universal Binary JSON, read as XGBoost writes it, in bounded depth and without believing a length.

Source:
    Universal Binary JSON specification, draft 12: types are one letter, numbers big-endian, containers may name their count and
    the one type of their values.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_CONSTANTS = {b"Z": None, b"T": True, b"F": False}
_DEEPEST = 32


def loads(data: bytes) -> Any:  # noqa: ANN401  JSON
    """The value; arrays of one number type are numpy arrays.

    Raises:
        ValueError: If the bytes are not one whole value.
    """
    reader = _Reader(data)
    value = reader.value(reader.take(1), 0)
    if reader.position != len(data):
        raise ValueError(f"{len(data) - reader.position} bytes follow the end")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise ValueError(f"it ends before byte {end}")
        self.position, start = end, self.position
        return self.data[start:end]

    def value(self, kind: bytes, depth: int) -> Any:  # noqa: ANN401  JSON
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST}")
        if kind in _NUMBERS:
            return struct.unpack(_NUMBERS[kind], self.take(struct.calcsize(_NUMBERS[kind])))[0]
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind == b"S":
            return self._text()
        if kind == b"{":
            return self._object(depth)
        if kind == b"[":
            return self._array(depth)
        raise ValueError(f"there is no type {kind!r} (byte {self.position})")

    def _text(self) -> str:
        return self.take(self._count()).decode()

    def _count(self) -> int:
        found = self.value(self.take(1), _DEEPEST)
        if not isinstance(found, int) or isinstance(found, bool):
            raise ValueError(f"a length is {found!r} (byte {self.position})")  # noqa: TRY004  damage, not a caller's mistake
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.data[self.position : self.position + 1] != b"}":
            name = self._text()
            if name in found:
                raise ValueError(f"{name} is there twice")
            found[name] = self.value(self.take(1), depth + 1)
        self.position += 1
        return found

    def _array(self, depth: int) -> Any:  # noqa: ANN401  a list or a numpy array
        if self._next(b"$"):
            return self._numbers(self.take(1))
        return list(self._values(self._count() if self._next(b"#") else None, depth))

    def _values(self, count: int | None, depth: int) -> Iterator[Any]:
        seen = 0
        while not self._next(b"]") if count is None else seen < count:
            yield self.value(self.take(1), depth + 1)
            seen += 1

    def _numbers(self, kind: bytes) -> Any:  # noqa: ANN401  a numpy array
        import numpy as np

        if kind not in _NUMBERS or not self._next(b"#"):
            raise ValueError(f"an array of type {kind!r} (byte {self.position})")
        type_ = np.dtype(_NUMBERS[kind])  # struct's letters mean the same to numpy
        return np.frombuffer(self.take(self._count() * type_.itemsize), dtype=type_)

    def _next(self, wanted: bytes) -> bool:
        if self.data[self.position : self.position + 1] != wanted:
            return False
        self.position += 1
        return True
