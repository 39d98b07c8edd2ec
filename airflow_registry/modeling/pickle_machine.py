"""A pickle followed step by step without doing anything that it says.

Real unpickling keeps a stack and a memo. So does this, but only of what is needed to know which names would be imported: texts,
whole numbers and tuples. Names that are put together by STACK_GLOBAL from remembered texts are found; a name that the pickle
computes is reported as such.

joblib writes the bytes of arrays between the steps of a pickle. To find where the pickle goes on, an array's shape and type are
followed too. Where that is not possible beyond doubt the reading ends, because whoever wants to hide something would put it there.
"""

from __future__ import annotations

import math
import pickletools
import struct
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_registry.modeling.pickle_names import kind_of
from airflow_registry.modeling.pickle_source import Unread
from airflow_registry.modeling.pickle_values import (
    LARGEST_TUPLE,
    MARK,
    OPAQUE,
    WRAPPER,
    Dict,
    Global,
    Made,
    Memo,
    Names,
    is_wrapper,
    item_size,
    remember,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_registry.modeling.pickle_source import Source

_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_SIZED = {
    "BINSTRING": "<i",
    "BINUNICODE": "<I",
    "BINUNICODE8": "<Q",
    "BINBYTES": "<I",
    "BINBYTES8": "<Q",
    "BYTEARRAY8": "<Q",
    "LONG4": "<i",
}
_TEXTS = frozenset({"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_BYTES = frozenset({"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"})
_PLAIN = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "NONE", "NEWTRUE", "NEWFALSE"})
_LONGEST_TEXT = 512  # nothing that can be imported has a longer name
_LONGEST_VALUE = 1 << 20
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})


