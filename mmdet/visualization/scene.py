"""What is drawn over a frame, and how: objects and style, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmdet.structures import Box
from mmdet.structures.short_text import ShortText
from mmdet.visualization.colors import Color

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Rectangle = tuple[int, int, int, int]  # half-open xyxy, whole pixels
Point = tuple[float, float]  # x, y in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawStyle:
    """What of the objects is drawn."""

    masks: bool = True  # tinted, with an outline
    boxes: bool = False
    labels: bool = True
    line_width: float = 1.0  # times the width that suits the picture
    color_by: Literal["track", "class"] = "track"
    trails: int = 0  # frames back that a line shows where an object was
    sigma: bool = False  # the uncertainty of box sides, where objects have it


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DrawnObject(ShortText):
    """One object of one frame. Without `label_text` it has no tag, without `box` no rectangle.

    Where room is short the tag shows only the first word of `label_text`: begin with the id.
    """

    mask: NDArray[np.bool_]  # (H, W)
    box: Box | None = None  # xyxy, pixels; may reach beyond the picture
    label_text: str = ""
    color: Color
    score: float = 1.0  # better ones are drawn over poorer ones
    hatched: bool = False  # a region of many objects instead of one
    sigma: tuple[float, float, float, float] | None = None  # std of the box's sides, pixels, in the order of xyxy
    trail: tuple[Point, ...] = ()  # where it was, newest last
