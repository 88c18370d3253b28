"""Draw a training clip on one sheet: key, references, the points that learn, and the points that write to the memory.

Colours are identities: the same object has one colour in all pictures. Padding and crowd regions are hatched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.structures import Box
from mmdet.visualization.colors import ink
from mmdet.visualization.draw import Color, DrawnObject, Picture, contact_sheet, draw_objects
from mmdet.visualization.pairs.text_block import text_block
from mmdet.visualization.pairs.views import LearningPoints, Line, PairFrame, PairObject, PairView

PANEL_SIDES_PX = (560, 960)  # least and largest longer side of a picture of the sheet
LEAST_WIDTH_PX = 900  # of a sheet, for its text
DIMMED = 0.45  # brightness of pictures below points, so that points are seen
POINT_RADIUS_PX, LEVEL_RADIUS_PX = 3, 2  # radius on the finest level, and what every level adds
STRIPE_PX, DASH_PX = 6, 7
LONGEST_TAG = 20  # characters
ROOMY_FACTOR = 2  # of enlargement, from which neighbouring points leave room for larger dots
ALARM: Color = (255, 40, 40)
ALARM_WIDTH_PX = 3
PADDING_COLOR: Color = (90, 90, 90)


def draw_pair(view: PairView) -> Picture:
    """Return the sheet of a clip."""
    factor = panel_factor(view.key.picture.shape[:2])
    key, references = _enlarged(view.key, factor), [_enlarged(frame, factor) for frame in view.references]
    strides = ", ".join(map(str, view.strides))
    panels = [
        _titled(_draw_objects(key), f"{key.title}: boxes and masks"),
        *(_titled(_draw_objects(frame), f"{frame.title}: {_shown_of(frame)}") for frame in references),
        _titled(_draw_points(key, view.positives, factor), f"positive points of strides {strides}, smallest first"),
    ]
    if view.memory is not None:
        title = "points that write to the memory; lines: l, t, r, b of one each"
        panels.append(_titled(_draw_memory(key, view.memory, factor), title))
    sheet = contact_sheet(panels, columns=2 if key.picture.shape[1] >= key.picture.shape[0] else 4)
    missing = max(LEAST_WIDTH_PX - sheet.shape[1], 0)
    sheet = np.pad(sheet, ((0, 0), (0, missing), (0, 0)), constant_values=255)
    return np.concatenate([sheet, text_block(view.lines, sheet.shape[1])])


def _shown_of(reference: PairFrame) -> str:
    if any(item.mask is not None for item in reference.objects):
        return "boxes and masks"
    return "boxes; dashed: jittered, for the model"


def panel_factor(size: tuple[int, int]) -> float:
    """Return the factor by which frames of `size` are resized: a whole number for small ones."""
    least, largest = PANEL_SIDES_PX
    if max(size) >= largest:
        return largest / max(size)
    return float(max(-(-least // max(size)), 1))


def _enlarged(frame: PairFrame, factor: float) -> PairFrame:
    """Resize a frame and its objects, and hatch its padding."""
    height, width = frame.picture.shape[:2]
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(frame.picture, size, interpolation=interpolation), np.uint8)
    valid = _resized(frame.valid, size)
    picture[~valid & _stripes(valid.shape)] = PADDING_COLOR
    objects = tuple(
        replace(
            item,
            box=_times(item.box, factor),
            jittered_box=None if item.jittered_box is None else _times(item.jittered_box, factor),
            mask=None if item.mask is None else _resized(item.mask, size),
        )
        for item in frame.objects
    )
    return replace(frame, picture=picture, valid=valid, objects=objects)


def _draw_objects(frame: PairFrame) -> Picture:
    """Draw masks and boxes, solid as annotated and dashed as jittered, then tags; crowd regions are hatched."""
    picture, nothing = frame.picture.copy(), np.zeros(frame.valid.shape, bool)
    drawn = []
    for item in frame.objects:
        mask = nothing if item.mask is None else item.mask
        if item.is_crowd and not mask.any():
            mask = _inside(item.box, mask.shape)
        _solid(picture, item.box, item.color)
        if item.jittered_box is not None:
            _dashed(picture, item.jittered_box, item.color)
        drawn.append(
            DrawnObject(mask=mask, box=item.box, label_text=_short(item.tag), color=item.color, hatched=item.is_crowd)
        )
    return draw_objects(picture, drawn)


def _short(tag: str) -> str:
    """Return the beginning of a long tag: the lines below the pictures have the whole."""
    return tag if len(tag) <= LONGEST_TAG else f"{tag[:LONGEST_TAG]}…"


def _draw_points(frame: PairFrame, points: LearningPoints, factor: float) -> Picture:
    """Draw points over the dimmed frame, fine levels over coarse ones; objects without a point get a thick red box."""
    picture = _dimmed(frame)
    for row, item in enumerate(frame.objects):
        if not item.is_crowd and row not in points.rows:
            _solid(picture, item.box, ALARM, ALARM_WIDTH_PX)
    for place in np.argsort(-points.levels, kind="stable"):
        radius = POINT_RADIUS_PX + LEVEL_RADIUS_PX * int(points.levels[place])
        centre = _pixel(points.xy[place], factor)
        color = frame.objects[points.rows[place]].color
        cv2.circle(picture, centre, radius, color, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, centre, radius, ink(color), 1, cv2.LINE_AA)
    return picture


def _draw_memory(frame: PairFrame, points: LearningPoints, factor: float) -> Picture:
    """Draw the points that write over the dimmed frame, and the target of one point of every object."""
    picture = _dimmed(frame)
    least = 1 if factor >= ROOMY_FACTOR else 0  # these points are many
    for place, level in enumerate(points.levels.tolist()):
        (x, y), reach, color = _pixel(points.xy[place], factor), least + level, frame.objects[points.rows[place]].color
        picture[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = color
    for row, item in enumerate(frame.objects):
        own = np.flatnonzero(points.rows == row)
        if len(own):
            example = own[np.argmax(points.levels[own])]  # the first of its coarsest level
            _draw_target(picture, _pixel(points.xy[example], factor), item)
    return picture


def _draw_target(picture: Picture, centre: tuple[int, int], item: PairObject) -> None:
    """Draw lines from a point to the four sides of its object's box."""
    x1, y1, x2, y2 = (round(side) for side in item.box)
    for end in ((x1, centre[1]), (centre[0], y1), (x2, centre[1]), (centre[0], y2)):
        cv2.line(picture, centre, end, (255, 255, 255), 1)
    cv2.circle(picture, centre, POINT_RADIUS_PX + 2, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, centre, POINT_RADIUS_PX, item.color, cv2.FILLED, cv2.LINE_AA)