class Machine:
    """One pickle.

    Args:
        source: Its bytes.
        names: Where the names go.
        is_joblib: Whether joblib loads it, which reads arrays between the steps.
        nested: Called with each value of bytes that may be a pickle itself.
    """

    def __init__(self, source: Source, names: Names, *, is_joblib: bool, nested: Callable[[bytes], None]) -> None:
        self.source, self.names, self.is_joblib, self.nested = source, names, is_joblib, nested
        self.budget = source.budget
        self.stack: list[Any] = []
        self.memo = Memo()
        self.frame_end = 0

    def run(self) -> None:
        """Follow it to its end.

        Raises:
            Unread: If it cannot be followed to its end.
        """
        while True:
            self.budget.step()
            code = self.source.read(1)
            opcode = _OPCODES.get(code)
            if opcode is None:
                raise Unread(f"there is no step {code!r} (byte {self.source.position})" if code else "it ends before its last step")
            if opcode.name == "STOP":
                return
            self._do(opcode, self._argument(opcode))

    # -- arguments -----------------------------------------------------------------------------------------------------
    def _argument(self, opcode: pickletools.OpcodeInfo) -> Any:  # noqa: ANN401  whatever the step takes
        if opcode.arg is None:
            return None
        if opcode.name in {"GLOBAL", "INST"}:  # pickletools reads ASCII here, Python reads UTF-8
            return tuple(self._decoded(self.source.readline()[:-1]) for _ in range(2))
        if opcode.name in _SIZED:
            return self._sized(opcode.name)
        try:
            return opcode.arg.reader(self.source)  # type: ignore[arg-type]  # it only reads
        except (ValueError, UnicodeError, struct.error, OverflowError) as error:
            raise Unread(f"{opcode.name}: {error} (byte {self.source.position})") from error

    def _sized(self, name: str) -> Any:  # noqa: ANN401  text, bytes or OPAQUE
        header = self.source.read(struct.calcsize(_SIZED[name]))
        if len(header) != struct.calcsize(_SIZED[name]):
            raise Unread("it ends in the middle of a length")
        (length,) = struct.unpack(_SIZED[name], header)
        if length < 0:
            raise Unread(f"a length is {length} (byte {self.source.position})")
        if length > _LONGEST_VALUE:
            self.source.skip(length)
            return OPAQUE
        data = self.source.read(length)
        if len(data) != length:
            raise Unread(f"it is {length - len(data)} bytes too short")
        if name == "LONG4":
            return OPAQUE
        return self._decoded(data) if name in {"BINUNICODE", "BINUNICODE8"} else data

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise Unread(f"a text is no text (byte {self.source.position})") from error

    # -- steps ---------------------------------------------------------------------------------------------------------
    def _do(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:  # noqa: ANN401  whatever the step takes
        name = opcode.name
        if name in _TEXTS or name in _BYTES:
            self._push_text(name, argument)
        elif name in _PLAIN:
            self.stack.append(self._plain(name, argument))
        elif name in _PUTS:
            self.memo.put(argument, self._top())
        elif name == "MEMOIZE":
            self.memo.put(len(self.memo), self._top())
        elif name in _GETS:
            self.stack.append(self._remembered(argument))
        elif (step := self._STEPS.get(name)) is not None:
            step(self, argument)
        else:
            self._generic(opcode)

    def _push_text(self, name: str, argument: Any) -> None:  # noqa: ANN401  bytes, text or OPAQUE
        """Bytes and texts; protocols 0 to 2 write bytes as text."""
        text = argument.decode("latin-1") if isinstance(argument, bytes) else argument
        if isinstance(text, str) and text[:1] == "\x80" and text[-1:] == ".":
            self.nested(text.encode("latin-1", "replace"))
        is_name = name in _TEXTS and isinstance(text, str) and len(text) <= _LONGEST_TEXT
        self.budget.letters -= len(text) if is_name else 0
        self.stack.append(text if is_name and self.budget.letters > 0 else OPAQUE)

    def _plain(self, name: str, argument: Any) -> Any:  # noqa: ANN401  a value that means itself
        if isinstance(argument, int):
            return argument if -(1 << 63) <= argument < 1 << 63 else OPAQUE
        return {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}.get(name, OPAQUE)

    def _remembered(self, key: int) -> Any:  # noqa: ANN401  any value
        try:
            return self.memo.get(key)
        except LookupError as error:
            raise Unread(f"it asks for something that it did not store (byte {self.source.position})") from error

    def _generic(self, opcode: pickletools.OpcodeInfo) -> None:
        """A step that only takes from the stack and puts something there that nobody needs to know."""
        before, after = opcode.stack_before, opcode.stack_after
        if pickletools.markobject in before:
            self._to_mark()
            before = before[: before.index(pickletools.markobject)]
        for _ in before:
            self._pop()
        self.stack.extend(OPAQUE for _ in after)

    def _top(self) -> Any:  # noqa: ANN401  any value
        if not self.stack:
            raise Unread(f"it takes from an empty stack (byte {self.source.position})")
        return self.stack[-1]

    def _pop(self, *, is_free: bool = False) -> Any:  # noqa: ANN401  any value
        """The uppermost value. An array wrapper goes nowhere but where joblib puts it: elsewhere it could not be followed."""
        value = self._top()
        if self.is_joblib and not is_free and is_wrapper(value):
            raise Unread(f"an array is put together in a way that joblib does not use (byte {self.source.position})")
        return self.stack.pop()

    def _to_mark(self) -> list[Any]:
        found = []
        while (value := self._pop()) is not MARK:
            found.append(value)
        return found[::-1]

    # -- steps that matter ---------------------------------------------------------------------------------------------
    def _mark(self, _argument: object) -> None:
        self.stack.append(MARK)

    def _pop_step(self, _argument: object) -> None:
        self._pop(is_free=True)

    def _dup(self, _argument: object) -> None:
        self.stack.append(self._top())

    def _frame(self, length: int) -> None:
        self.frame_end = self.source.position + length

    def _tuple(self, _argument: object) -> None:
        found = self._to_mark()
        self.stack.append(tuple(found) if len(found) <= LARGEST_TUPLE else OPAQUE)

    def small_tuple(self, count: int) -> None:
        """A tuple of the uppermost values."""
        found = [self._pop() for _ in range(count)]
        self.stack.append(tuple(found[::-1]))

    def _dict(self, _argument: object) -> None:
        found = Dict()
        remember(found, self._to_mark())
        self.stack.append(found)

    def _empty_dict(self, _argument: object) -> None:
        self.stack.append(Dict() if self.is_joblib else OPAQUE)

    def _set_item(self, _argument: object) -> None:
        value, key = self._pop(), self._pop()
        remember(self._top(), [key, value])

    def _set_items(self, _argument: object) -> None:
        found = self._to_mark()
        remember(self._top(), found)

    def _global(self, pair: tuple[str, str]) -> None:
        self.stack.append(self._import(*pair))

    def _inst(self, pair: tuple[str, str]) -> None:
        self._to_mark()
        self.stack.append(Made(self._import(*pair), OPAQUE))

    def _stack_global(self, _argument: object) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is str and type(module) is str:
            self.stack.append(self._import(module, name))
            return
        self.names.add("dangerous", "a name that is computed while loading")
        self.stack.append(OPAQUE)

    def _extension(self, code: int) -> None:
        self.names.add("dangerous", f"extension {code} of the process that loads it")
        self.stack.append(OPAQUE)

    def _import(self, module: str, name: str) -> Global:
        full = Global(f"{module}.{name}")
        if self.is_joblib and full != WRAPPER and name.endswith("ArrayWrapper"):
            raise Unread(f"{full} may stand for an array, or for something else (byte {self.source.position})")
        self.names.add(kind_of(module, name), full[:_LONGEST_TEXT].encode("utf-8", "backslashreplace").decode())
        return full

    def _make(self, _argument: object) -> None:
        """NEWOBJ: how joblib puts its array wrappers together, without arguments."""
        arguments, called = self._pop(), self._pop(is_free=True)
        if self.is_joblib and is_wrapper(called):
            if not isinstance(called, Global) or arguments != ():
                raise Unread(f"an array is put together in a way that joblib does not use (byte {self.source.position})")
            self.stack.append(Made(called, arguments))
            return
        self.stack.append(OPAQUE)

    def _call(self, _argument: object) -> None:
        """REDUCE: how numpy puts its types together."""
        arguments, called = self._pop(), self._pop()
        self.stack.append(Made(called, arguments) if isinstance(called, Global) and called == "numpy.dtype" else OPAQUE)

    def _build(self, _argument: object) -> None:
        state = self._pop()
        made = self._top()
        if not isinstance(made, Made):
            return
        if self.is_joblib and made.state is not None:
            raise Unread(f"something is built twice, so an array may follow that is not what it seems (byte {self.source.position})")
        made.state = state
        if self.is_joblib and is_wrapper(made):
            self.stack[-1] = OPAQUE
            self._pass_array(made)

    def _pass_array(self, wrapper: Made) -> None:
        """Go over the bytes of an array, or follow the pickle of its objects."""
        if self.source.position < self.frame_end:
            raise Unread(f"an array stands in the middle of a frame (byte {self.source.position})")
        state: dict[str, Any] = wrapper.state if isinstance(wrapper.state, Dict) and wrapper.state.is_whole else {}
        size = item_size(state.get("dtype"))
        shape = state.get("shape")
        if not isinstance(shape, tuple) or not all(type(length) is int and length >= 0 for length in shape):
            raise Unread(f"an array does not say its shape (byte {self.source.position})")
        if size is None:
            Machine(self.source, self.names, is_joblib=False, nested=self.nested).run()
            return
        alignment = state.get("numpy_array_alignment_bytes")
        if alignment is not None and type(alignment) is not int:
            raise Unread(f"an array does not say how it is aligned (byte {self.source.position})")
        if alignment is not None:
            self.source.skip(int.from_bytes(self.source.read(1), "little"))
        self.source.skip(math.prod(shape) * size)

    _STEPS: ClassVar[dict[str, Callable[[Machine, Any], None]]] = {
        "MARK": _mark,
        "POP": _pop_step,
        "DUP": _dup,
        "FRAME": _frame,
        "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
        "TUPLE": _tuple,
        "TUPLE1": lambda machine, _: machine.small_tuple(1),
        "TUPLE2": lambda machine, _: machine.small_tuple(2),
        "TUPLE3": lambda machine, _: machine.small_tuple(3),
        "EMPTY_DICT": _empty_dict,
        "DICT": _dict,
        "SETITEM": _set_item,
        "SETITEMS": _set_items,
        "GLOBAL": _global,
        "INST": _inst,
        "STACK_GLOBAL": _stack_global,
        "EXT1": _extension,
        "EXT2": _extension,
        "EXT4": _extension,
        "NEWOBJ": _make,
        "REDUCE": _call,
        "BUILD": _build,
    }
