"""Boxes through time: keyframes of VideoRectangle, and the box of any frame between them.

A box moves evenly from a keyframe to the next, and stays after the last one. After a keyframe that is not enabled it
is not visible until the next. Source: Label Studio's documentation of video object tracking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmdet.datasets.converting.labelling_tools.outlines import turned_about_corner
from mmdet.errors import UserError, shown
from mmdet.fileio.annotations.json_fields import fits_int64, get_field, get_list
from mmdet.structures import Size

_NUMBERS = ("x", "y", "width", "height")  # per cent of the frame's sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """The box of one frame."""

    frame: float  # from 1
    box: tuple[float, ...]  # x, y, width, height in per cent, rotation in degrees
    enabled: bool  # whether the box lasts until the next keyframe

    def outline(self, size: Size) -> list[float]:
        """Return the outline in pixels."""
        height, width = size
        x, y, box_width, box_height, degrees = self.box
        return turned_about_corner(
            x * width / 100, y * height / 100, box_width * width / 100, box_height * height / 100, degrees
        )


def read_sequence(value: dict[str, Any], where: str) -> list[Keyframe]:
    """Return the keyframes of a region in order."""
    keyframes = [
        _keyframe(entry, f"{where}, sequence[{n}]") for n, entry in enumerate(get_list(value, "sequence", where))
    ]
    return sorted(keyframes, key=lambda keyframe: keyframe.frame)


def box_at(keyframes: Sequence[Keyframe], frame: float) -> Keyframe | None:
    """Return the box of a frame, counted from 1, which may lie between two; None where it is not visible."""
    before = next((keyframe for keyframe in reversed(keyframes) if keyframe.frame <= frame), None)
    if before is None or (not before.enabled and before.frame < frame):
        return None
    after = next((keyframe for keyframe in keyframes if keyframe.frame > frame), None)
    if after is None or before.frame == frame:
        return before
    share = (frame - before.frame) / (after.frame - before.frame)
    box = tuple(a + share * (b - a) for a, b in zip(before.box, after.box, strict=True))
    return Keyframe(frame=frame, box=box, enabled=True)


def _keyframe(entry: Any, where: str) -> Keyframe:
    values = [get_field(entry, key, where) for key in ("frame", *_NUMBERS)]
    values.append(entry.get("rotation") or 0)
    if not all(fits_int64(value) for value in values):
        raise UserError(f"{where}: is {shown(entry)}, expected numbers for frame, {', '.join(_NUMBERS)}")
    return Keyframe(frame=values[0], box=tuple(map(float, values[1:])), enabled=entry.get("enabled", True) is not False)