def _dimmed(frame: PairFrame) -> Picture:
    """Return a darker copy of the picture with thin boxes, dashed ones for crowd regions."""
    picture: Picture = (frame.picture * DIMMED).astype(np.uint8)
    for item in frame.objects:
        (_dashed if item.is_crowd else _solid)(picture, item.box, item.color)
    return picture


def _solid(picture: Picture, box: Box, color: Color, width: int = 1) -> None:
    x1, y1, x2, y2 = (round(side) for side in box)
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), color, width)


def _dashed(picture: Picture, box: Box, color: Color) -> None:
    """Draw a dashed rectangle."""
    x1, y1, x2, y2 = (round(side) for side in box)
    for start in range(x1, x2, 2 * DASH_PX):
        for y in (y1, y2):
            cv2.line(picture, (start, y), (min(start + DASH_PX, x2), y), color, 2)
    for start in range(y1, y2, 2 * DASH_PX):
        for x in (x1, x2):
            cv2.line(picture, (x, start), (x, min(start + DASH_PX, y2)), color, 2)


def _titled(picture: Picture, title: str) -> Picture:
    return np.concatenate([text_block([Line(text=title)], picture.shape[1], one_line=True), picture])


def _resized(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)


def _stripes(size: Sequence[int]) -> NDArray[np.bool_]:
    ys, xs = np.ogrid[: size[0], : size[1]]
    return np.asarray((ys + xs) // STRIPE_PX % 2 == 0)


def _inside(box: Box, size: Sequence[int]) -> NDArray[np.bool_]:
    x1, y1, x2, y2 = (max(round(side), 0) for side in box)
    region = np.zeros(tuple(size), bool)
    region[y1:y2, x1:x2] = True
    return region


def _times(box: Box, factor: float) -> Box:
    x1, y1, x2, y2 = box
    return x1 * factor, y1 * factor, x2 * factor, y2 * factor


def _pixel(xy: NDArray[np.float32], factor: float) -> tuple[int, int]:
    return round(float(xy[0]) * factor), round(float(xy[1]) * factor)
