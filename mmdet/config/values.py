"""Check a value of a config against a type hint: numbers with their ranges, words, lists, dicts, and unions of them.

The caller's `inside` checks everything that is neither a plain value nor a container.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mmdet.config.ranges import Length, Range
from mmdet.errors import UserError, shown

Inside = Callable[[Any, Any, str], Any]  # (hint, value, key) -> value
PLAIN = (str, bool, int, float, NoneType)
_NAMES = {int: "int", float: "float", str: "str", bool: "bool", NoneType: "None"}


def check_value(hint: Any, value: Any, where: str, inside: Inside) -> Any:
    """Check `value` and return it, or what `inside` returns for it.

    Raises UserError that names the key `where` and the expected value. Tuples are accepted as lists and whole numbers
    as floats. `inside` checks hints of other kinds.
    """
    origin = get_origin(hint)
    if origin is Annotated:
        return _check_annotated(hint, value, where, inside)
    if origin in (Union, UnionType):
        return _check_union(hint, value, where, inside)
    if origin is Literal:
        if not (isinstance(value, PLAIN) and value in get_args(hint)):
            raise _wrong(where, hint, value)
        return value
    if hint in _NAMES:
        return _check_plain(hint, value, where)
    if origin in (list, tuple, Sequence):
        return _check_list(hint, value, where, inside)
    if origin in (dict, Mapping):
        kind = get_args(hint)[1]
        if kind is Any:
            value = inside(hint, value, where)  # its error says more about a part
        if not isinstance(value, dict):
            raise _wrong(where, hint, value)
        if kind is Any:
            return value
        return {key: check_value(kind, item, f"{where}.{key}", inside) for key, item in value.items()}
    return inside(hint, value, where)


def _check_plain(hint: Any, value: Any, where: str) -> Any:
    if not _is_plain(hint, value):
        raise _wrong(where, hint, value)
    if hint is float and not math.isfinite(value):
        raise UserError(f"{where} is {value}, expected a finite number")
    return value


def _is_plain(kind: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is str:
        return isinstance(value, str | os.PathLike)
    return isinstance(value, {int: Integral, float: Real}.get(kind, kind))


def _check_annotated(hint: Any, value: Any, where: str, inside: Inside) -> Any:
    kind, *notes = get_args(hint)
    value = check_value(kind, value, where, inside)
    for note in notes:
        if isinstance(note, Range) and value not in note:
            raise UserError(f"{where} is {shown(value)}, expected {note}")
        if isinstance(note, Length) and len(value) != note.count:
            raise UserError(f"{where}: expected {note.count} values, got {shown(value)}")
    return value


def _check_union(hint: Any, value: Any, where: str, inside: Inside) -> Any:
    """Return the value checked against the first type that fits.

    With a single type besides None its own error is raised.
    """
    options = get_args(hint)
    if value is None and NoneType in options:
        return None
    options = tuple(option for option in options if option is not NoneType)
    for option in options:
        try:
            return check_value(option, value, where, inside)
        except UserError:
            if len(options) == 1 or _looks_like(option, value):
                raise
    raise _wrong(where, hint, value)


def _looks_like(option: Any, value: Any) -> bool:
    """Return whether a value has this outer type, so that a mistake must be inside of it."""
    if get_origin(option) is Annotated:
        option = get_args(option)[0]
    origin = get_origin(option) or option
    containers = {list: list | tuple, tuple: list | tuple, Sequence: list | tuple, dict: dict, Mapping: dict}
    return isinstance(value, containers[origin]) if origin in containers else _is_plain(origin, value)


def _check_list(hint: Any, value: Any, where: str, inside: Inside) -> Any:
    if not isinstance(value, list | tuple):
        raise _wrong(where, hint, value)
    kinds = get_args(hint)
    if get_origin(hint) is tuple and kinds[-1:] != (Ellipsis,):
        if len(value) != len(kinds):
            raise UserError(f"{where}: expected {len(kinds)} values, got {shown(value)}")
    else:
        kinds = (kinds[0],) * len(value)
    pairs = enumerate(zip(kinds, value, strict=True))
    items = [check_value(kind, item, f"{where}.{index}", inside) for index, (kind, item) in pairs]
    return tuple(items) if get_origin(hint) is tuple else items


def _wrong(where: str, hint: Any, value: Any) -> UserError:
    return UserError(f"{where}: expected {_described(hint)}, got {shown(value)}")


def _described(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _described(inner[0])
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (Union, UnionType):
        return " or ".join(_described(option) for option in inner)
    if origin in (list, tuple, Sequence):
        return "a list"
    if origin in (dict, Mapping):
        return "a dict"
    return _NAMES.get(hint, getattr(hint, "__name__", str(hint)))
