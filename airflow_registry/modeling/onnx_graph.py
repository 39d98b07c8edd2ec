"""What an ONNX file says of itself, read from its protobuf bytes without the onnx package.

Two facts are needed before a session is made: whether weights stand in other files (onnxruntime would open the paths that the
file names), and which labels its classifier has (onnxruntime does not tell).

Source:
    Protocol Buffers encoding: a field is a tag (number << 3 | wire type) and a varint, 8 bytes, a length with bytes, or 4 bytes.
    Field numbers: onnx.proto3 of the ONNX specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Labels = tuple[str, ...] | tuple[int, ...]

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_DEEPEST = 32
_LABELS = (b"classlabels_int64s", b"classlabels_ints", b"classlabels_strings")
# Which fields lead from one message to the tensors inside it.
_TO_TENSORS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_NUMBERS_OF_ATTRIBUTE = {7, 8}  # one field for each of millions of numbers; an attribute that has them has no tensors
_DATA_LOCATION, _EXTERNAL = 14, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a model before it is loaded.

    Attributes:
        has_external_data: Whether weights stand in other files.
        labels: Of its classifier; () if it has none, or several that differ.
    """

    has_external_data: bool
    labels: Labels


def read(data: memoryview) -> Facts:
    """The facts.

    Raises:
        ValueError: If the bytes are no whole ONNX model.
    """
    fields = dict(_fields(data))
    if not isinstance(fields.get(7), memoryview) or not isinstance(fields.get(1), int):
        raise ValueError("it has no graph")  # noqa: TRY004  damage, not a caller's mistake
    return Facts(has_external_data=_is_external(data, "model", 0), labels=_labels(fields[7]))  # type: ignore[arg-type]  # just seen


def _is_external(data: memoryview, message: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError(f"it is nested deeper than {_DEEPEST}")
    inside = _TO_TENSORS.get(message, {})
    for number, value in _fields(data):
        if message == "attribute" and number in _NUMBERS_OF_ATTRIBUTE:
            return False
        if message == "tensor" and number == _DATA_LOCATION and value == _EXTERNAL:
            return True
        if number in inside and isinstance(value, memoryview) and _is_external(value, inside[number], depth + 1):
            return True
    return False


def _labels(graph: memoryview) -> Labels:
    found = {labels for number, node in _fields(graph) if number == 1 and isinstance(node, memoryview) for labels in _labels_of(node)}
    return found.pop() if len(found) == 1 else ()


def _labels_of(node: memoryview) -> Iterator[Labels]:
    """Labels of one classifier or map of probabilities."""
    for number, attribute in _fields(node):
        if number != 5 or not isinstance(attribute, memoryview):
            continue
        fields = _fields(attribute)
        name = next((bytes(value) for key, value in fields if key == 1 and isinstance(value, memoryview)), b"")
        if name in _LABELS and (labels := _values(fields)):
            yield labels


def _values(fields: Iterator[tuple[int, int | memoryview]]) -> Labels:
    """Texts, or whole numbers, which stand alone or packed together."""
    found = [(number, value) for number, value in fields if number in {8, 9}]
    texts = tuple(bytes(value).decode() for number, value in found if number == 9 and isinstance(value, memoryview))
    packed = [value for number, value in found if number == 8]
    return texts or tuple(_signed(each) for value in packed for each in ([value] if isinstance(value, int) else _varints(value)))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _varints(data: memoryview) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of one message."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0 or kind not in {_VARINT, _EIGHT, _BYTES, _FOUR}:
            raise ValueError(f"there is no field {number} of kind {kind}")
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        length = {_EIGHT: 8, _FOUR: 4}.get(kind, 0)
        if kind == _BYTES:
            length, position = _varint(data, position)
        if position + length > end:
            raise ValueError(f"it ends {position + length - end} bytes too early")
        yield number, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("it ends in the middle of a number")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
    raise ValueError("a number has more than 64 bits")
