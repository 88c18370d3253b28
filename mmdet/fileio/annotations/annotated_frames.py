"""Videos with labels in only some frames: read the list of labelled frames, and notice files that lack one.

If `annotated_frames` of a video lists frames, objects in all other frames are unknown and neither trained on nor
measured. Without the list, an object without a mask in a frame is not visible there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any

from mmdet.errors import UserError, shown

KEY = "annotated_frames"  # of an entry of `videos`
_LEAST_FRAMES = 3  # with an object, the least for a pattern
_LEAST_FILLED = 0.5  # of a pattern's frames must show an object
_LEAST_VIDEOS = 0.8  # of the videos that show a pattern or its absence


def read_annotated_frames(value: Any, num_frames: int | None, where: str) -> tuple[int, ...] | None:
    """Return the annotated frames in ascending order, None (from null or no key) if all are.

    `num_frames` may be unknown.
    """
    if value is None:
        return None
    numbers = value if isinstance(value, list | tuple) else [value]
    last = math.inf if num_frames is None else num_frames
    if not isinstance(value, list | tuple) or not all(type(n) is int and 0 <= n < last for n in numbers):
        length = "" if num_frames is None else f", each below the video's {num_frames} frames"
        raise UserError(f"{where}: {KEY!r} is {shown(value)}, expected a list of frame numbers from 0{length}")
    return tuple(sorted(set(numbers)))


def only_at(values: Sequence[Any], frames: Collection[int] | None) -> Sequence[Any]:
    """Return values, one per frame, with None in all frames that are not in `frames`.

    `frames` None keeps all values.
    """
    if frames is None:
        return values
    return [value if frame in frames else None for frame, value in enumerate(values)]


def sparse_note(videos: Iterable[tuple[int, Collection[int]]]) -> str | None:
    """Return a note if most videos show objects only in every n-th frame.

    `videos` yields the length of each video and its frames with objects.
    """
    steps = [_step(length, frames) for length, frames in videos if len(frames) >= _LEAST_FRAMES]
    sparse = [step for step in steps if step > 1]
    if not sparse or len(sparse) < _LEAST_VIDEOS * len(steps):
        return None
    usual = max(set(sparse), key=sparse.count)
    return (
        f"{len(sparse)} of {len(steps)} videos show objects only in every n-th frame (n is mostly {usual}): if the "
        f"other frames are just not labelled, list the labelled ones as {KEY!r} of each video (docs/data.md), or "
        "results count as wrong there"
    )


def _step(length: int, frames: Collection[int]) -> int:
    """Return n if the frames are every n-th frame of a video (a few may be missing), else 1."""
    ordered = sorted(frames)
    step = math.gcd(*(after - before for before, after in pairwise(ordered)))
    slots = (ordered[-1] - ordered[0]) // step + 1 if step else 1
    return step if len(ordered) >= _LEAST_FILLED * slots and length > len(ordered) else 1
