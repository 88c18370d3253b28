"""Check a config against its sections, and its parts against the registries and the types of their arguments.

Unknown names are errors that list similar names; every error names the key.
"""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

from mmdet import registry
from mmdet.config.values import PLAIN, check_value
from mmdet.errors import UserError, shown, suggestion
from mmdet.registry import PartKind


def fill_section(kind: Any, values: Any, where: str, **given: Any) -> Any:
    """Fill a section's dataclass; refuse unknown and missing keys, and check values and the parts inside.

    `given` are fields that a config cannot set.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected a dict, got {shown(values)}")
    known = [f.name for f in fields(kind) if f.name not in given]
    for key in values:
        if key not in known:
            raise UserError(f"{where}: unknown key {shown(key)}; {suggestion(key, known)}")
    hints = get_type_hints(kind, include_extras=True)
    for f in fields(kind):
        if f.name in known and f.name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise UserError(f"{where}: key {f.name!r} is missing")
    filled = {key: _check(hints[key], value, f"{where}.{key}", key) for key, value in values.items()}
    return kind(**filled, **given)


def _check(hint: Any, value: Any, where: str, key: Any) -> Any:
    """Check the value of `key` against its type hint and return it; a section is built."""
    kind = registry.OF_KEY.get(key) if isinstance(key, str) else None

    def check_inside(hint: Any, value: Any, where: str) -> Any:
        """Check values that are not plain: sections, parts, and values without a specific hint."""
        if is_dataclass(hint):
            return fill_section(hint, value, where)
        expects_part = kind is not None and not isinstance(value, list | tuple)
        if expects_part and (isinstance(value, PLAIN) or (isinstance(value, dict) and "type" not in value)):
            raise UserError(f"{where}: expected a dict with the key 'type', got {shown(value)}")
        check_part(value, where, kind)
        return value

    return check_value(hint, value, where, check_inside)


def find_part(name: Any, where: str, kind: PartKind | None = None) -> Any:
    """Return the class or function registered as `name` (and of `kind`). Raises UserError with similar names."""
    found = [owner for owner in registry.KINDS if isinstance(name, str) and name in owner.module_dict]
    if kind is None and found:
        return found[0].module_dict[name]
    if kind in found:
        return kind.module_dict[name]  # type: ignore[union-attr]
    known = [part for owner in ([kind] if kind else registry.KINDS) for part in owner.module_dict]
    if found and kind:
        names = ", ".join(sorted(known))
        raise UserError(f"{where}: {name} is {_with_article(found[0])}, expected {_with_article(kind)}; known: {names}")
    raise UserError(f"{where}: unknown type {shown(name)}; {suggestion(name, known)}")


def _with_article(kind: PartKind) -> str:
    return f"{'an' if kind.name[0] in 'aeiou' else 'a'} {kind.name}"


def check_part(part: Any, where: str, kind: PartKind | None = None) -> None:
    """Raise UserError if a type, key or value of a part is wrong, in it or in any part inside of it."""
    if isinstance(part, list | tuple):
        for index, item in enumerate(part):
            check_part(item, f"{where}.{index}", kind)
    if not isinstance(part, dict):
        return
    hints: dict[str, Any] = {}
    if "type" in part:
        found = find_part(part["type"], where, kind)
        _check_keys(part, found, where)
        hints = argument_types(found)
    for key, value in part.items():
        if key != "type":
            _check(hints.get(key, Any), value, f"{where}.{key}", key)


def _check_keys(part: dict[str, Any], found: Any, where: str) -> None:
    parameters = inspect.signature(found).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key in part:
        if key != "type" and key not in parameters and not takes_any:
            known = [name for name in parameters if name != "self"]
            raise UserError(f"{where}: {part['type']} has no key {shown(key)}; {suggestion(key, known)}")
    if not found.__module__.startswith(f"{__package__.partition('.')[0]}."):
        return  # it is unknown which parts a user's own model passes on
    for name, parameter in parameters.items():
        if parameter.default is not parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if name in registry.HANDED_ON and name in part:
            raise UserError(f"{where}.{name}: {part['type']} gets this from the program itself; leave it out")
        if name not in part and name not in registry.HANDED_ON:
            raise UserError(f"{where}: {part['type']} needs the key {name!r}")


def argument_types(found: Any) -> dict[str, Any]:
    """Return the annotated types of a part's arguments, none if they cannot be resolved (in a user's own part)."""
    try:
        return get_type_hints(found.__init__ if inspect.isclass(found) else found, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}
