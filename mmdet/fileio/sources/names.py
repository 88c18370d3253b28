"""Names for what is written of several sources: short, safe as parts of file names, and no two alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

MOST_BYTES = 150  # of a name: file systems allow 255, and endings are added
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:]+")
_UNNAMED = "video"


def names_of_path(path: Path) -> tuple[str, ...]:
    """Return names for a file or a folder, the plainest first: clip, clip.mp4, holiday_clip.mp4."""
    whole = path.absolute()
    plain = whole.name if whole.is_dir() else whole.stem
    return plain, whole.name, f"{whole.parent.name}_{whole.name}"


def unique_names(choices: Sequence[Sequence[str]]) -> list[str]:
    """Return one name for each source: the first of its choices that is free, else the last with a number.

    Names that differ only in upper and lower case count as alike, because some file systems do not tell them apart.
    """
    taken: set[str] = set()
    names = []
    for wanted in choices:
        name = next(name for name in _numbered(wanted) if name.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
    return names


def _numbered(wanted: Sequence[str]) -> Iterator[str]:
    names = [_safe(name) for name in wanted]
    yield from names
    yield from (f"{names[-1]}-{number}" for number in count(2))


def _safe(name: str) -> str:
    """Return a name without separators, control characters and leading dots, of at most MOST_BYTES."""
    name = _UNSAFE.sub("_", name).lstrip(". ").rstrip()
    name = name.encode("utf-8", "surrogateescape")[:MOST_BYTES].decode("utf-8", "ignore")
    return name or _UNNAMED
