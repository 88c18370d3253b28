"""Match classes by their names: two data sets may list the same classes in another order or share only some.

A name that occurs twice is matched in the order of its occurrences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def rows_of(names: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """Return for each of `names` its index in `known`, None if it is not there."""
    places = {numbered: place for place, numbered in enumerate(_numbered(known))}
    return [places.get(numbered) for numbered in _numbered(names)]


def are_the_same(names: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether both have the same names in any order."""
    return Counter(names) == Counter(others)


def missing_in(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the names in `names` that `others` lacks, in order."""
    return [name for name, row in zip(names, rows_of(names, others), strict=True) if row is None]


def _numbered(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return each name with the number of its earlier occurrences."""
    counts: Counter[str] = Counter()
    pairs = []
    for name in names:
        pairs.append((name, counts[name]))
        counts[name] += 1
    return pairs
