"""Draw tracked objects over a frame: tinted masks, outlines with a halo, boxes, trails and small readable tags.

All sizes scale with the picture. Pictures are numpy arrays. What lies above what: `layers`. The annotators of the
package `supervision` are no substitute: they put small masks above better ones, draw lines without a halo and unknown
characters as boxes, and take six times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.structures import Box, Size
from mmdet.visualization.colors import Color, class_color, track_color
from mmdet.visualization.layers import HIDDEN_SHARE, Layer, fill, hidden_shares, in_order
from mmdet.visualization.outlines import Pen, draw_box, draw_outline, draw_sigma, draw_trail
from mmdet.visualization.scene import DrawnObject, DrawStyle, Picture
from mmdet.visualization.tags import draw_tags
from mmdet.visualization.trails import Trails

__all__ = [
    "PLAIN",
    "Color",
    "DrawStyle",
    "DrawnObject",
    "Picture",
    "Trails",
    "class_color",
    "contact_sheet",
    "draw_objects",
    "drawing_factor",
    "enlarge",
    "resized_mask",
    "track_color",
]

REFERENCE_SIDE_PX = 480  # shorter side at which a line is 2 px wide
SMALL_SIDE_PX = 360  # shorter sides are enlarged to at least this, so that tags are small compared with objects
LARGE_SIDE_PX = 4096  # limit of an enlarged picture: encoders and players limit the sides
PLAIN = DrawStyle()
_STEP_BLUR = 0.4  # pixels of a small mask by which its steps are smoothed; single pixels remain


def draw_objects(frame: Picture, objects: Sequence[DrawnObject], style: DrawStyle = PLAIN) -> Picture:
    """Return a copy of `frame` (H, W, 3) uint8 RGB with `objects` drawn, tags above everything.

    Raises ValueError if a mask has another size than the frame.
    """
    for item in objects:
        if item.mask.shape != frame.shape[:2]:
            raise ValueError(f"mask of size {item.mask.shape} for a frame of size {frame.shape[:2]}: sizes must agree")
    picture = np.array(frame, order="C")
    layers = in_order(objects)
    unit = min(frame.shape[:2]) / REFERENCE_SIDE_PX
    pen, fine = Pen.of(unit, style.line_width), Pen.of(unit / 2, style.line_width)
    if style.masks:
        fill(picture, layers)
    for item in (layer.item for layer in layers):
        if style.sigma and item.box is not None and item.sigma is not None:
            draw_sigma(picture, item.box, item.sigma, item.color, fine)
    if style.masks:
        _draw_outlines(picture, layers, pen)
    for item in (layer.item for layer in layers):
        if style.boxes and item.box is not None:
            draw_box(picture, item.box, item.color, fine)
        if style.trails:
            draw_trail(picture, item.trail[-style.trails :], item.color, fine)
    if style.labels:
        draw_tags(picture, layers[::-1], pen)
    return picture


def _draw_outlines(picture: Picture, layers: Sequence[Layer], pen: Pen) -> None:
    """Draw solid outlines from the lowest to the topmost, then the dashes, which are all that is seen of the hidden."""
    hidden = [share > HIDDEN_SHARE for share in hidden_shares(layers, (picture.shape[0], picture.shape[1]))]
    for dashed in (False, True):
        for layer, is_hidden in zip(layers, hidden, strict=True):
            if is_hidden == dashed:
                draw_outline(picture, layer, pen, dashed)


def drawing_factor(size: Size) -> int:
    """Return the factor by which frames of `size` are enlarged: above 1 for small frames that are not too long."""
    return max(1, min(-(-SMALL_SIDE_PX // min(size)), LARGE_SIDE_PX // max(size)))


def enlarge(frame: Picture, objects: Sequence[DrawnObject], factor: int) -> tuple[Picture, list[DrawnObject]]:
    """Enlarge a small frame and its objects, so that lines are fine and tags readable."""
    if factor == 1:
        return frame, list(objects)
    size = (frame.shape[1] * factor, frame.shape[0] * factor)
    enlarged = []
    for item in objects:
        mask = resized_mask(item.mask, (size[1], size[0]))
        trail = tuple((x * factor, y * factor) for x, y in item.trail)
        enlarged.append(
            replace(item, mask=mask, box=_times(item.box, factor), sigma=_times(item.sigma, factor), trail=trail)
        )
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), np.uint8), enlarged


def resized_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Return a mask at another size (height, width), without the steps of an enlarged one."""
    values, factor = mask.astype(np.float32), size[0] / mask.shape[0]
    if factor <= 1:
        return cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA) > 0.5
    steps = cv2.resize(values, size[::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(steps, (0, 0), _STEP_BLUR * factor) > 0.5


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


def _times(sides: Box | None, factor: int) -> Box | None:
    return None if sides is None else (sides[0] * factor, sides[1] * factor, sides[2] * factor, sides[3] * factor)
