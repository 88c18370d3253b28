"""Check a config's values against its sections, and its parts against what the registries know.

What is misspelt is an error that lists near names. Knows nothing of files.
"""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mmdet import registry
from mmdet.errors import UserError, near, shown


def fill_section(kind: Any, values: Any, where: str, **given: Any) -> Any:
    """Fill a section's dataclass, refusing unknown and missing keys and checking the parts inside.

    `given` are fields that no config may set.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected a dict, got {shown(values)}")
    known = [f.name for f in fields(kind) if f.name not in given]
    for key in values:
        if key not in known:
            raise UserError(f"{where}: unknown key {shown(key)}; {near(key, known)}")
    hints = get_type_hints(kind)
    filled = {}
    for f in fields(kind):
        if f.name in values:
            filled[f.name] = _value(hints[f.name], values[f.name], f"{where}.{f.name}")
        elif f.name in known and f.default is MISSING and f.default_factory is MISSING:
            raise UserError(f"{where}: key {f.name!r} is missing")
    return kind(**filled, **given)


def _value(hint: Any, value: Any, where: str) -> Any:
    """Return a section's value, built if it is a section itself and checked for its kind."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is None and NoneType in options:
        return None
    kind = next(option for option in options if option is not NoneType)
    if is_dataclass(kind):
        return fill_section(kind, value, where)
    if kind == dict[str, Any]:
        if not (isinstance(value, dict) and "type" in value):
            raise UserError(f"{where}: expected a dict with the key 'type', got {shown(value)}")
        check_part(value, where)
        return value
    base = get_origin(kind) or kind
    if base is Literal:
        if value not in get_args(kind):
            raise UserError(f"{where}: expected one of {', '.join(get_args(kind))}, got {shown(value)}")
        return value
    fits = (
        isinstance(value, base)
        or (base is float and isinstance(value, int))
        or (base is list and isinstance(value, tuple))
    )
    if not fits or (isinstance(value, bool) and base is not bool):
        raise UserError(f"{where}: expected {base.__name__}, got {shown(value)}")
    if base is list:
        (item_kind,) = get_args(kind)
        return [_value(item_kind, item, f"{where}.{index}") for index, item in enumerate(value)]
    return value


def find_part(name: str, where: str) -> Any:
    """Return the class or function registered as `name`; UserError with near names if there is none."""
    for kind in registry.ALL:
        part = kind.module_dict.get(name) if isinstance(name, str) else None
        if part is not None:
            return part
    known = [part for kind in registry.ALL for part in kind.module_dict]
    raise UserError(f"{where}: unknown type {shown(name)}; {near(name, known)}")


def check_part(part: Any, where: str) -> None:
    """Refuse a part whose type or keys do not exist, in it and in everything inside."""
    if isinstance(part, list | tuple):
        for index, item in enumerate(part):
            check_part(item, f"{where}.{index}")
    if not isinstance(part, dict):
        return
    if "type" in part:
        parameters = inspect.signature(find_part(part["type"], where)).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for key in part:
            if key != "type" and key not in parameters and not takes_any:
                known = [name for name in parameters if name != "self"]
                raise UserError(f"{where}: {part['type']} has no key {shown(key)}; {near(key, known)}")
    for key, value in part.items():
        check_part(value, f"{where}.{key}")
