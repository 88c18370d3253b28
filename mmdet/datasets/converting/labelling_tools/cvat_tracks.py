"""The tracks of "CVAT for video 1.1": their shapes by frame, between keyframes too, and as masks.

CVAT's export lists a shape for every frame of a track. Files that list keyframes alone (written for its import) have
the meaning that CVAT gives them: a shape lasts until the next one, and boxes and polygons move evenly in between.
Source: CVAT's documentation, "XML annotation format".
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from mmdet.datasets.converting.labelling_tools.outlines import ellipse, rectangle
from mmdet.errors import UserError, shown
from mmdet.structures import Size

AREAS = ("box", "polygon", "mask", "ellipse")  # other shapes cover no area: points, polyline, cuboid, skeleton, tag
_MOVING = ("box", "polygon", "ellipse")
_BOX, _ELLIPSE = ("xtl", "ytl", "xbr", "ybr"), ("cx", "cy", "rx", "ry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a track is in one frame."""

    kind: str  # the name of its element
    frame: int
    numbers: tuple[float, ...]  # of a box or an ellipse as CVAT lists them, of a polygon x, y, x, y, ...
    rotation: float  # degrees, clockwise
    outside: bool  # not visible
    occluded: bool
    keyframe: bool
    element: Element
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CvatTrack:
    """One object of a task."""

    task: str | None  # id of its task in the export of a project
    label: str
    identity: Hashable  # its place in the file, as CVAT's numbers are not unique in a project; of masks their group
    shapes: tuple[Shape, ...]  # ascending in frames


def read_tracks(root: Element, path: object) -> list[CvatTrack]:
    """Return the tracks of a file. Raises UserError that names the track and the value that cannot be read."""
    tracks = []
    for number, element in enumerate(root.iterfind("track")):
        where = f"{path}: track {element.get('id', number)}"
        shapes = [_shape(child, where) for child in element if child.get("frame") is not None]
        tracks.append(
            CvatTrack(
                task=element.get("task_id"),
                label=_text(element, "label", where),
                identity=_identity(element, number, shapes),
                shapes=tuple(sorted(shapes, key=lambda shape: shape.frame)),
            )
        )
    return tracks


def lists_keyframes_only(tracks: Sequence[CvatTrack]) -> bool:
    """Whether no shape between keyframes is listed, so that those are still to be computed."""
    return all(shape.keyframe for track in tracks for shape in track.shapes)


def shapes_between(track: CvatTrack, frames: Sequence[int]) -> Iterator[Shape | None]:
    """Yield the keyframes of a track and its visible shapes in `frames`, None where one cannot be computed."""
    for before, after in pairwise((*track.shapes, None)):
        assert before is not None
        if before.outside:
            continue
        yield before
        for frame in frames:
            if frame > before.frame and (after is None or frame < after.frame):
                yield _between(before, after, frame)


def mask_of(shape: Shape, size: Size) -> Any:
    """Return the mask of a shape: polygons, or pixels (H, W) bool. Raises UserError for a malformed one."""
    if shape.kind == "polygon":
        return [list(shape.numbers)]
    if shape.kind == "ellipse":
        x, y, x_radius, y_radius = shape.numbers
        return [ellipse(x, y, x_radius, y_radius, shape.rotation)]
    if shape.kind == "mask":
        return _pixels(shape, size)
    x1, y1, x2, y2 = shape.numbers
    return [rectangle(x1, y1, x2 - x1, y2 - y1, shape.rotation)]


def _between(before: Shape, after: Shape | None, frame: int) -> Shape | None:
    """Return the shape of a frame after a keyframe and before the next, None if it cannot be computed."""
    kept = replace(before, frame=frame, keyframe=False)
    if after is None:
        return kept
    if before.kind != after.kind or before.kind not in _MOVING or len(before.numbers) != len(after.numbers):
        return None
    share = (frame - before.frame) / (after.frame - before.frame)
    numbers = tuple(a + share * (b - a) for a, b in zip(before.numbers, after.numbers, strict=True))
    turn = (after.rotation - before.rotation + 180) % 360 - 180  # the shorter way round
    return replace(kept, numbers=numbers, rotation=before.rotation + share * turn)


def _identity(element: Element, number: int, shapes: Sequence[Shape]) -> Hashable:
    """Return what tells an object from others. CVAT has no tracks of masks: those of a group are one object."""
    group = element.get("group_id", "0")
    if group != "0" and shapes and all(shape.kind == "mask" for shape in shapes):
        return (element.get("task_id"), group)
    return number


def _shape(element: Element, where: str) -> Shape:
    frame = _number(element, "frame", where)
    where = f"{where}, {element.tag} of frame {frame:g}"
    return Shape(
        kind=element.tag,
        frame=int(frame),
        numbers=_numbers(element, where),
        rotation=_number(element, "rotation", where, "0"),
        outside=element.get("outside") == "1",
        occluded=element.get("occluded") == "1",
        keyframe=element.get("keyframe", "1") == "1",
        element=element,
        where=where,
    )


def _numbers(element: Element, where: str) -> tuple[float, ...]:
    if element.tag in ("box", "ellipse"):
        return tuple(_number(element, key, where) for key in (_BOX if element.tag == "box" else _ELLIPSE))
    if element.tag != "polygon":
        return ()
    points = _text(element, "points", where)
    try:
        return tuple(float(value) for point in points.split(";") for value in point.split(","))
    except ValueError:
        raise UserError(f"{where}: 'points' is {shown(points)}, expected x,y;x,y;...") from None


def _pixels(shape: Shape, size: Size) -> np.ndarray:
    """Return the pixels of a mask: runs along the rows of its window, background first."""
    left, top, width, height = (
        int(_number(shape.element, key, shape.where)) for key in ("left", "top", "width", "height")
    )
    text = _text(shape.element, "rle", shape.where)
    try:
        runs = np.array([int(run) for run in text.split(",")])
    except ValueError:
        raise UserError(f"{shape.where}: 'rle' is {shown(text)}, expected run lengths: 3, 5, 2") from None
    inside = 0 <= left <= left + width <= size[1] and 0 <= top <= top + height <= size[0]
    if not inside or runs.min(initial=0) < 0 or runs.sum() != width * height:
        raise UserError(
            f"{shape.where}: its runs cover {runs.sum()} pixels, its window is {width}x{height} at {left}, {top} of a "
            f"frame of {size[1]}x{size[0]}"
        )
    pixels = np.zeros(size, np.bool_)
    values = np.arange(len(runs)) % 2 == 1
    pixels[top : top + height, left : left + width] = np.repeat(values, runs).reshape(height, width)
    return pixels


def _text(element: Element, key: str, where: str) -> str:
    value = element.get(key)
    if not value:
        raise UserError(f"{where}: the attribute {key!r} is missing")
    return value


def _number(element: Element, key: str, where: str, default: str | None = None) -> float:
    text = element.get(key, default) if default is not None else _text(element, key, where)
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not abs(value) < 2**31:  # NaN fails too
        raise UserError(f"{where}: {key!r} is {shown(text)}, expected a number")
    return value
