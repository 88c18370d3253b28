"""Pairs of category names that a user gives: items `SET=MODEL`, or json files {"SET": "MODEL"}.

An empty MODEL, or null in json, leaves the category out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import read_object

_EXPECTED = 'expected SET=MODEL, such as Vehical=car, or a json file {"Vehical": "car"}; without MODEL it is left out'


@dataclass(frozen=True, slots=True)
class Pair:
    """The name of a category of a set, and that of the model's class; None leaves the category out."""

    of_set: str
    of_model: str | None


def read_pairs(items: Sequence[str]) -> tuple[Pair, ...]:
    """Return the pairs of items and files, in order. Raises UserError that names a wrong item."""
    return tuple(pair for item in items for pair in _pairs_of(item))


def _pairs_of(item: str) -> Iterator[Pair]:
    text = str(item)
    if text.lower().endswith(".json") and "=" not in Path(text).name:
        yield from _of_file(text)
        return
    name, equals, other = (part.strip() for part in text.partition("="))
    if not name or not equals:
        raise UserError(f"--map-categories {shown(text)}: {_EXPECTED}")
    yield Pair(name, other or None)


def _of_file(path: str) -> Iterator[Pair]:
    for name, value in read_object(path).items():
        others = value if isinstance(value, list) else [value]
        for other in others:
            if not (other is None or isinstance(other, str)):
                raise UserError(f"--map-categories {path}: {shown(name)} is {shown(other)}; {_EXPECTED}")
            yield Pair(name, other or None)
