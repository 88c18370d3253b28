"""Classes matched by their names: the same ones may stand in another order, and data sets may share only some.

A name that stands twice is matched in the order of standing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def rows_of(names: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """Return, for each of `names`, its place in `known`, None where it is not there."""
    places = {numbered: place for place, numbered in enumerate(_numbered(known))}
    return [places.get(numbered) for numbered in _numbered(names)]


def are_the_same(names: Sequence[str], others: Sequence[str]) -> bool:
    """Tell whether both have the same names, in whatever order."""
    return Counter(names) == Counter(others)


def missing_in(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return those of `names` that `others` lacks, in order."""
    return [name for name, row in zip(names, rows_of(names, others), strict=True) if row is None]


def _numbered(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return each name with how often it has stood before."""
    counts: Counter[str] = Counter()
    pairs = []
    for name in names:
        pairs.append((name, counts[name]))
        counts[name] += 1
    return pairs
