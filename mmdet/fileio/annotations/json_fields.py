"""Read fields of json files with a check of their type; a UserError names the place of a wrong one.

`where` is the place of an entry as text, `FILE: videos[3]`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmdet.errors import SHOWN_LENGTH, UserError, shown

_NUMBERS = (float, int)
_PLAIN_NUMBERS = frozenset(_NUMBERS)
_LIMIT = 2**63
_MAX_DEPTH = 16  # of lists and dicts in each other; results and ground truths have 6


def read_json(path: str | Path) -> Any:
    """Read a json file with any content."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder, expected an annotation file")
    if not path.is_file():
        raise UserError(f"annotation file {path} does not exist; data/README.md says where the data goes")
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"annotation file {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a json file, perhaps cut off while copying: {error}") from error


def read_object(path: str | Path) -> dict[str, Any]:
    """Read a json file that must hold an object."""
    return checked_object(read_json(path), path)


def checked_object(raw: Any, path: str | Path) -> dict[str, Any]:
    """Return a json value that must be an object, as all annotation files are."""
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected an object with videos and categories, got a {type(raw).__name__}")
    return raw


def check_tree(value: Any, most: float = math.inf) -> None:
    """Raise ValueError for lists and dicts that are nested too deep, or inside of themselves, or hold too many values.

    All that reads them afterwards may then follow them to the end.
    """
    level, count = [value], 0
    for _ in range(_MAX_DEPTH):
        containers = [item for item in level if isinstance(item, list | tuple | dict)]
        count += sum(map(len, containers))
        if count > most:
            raise ValueError(f"lists inside of lists add up to more than {most} values")
        level = [item for part in containers for item in (part.values() if isinstance(part, dict) else part)]
    if level:
        raise ValueError(f"lists and dicts are nested deeper than {_MAX_DEPTH}")


def check_unique(ids: Iterable[int], where: str) -> None:
    """Raise UserError for an id that occurs twice; `where` names the kind of entry."""
    seen = set()
    for number in ids:
        if number in seen:
            raise UserError(f"{where} id {number} occurs twice")
        seen.add(number)


def get_field(entry: Any, key: str, where: object) -> Any:
    """Return the value of a required key."""
    if not isinstance(entry, dict):
        raise UserError(f"{where}: is {shown_json(entry)}, expected an object")
    if key not in entry:
        raise UserError(f"{where}: the key {key!r} is missing")
    return entry[key]


def get_list(entry: Any, key: str, where: object) -> list[Any]:
    """Return the value of a required key that must be a list."""
    value = get_field(entry, key, where)
    if not isinstance(value, list):
        raise UserError(f"{where}: {key!r} is {shown_json(value)}, expected a list")
    return value


def get_integer(entry: Any, key: str, where: str) -> int:
    """Return the value of a required key that must be an integer; 3.0 counts as one."""
    value = get_field(entry, key, where)
    if not fits_int64(value) or value != int(value):
        raise UserError(f"{where}: {key!r} is {shown_json(value)}, expected an integer")
    return int(value)


def checked_text(value: Any, where: str) -> str:
    """Return a value that must be a text with at least one character and without unpaired surrogates."""
    if not isinstance(value, str) or not value:
        raise UserError(f"{where} is {shown_json(value)}, expected a text")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise UserError(f"{where} is {shown_json(value)}, which holds half a character (an unpaired surrogate)")
    return value


def fits_int64(value: Any) -> bool:
    """Return whether a value is a number that int64 can hold, so neither NaN nor infinite."""
    # called for every number of a file: json's own types come first because that test is fast
    is_one = type(value) in _NUMBERS or (isinstance(value, int | float) and not isinstance(value, bool))
    return is_one and -_LIMIT < value < _LIMIT


def all_fit_int64(values: list[Any]) -> bool:
    """Say whether all values are numbers as `fits_int64` has it."""
    if _PLAIN_NUMBERS.issuperset(map(type, values)):  # faster than one by one; a sum with a NaN is NaN
        return bool(min(values) > -_LIMIT and max(values) < _LIMIT and sum(values) == sum(values))
    return all(map(fits_int64, values))


def shown_json(value: Any) -> str:
    """Return a value as short json text, because a wrong entry may be megabytes long."""
    try:
        text = json.dumps(value)
    except (RecursionError, ValueError):  # nested too deeply, or a number with too many digits
        return shown(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."
