"""Pickles of plain data: None, bools, numbers, strings, bytes, lists, tuples and dicts. Reads protocols 2 to 5.

Python's own reader, written in Python, with only the instructions that plain data need: none of them calls or builds
objects. The reader in C is not safe even without names: a small file can make it take all memory (by the number of a
memo entry) or crash the process (by deep tuples as keys).
"""

from __future__ import annotations

import io
import pickle
from pickle import _Unpickler  # joblib builds on it and on `dispatch` as well
from typing import Any

_INSTRUCTIONS = (
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK"),
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "STACK_GLOBAL"),  # for the error, which names what they name
)
_Key = str | bytes | int | float | None


def loads(data: bytes) -> Any:
    """Return what a pickle holds. Raises ValueError for one that is damaged or holds anything but plain data."""
    file = io.BytesIO(data)
    try:
        return _PlainUnpickler(file).load()
    except Exception as error:  # the reader does not check its input
        if type(error) is ValueError:
            raise
        raise ValueError(f"the pickle is damaged at byte {file.tell()}") from error


class _Instructions(dict[int, Any]):
    """The function of every instruction; refuses the others."""

    def __missing__(self, code: int) -> Any:
        raise ValueError(
            f"it holds the pickle instruction {code:#04x}, results hold plain data only, in protocol 2 or higher"
        )


class _PlainUnpickler(_Unpickler):
    """The reader, without names and with plain keys only."""

    stack: list[Any]

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Refuse every name."""
        raise ValueError(f"it names {f'{module_name}.{global_name}'[:80]!r}, results hold plain data only")

    def load_setitem(self) -> None:
        """Put a key and its value into the dict below them."""
        self._set_items([self.stack.pop(-2), self.stack.pop()])

    def load_setitems(self) -> None:
        """Put the keys and values since the last mark into the dict below it."""
        self._set_items(self.pop_mark())  # type: ignore[attr-defined]

    def _set_items(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not dict or not all(isinstance(key, _Key) for key in items[::2]):
            raise TypeError("not a dict, or not a plain key")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    dispatch = _Instructions(
        {code[0]: _Unpickler.dispatch[code[0]] for code in (getattr(pickle, n) for n in _INSTRUCTIONS)}
    )
    dispatch |= {pickle.SETITEM[0]: load_setitem, pickle.SETITEMS[0]: load_setitems}
