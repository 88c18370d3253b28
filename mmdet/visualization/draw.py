"""Draw tracked objects over a frame: translucent masks, contours, boxes and small readable tags.

All sizes scale with the picture. Pictures are numpy arrays.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.structures import Box, Size

Color = tuple[int, int, int]  # RGB, 0..255
Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Rectangle = tuple[int, int, int, int]  # half-open xyxy, whole pixels

FILL_OPACITY = 0.42
GOLDEN_RATIO = 0.6180339887  # multiples modulo 1 are spread evenly, however many there are
TONES = ((0.85, 1.0), (0.55, 1.0), (0.95, 0.75))  # saturation and value, used in rotation
FONT = cv2.FONT_HERSHEY_SIMPLEX
REFERENCE_SIDE_PX = 480  # shorter side at which a line is 2 px wide and a text half of the font's size
MIN_FONT_SCALE = 0.3  # smaller is not readable
SMALL_SIDE_PX = 384  # smaller pictures are enlarged, so that tags are small compared with objects
LARGE_SIDE_PX = 4096  # limit of an enlarged picture: encoders and players limit the sides
FARTHEST_PX = 2**20  # farthest distance of a box from the picture: cv2 uses 32-bit coordinates


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnObject:
    """One object of one frame. Without `label_text` it has no tag, without `box` no rectangle."""

    mask: NDArray[np.bool_]  # (H, W)
    box: Box | None = None  # xyxy, pixels; may reach beyond the picture
    label_text: str = ""
    color: Color


def track_color(track_id: int) -> Color:
    """Return the colour of a track. It depends only on the id and differs clearly from those of the next ids."""
    hue = (0.02 + track_id * GOLDEN_RATIO) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, *TONES[track_id % len(TONES)])
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_objects(frame: Picture, objects: Sequence[DrawnObject]) -> Picture:
    """Return a copy of `frame` (H, W, 3) uint8 RGB with `objects` drawn: large ones first, tags last."""
    for item in objects:
        if item.mask.shape != frame.shape[:2]:
            raise ValueError(f"mask of size {item.mask.shape} for a frame of size {frame.shape[:2]}: sizes must agree")
    picture = np.ascontiguousarray(frame).copy()
    ordered = sorted(objects, key=lambda item: -int(np.count_nonzero(item.mask)))
    for item in ordered:
        blended = (1 - FILL_OPACITY) * picture[item.mask] + FILL_OPACITY * np.array(item.color)
        picture[item.mask] = blended.round().astype(np.uint8)
    unit = min(frame.shape[:2]) / REFERENCE_SIDE_PX
    line = max(1, round(2 * unit))
    for item in ordered:
        contours, _ = cv2.findContours(item.mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, item.color, line, cv2.LINE_AA)
        if item.box is not None:
            x1, y1, x2, y2 = _whole(item.box)
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), item.color, max(1, round(unit)))
    _draw_tags(picture, ordered, max(MIN_FONT_SCALE, 0.5 * unit))
    return picture


def drawing_factor(size: Size) -> int:
    """Return the factor by which frames of `size` are enlarged: above 1 for small frames that are not too long."""
    return max(1, min(SMALL_SIDE_PX // min(size), LARGE_SIDE_PX // max(size)))


def enlarge(frame: Picture, objects: Sequence[DrawnObject], factor: int) -> tuple[Picture, list[DrawnObject]]:
    """Enlarge a small frame and its objects, so that lines are fine and tags readable."""
    if factor == 1:
        return frame, list(objects)
    size = (frame.shape[1] * factor, frame.shape[0] * factor)
    enlarged = []
    for item in objects:
        mask = cv2.resize(item.mask.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) > 0.5
        box: Box | None = None
        if item.box is not None:
            x1, y1, x2, y2 = item.box
            box = (x1 * factor, y1 * factor, x2 * factor, y2 * factor)
        enlarged.append(replace(item, mask=mask, box=box))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), np.uint8), enlarged


def contact_sheet(frames: Sequence[Picture], columns: int, gap_px: int = 4) -> Picture:
    """Put frames of one size into rows of `columns`, with white gaps between them."""
    if not frames or columns < 1:
        raise ValueError(f"a contact sheet of {len(frames)} frames in {columns} columns: both must be at least 1")
    columns = min(columns, len(frames))
    rows = -(-len(frames) // columns)
    height, width = frames[0].shape[:2]
    sheet = np.full((rows * (height + gap_px) - gap_px, columns * (width + gap_px) - gap_px, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        top, left = index // columns * (height + gap_px), index % columns * (width + gap_px)
        sheet[top : top + height, left : left + width] = frame
    return sheet


def _whole(box: Box) -> Rectangle:
    """Round a box to whole pixels, within what cv2 can draw."""
    x1, y1, x2, y2 = (round(max(-FARTHEST_PX, min(side, FARTHEST_PX))) for side in box)
    return x1, y1, x2, y2


def _draw_tags(picture: Picture, objects: Sequence[DrawnObject], font_scale: float) -> None:
    """Draw the tags of all visible objects with a text, each where it covers least of the earlier tags."""
    thickness = max(1, round(font_scale * 1.6))
    padding = max(1, round(5 * font_scale))
    taken: list[Rectangle] = []
    for item in objects:
        anchor = _anchor(item, picture.shape[:2])
        if anchor is None or not item.label_text:
            continue
        (text_width, text_height), baseline = cv2.getTextSize(item.label_text, FONT, font_scale, thickness)
        tag_size = (text_height + baseline + padding, text_width + 2 * padding)
        tag = _place(anchor, tag_size, picture.shape[:2], taken)
        taken.append(tag)
        x1, y1, x2, y2 = tag
        cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), item.color, cv2.FILLED)
        corner = (x1 + padding, y1 + padding // 2 + text_height)
        cv2.putText(picture, item.label_text, corner, FONT, font_scale, _ink(item.color), thickness, cv2.LINE_AA)


def _anchor(item: DrawnObject, size: tuple[int, int]) -> Rectangle | None:
    """Return the rectangle that a tag belongs to: the visible part of the mask, else of the box, else None."""
    rows, columns = np.flatnonzero(item.mask.any(axis=1)), np.flatnonzero(item.mask.any(axis=0))
    if len(rows):
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    if item.box is None:
        return None
    x1, y1, x2, y2 = _whole(item.box)
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, size[1]), min(y2, size[0])
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _place(
    anchor: Rectangle, tag_size: tuple[int, int], size: tuple[int, int], taken: Sequence[Rectangle]
) -> Rectangle:
    """Return the (first) position around `anchor`, inside of the picture, that covers least of `taken`."""
    height, width = tag_size
    x1, y1, x2, y2 = anchor
    middle = (y1 + y2 - height) // 2
    places = (
        (x1, y1 - height),
        (x2 - width, y1 - height),
        (x1, y2),
        (x2 - width, y2),
        (x2, middle),
        (x1 - width, middle),
        (x1, y1),
        (x1, middle),
    )
    inside = []
    for x, y in places:
        left, top = max(0, min(x, size[1] - width)), max(0, min(y, size[0] - height))
        inside.append((left, top, left + width, top + height))
    return min(inside, key=lambda tag: sum(_overlap(tag, other) for other in taken))


def _overlap(first: Rectangle, second: Rectangle) -> int:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


def _ink(background: Color) -> Color:
    """Return black or white, whichever reads better (luma of ITU-R BT.601)."""
    red, green, blue = background
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
