"""Which entries of results are one track: entries of one video and of different classes with the same masks.

A track may be written as several entries, one for each class that it may be (`Ranking`; other programs do so too).
Average precision takes every entry; who looks at tracks or counts them takes each once, as its best entry. The files
need no key of their own for that, so that evaluation servers find only those that they know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from mmdet.structures.per_frame import PerFrame

_BOXES = ("bboxes", "detections")  # of entries without masks


def best_entries(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return for every entry the position of its track's entry with the highest score, of equal ones the first.

    Two entries are never taken for one track unless the codes of their masks, or without masks their boxes, are equal
    in every frame. An entry that shows nothing is a track of its own, and of entries that repeat a class each is of
    another track, in file order.
    """
    best: dict[Hashable, int] = {}
    repeats: Counter[Hashable] = Counter()
    # Most tracks differ in the first mask already: only the others are compared in every frame.
    firsts = [(entry["video_id"], *islice(_spelled(entry.get("segmentations")), 1)) for entry in entries]
    alike = Counter(firsts)
    tracks = []
    for position, (entry, first) in enumerate(zip(entries, firsts, strict=True)):
        track: Hashable = position
        if alike[first] > 1:
            shape = (first, tuple(_spelled(entry.get("segmentations"))) or _boxes(entry) or position)
            same = (shape, entry["category_id"])
            track = (shape, repeats[same])
            repeats[same] += 1
        if entry["score"] > entries[best.setdefault(track, position)]["score"]:
            best[track] = position
        tracks.append(track)
    return [best[track] for track in tracks]


def describe_tracks(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return how many tracks entries are, as in `12 tracks (31 entries)`, or `12 tracks` if each has one entry."""
    count = len(set(best_entries(entries)))
    text = f"{count} track{'' if count == 1 else 's'}"
    return text if count == len(entries) else f"{text} ({len(entries)} entries)"


def _boxes(entry: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return the boxes of an entry without masks, () if it has none."""
    shapes = tuple(tuple(_spelled(entry.get(key))) for key in _BOXES)
    return shapes if any(shapes) else ()


def _spelled(values: Any) -> Iterator[Hashable]:
    """Yield the frames in which there is a value, and what it is; whatever that may be."""
    if isinstance(values, PerFrame):
        shown: Iterable[tuple[int, Any]] = zip(values.frames, values.values, strict=True)
    else:
        shown = enumerate(values) if isinstance(values, list | tuple) else ()
    return ((frame, *_code(value)) for frame, value in shown if value)


def _code(value: Any) -> tuple[Hashable, ...]:
    if not isinstance(value, dict):
        return (repr(value),)
    counts = value.get("counts")
    return (counts if isinstance(counts, str | bytes) else repr(counts), repr(value.get("size")))
