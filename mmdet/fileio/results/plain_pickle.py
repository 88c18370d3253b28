"""Pickles of plain data: None, bools, numbers, strings, bytes, lists, tuples and dicts. Reads protocols 2 to 5.

Python's reader can be kept from importing names, but a small file can still make it take all memory (by the number of a
memo entry) or end the process (by deep tuples as keys). This one has no instruction that imports, calls or builds
objects. Source of the instructions: Python's pickletools.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

_STOP, _GLOBAL, _STACK_GLOBAL = b".c\x93"
_Key = str | bytes | int | float | None


def loads(data: bytes) -> Any:
    """Return what a pickle holds. Raises ValueError for one that is damaged or holds anything but plain data."""
    reader = _Reader(data)
    try:
        return reader.load()
    except (LookupError, struct.error, AttributeError, TypeError, UnicodeError) as error:
        raise ValueError(f"the pickle is damaged at byte {reader.position}") from error


class _Reader:
    """The machine that a pickle is the program of: a stack, the stacks below the marks, and a memo."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """Run to the end."""
        while (code := self.data[self.position]) != _STOP:
            self.position += 1
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise ValueError(self._why_not(code))
            instruction(self)
        return self.stack.pop()

    def number(self, layout: str) -> Any:
        """Read a number as `struct` calls it."""
        (value,) = struct.unpack_from(layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return value

    def block(self, layout: str) -> bytes:
        """Read bytes that follow their count."""
        count = self.number(layout)
        if not 0 <= count <= len(self.data) - self.position:
            raise LookupError("cut off")
        self.position += count
        return self.data[self.position - count : self.position]

    def text(self, layout: str) -> str:
        """Read a string that follows the count of its bytes."""
        return self.block(layout).decode("utf-8", "surrogatepass")

    def mark(self) -> None:
        """Put the stack aside and start a new one."""
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        """Take what was stacked since the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def last(self, count: int) -> list[Any]:
        """Take the last `count` of the stack."""
        if len(self.stack) < count:
            raise LookupError("empty stack")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def extend(self, items: list[Any]) -> None:
        """Append to the list on top."""
        if type(self.stack[-1]) is not list:
            raise TypeError("no list")
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        """Put keys and values in turn into the dict on top."""
        if type(self.stack[-1]) is not dict or not all(isinstance(key, _Key) for key in items[::2]):
            raise TypeError("no dict, or no plain key")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def remember(self, index: int) -> None:
        """Number what is on top."""
        self.memo[index] = self.stack[-1]

    def _why_not(self, code: int) -> str:
        names: list[Any] = []
        if code == _GLOBAL:
            names = [name.decode("utf-8", "replace") for name in self.data[self.position :].split(b"\n", 2)[:2]]
        elif code == _STACK_GLOBAL:
            names = self.stack[-2:]
        if names and all(isinstance(name, str) for name in names):
            return f"it names {'.'.join(names)[:80]!r}, results hold plain data only"
        return f"it holds the pickle instruction {code:#04x}, results hold plain data only, in protocol 2 or higher"


def _push(read: Callable[[_Reader], Any]) -> Callable[[_Reader], None]:
    return lambda reader: reader.stack.append(read(reader))


_INSTRUCTIONS: dict[int, Callable[[_Reader], Any]] = {
    0x80: lambda reader: reader.number("B"),  # PROTO
    0x95: lambda reader: reader.number("<Q"),  # FRAME
    ord("("): _Reader.mark,
    ord("0"): lambda reader: reader.stack.pop(),
    ord("1"): _Reader.since_mark,  # POP_MARK
    ord("N"): _push(lambda reader: None),
    0x88: _push(lambda reader: True),
    0x89: _push(lambda reader: False),
    ord("J"): _push(lambda reader: reader.number("<i")),
    ord("K"): _push(lambda reader: reader.number("B")),
    ord("M"): _push(lambda reader: reader.number("<H")),
    0x8A: _push(lambda reader: int.from_bytes(reader.block("B"), "little", signed=True)),  # LONG1
    0x8B: _push(lambda reader: int.from_bytes(reader.block("<i"), "little", signed=True)),  # LONG4
    ord("G"): _push(lambda reader: reader.number(">d")),
    0x8C: _push(lambda reader: reader.text("B")),  # SHORT_BINUNICODE
    ord("X"): _push(lambda reader: reader.text("<I")),
    0x8D: _push(lambda reader: reader.text("<Q")),  # BINUNICODE8
    ord("C"): _push(lambda reader: reader.block("B")),
    ord("B"): _push(lambda reader: reader.block("<I")),
    0x8E: _push(lambda reader: reader.block("<Q")),  # BINBYTES8
    ord("]"): _push(lambda reader: []),
    ord("a"): lambda reader: reader.extend(reader.last(1)),
    ord("e"): lambda reader: reader.extend(reader.since_mark()),
    ord(")"): _push(lambda reader: ()),
    0x85: _push(lambda reader: tuple(reader.last(1))),
    0x86: _push(lambda reader: tuple(reader.last(2))),
    0x87: _push(lambda reader: tuple(reader.last(3))),
    ord("t"): _push(lambda reader: tuple(reader.since_mark())),
    ord("}"): _push(lambda reader: {}),
    ord("s"): lambda reader: reader.set_items(reader.last(2)),
    ord("u"): lambda reader: reader.set_items(reader.since_mark()),
    ord("q"): lambda reader: reader.remember(reader.number("B")),
    ord("r"): lambda reader: reader.remember(reader.number("<I")),
    0x94: lambda reader: reader.remember(len(reader.memo)),  # MEMOIZE
    ord("h"): _push(lambda reader: reader.memo[reader.number("B")]),
    ord("j"): _push(lambda reader: reader.memo[reader.number("<I")]),
}
