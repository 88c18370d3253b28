"""Tags: what stands beside an object, and where.

No tag covers another. The best object chooses first; where its tag has no room, it shrinks, then shows the first word
alone, and is left out at last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.visualization.colors import Color, ink
from mmdet.visualization.layers import Layer
from mmdet.visualization.outlines import DARK, WHITE, Pen, whole
from mmdet.visualization.scene import Picture, Rectangle
from mmdet.visualization.text import render, shortened

_TEXT_SHARE = 1 / 36  # size of the text in shorter sides of the picture
_SMALLEST_TEXT_PX = 13
_SHRUNK = 0.77  # of the size, where room is short: 10 px at least, which can still be read
_WIDEST_SHARE = 0.4  # of the picture's width; longer names are cut
_HIDDEN_FREELY = 0.1  # share of an object that a tag may hide at a place that is as good as one where it hides none
_WORSE_BY_PLACE = 0.04  # how much worse each place is than the one before it, in the same unit
_DEAR = 0.6  # a tag that would cost more becomes smaller first
_COARSE = 8  # masks are looked at in squares of so many pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag with its place in the picture."""

    picture: Picture
    place: Rectangle


def draw_tags(picture: Picture, layers: Sequence[Layer], pen: Pen) -> None:
    """Draw the tags of the visible objects with a text; `layers`: the most important first."""
    for tag in place_tags(layers, (picture.shape[0], picture.shape[1]), pen):
        x1, y1, x2, y2 = tag.place
        picture[y1:y2, x1:x2] = tag.picture


def place_tags(layers: Sequence[Layer], size: tuple[int, int], pen: Pen) -> list[Tag]:
    """Return the tags of a picture of `size`; none covers another, and all lie inside."""
    board = _Board(layers, size, gap=(pen.line + 1) // 2 + pen.halo)
    for layer in layers:
        anchor = _anchor(layer, size)
        if anchor is None or not layer.item.label_text:
            continue
        for picture, most in _forms(layer.item.label_text, layer.item.color, size):
            if board.put(picture, anchor, most):
                break
    return board.tags


def text_size(size: tuple[int, int]) -> int:
    """Return the size of the text in a picture, in pixels."""
    return max(_SMALLEST_TEXT_PX, round(_TEXT_SHARE * min(size)))


class _Board:
    """The tags so far, and what else a new one should not cover.

    `gap`: pixels between a mask and a tag beside it
    """

    def __init__(self, layers: Sequence[Layer], size: tuple[int, int], gap: int) -> None:
        self.tags: list[Tag] = []
        self._size, self._gap = size, gap
        shares = np.zeros((-(-size[0] // _COARSE), -(-size[1] // _COARSE)), np.float32)
        for layer in layers:
            if layer.area:
                x1, y1, x2, y2 = (side // _COARSE for side in layer.place)
                part = shares[y1 : y2 + 1, x1 : x2 + 1]
                seen = cv2.resize(layer.mask, part.shape[::-1], interpolation=cv2.INTER_NEAREST)
                part += seen / max(cv2.countNonZero(seen), 1)
        self._sums = cv2.integral(shares)

    def put(self, picture: Picture, anchor: Rectangle, most: float) -> bool:
        """Put a tag at the best place around `anchor`; return False if none is left that costs at most `most`."""
        height, width = picture.shape[:2]
        corners = np.array(_corners(anchor, (height, width), self._gap))
        upper_left = np.clip(corners, 0, (self._size[1] - width, self._size[0] - height))
        places = np.concatenate([upper_left, upper_left + (width, height)], axis=1)
        best, least = None, most
        for rank in np.flatnonzero(self._is_free(places)).tolist():
            x1, y1, x2, y2 = (int(side) for side in places[rank])
            cost = max(self._hidden_share((x1, y1, x2, y2)) - _HIDDEN_FREELY, 0) + _WORSE_BY_PLACE * rank
            if cost < least:
                best, least = (x1, y1, x2, y2), cost
        if best:
            self.tags.append(Tag(picture=picture, place=best))
        return best is not None

    def _is_free(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rectangles (P, 4) cover no tag."""
        taken = np.array([tag.place for tag in self.tags], np.int64).reshape(-1, 4)
        upper_left = np.maximum(places[:, None, :2], taken[None, :, :2])
        lower_right = np.minimum(places[:, None, 2:], taken[None, :, 2:])
        shared = np.clip(lower_right - upper_left, 0, None).prod(axis=2)  # pixels
        return np.equal(shared.sum(axis=1), 0)

    def _hidden_share(self, place: Rectangle) -> float:
        """Return which share of their objects a rectangle hides, summed: little of a large one is little."""
        x1, y1, x2, y2 = place[0] // _COARSE, place[1] // _COARSE, -(-place[2] // _COARSE), -(-place[3] // _COARSE)
        sums = self._sums
        return float(sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1])


def _forms(text: str, color: Color, size: tuple[int, int]) -> Iterator[tuple[Picture, float]]:
    """Yield the pictures of a tag that fit into a picture of `size`, the fullest first, and what each may cost."""
    full = text_size(size)
    small, first_word = round(_SHRUNK * full), text.split(" ")[0]
    free = float("inf")
    for shown, text_px, most in (
        (text, full, _DEAR),
        (text, small, _DEAR),
        (text, small, free),
        (first_word, full, free),
        (first_word, small, free),
    ):
        tag = _tag(shown, color, text_px, round(_WIDEST_SHARE * size[1]))
        if tag.shape[0] <= size[0] and tag.shape[1] <= size[1]:
            yield tag, most


@lru_cache(maxsize=1024)
def _tag(text: str, color: Color, text_px: int, widest_px: int) -> Picture:
    """Return the picture of a tag: text on the object's colour, with the halo of the lines around it."""
    border, padding = max(1, round(text_px / 20)), max(2, round(text_px / 5))
    text = shortened(text, text_px, widest_px)
    cover = np.pad(render(text, text_px), ((0, 0), (padding, padding)))[..., None] / 255
    inside = (1 - cover) * np.array(color) + cover * np.array(ink(color))
    tag = inside.round().astype(np.uint8)
    for ring in (DARK, WHITE):
        tag = cv2.copyMakeBorder(tag, *(border,) * 4, cv2.BORDER_CONSTANT, value=ring)
    tag.setflags(write=False)  # it is kept for the next frame
    return np.asarray(tag)


def _anchor(layer: Layer, size: tuple[int, int]) -> Rectangle | None:
    """Return the rectangle that a tag belongs to: the visible part of the mask, else of the box, else None."""
    if layer.area:
        return layer.place
    if layer.item.box is None:
        return None
    x1, y1, x2, y2 = whole(layer.item.box)
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, size[1]), min(y2, size[0])
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _corners(anchor: Rectangle, tag_size: tuple[int, int], gap: int) -> list[tuple[int, int]]:
    """Return where the upper left corner of a tag may lie, the best place first."""
    height, width = tag_size
    x1, y1, x2, y2 = anchor
    above, below, left, right = y1 - height - gap, y2 + gap, x1 - width - gap, x2 + gap
    middle_x, middle_y = (x1 + x2 - width) // 2, (y1 + y2 - height) // 2
    around = [(x1, above), (middle_x, above), (x2 - width, above), (x1, below), (middle_x, below), (x2 - width, below)]
    beside = [(right, y1), (right, middle_y), (right, y2 - height), (left, y1), (left, middle_y), (left, y2 - height)]
    inside = [(middle_x, middle_y), (x1, y1), (x2 - width, y1), (x1, y2 - height), (x2 - width, y2 - height)]
    return around + beside + inside
