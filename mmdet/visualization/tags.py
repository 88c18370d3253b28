"""Tags: what stands beside an object, and where."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from mmdet.visualization.colors import ink
from mmdet.visualization.layers import Layer
from mmdet.visualization.outlines import whole
from mmdet.visualization.scene import Picture, Rectangle

FONT = cv2.FONT_HERSHEY_SIMPLEX
MIN_FONT_SCALE = 0.3  # smaller is not readable


def draw_tags(picture: Picture, layers: Sequence[Layer], unit: float) -> None:
    """Draw the tags of all visible objects with a text, each where it covers least of the earlier tags.

    `layers`: the most important first
    """
    font_scale = max(MIN_FONT_SCALE, 0.5 * unit)
    thickness = max(1, round(font_scale * 1.6))
    padding = max(1, round(5 * font_scale))
    taken: list[Rectangle] = []
    for layer in layers:
        item, anchor = layer.item, _anchor(layer, picture.shape[:2])
        if anchor is None or not item.label_text:
            continue
        (text_width, text_height), baseline = cv2.getTextSize(item.label_text, FONT, font_scale, thickness)
        tag_size = (text_height + baseline + padding, text_width + 2 * padding)
        tag = _place(anchor, tag_size, picture.shape[:2], taken)
        taken.append(tag)
        x1, y1, x2, y2 = tag
        cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), item.color, cv2.FILLED)
        corner = (x1 + padding, y1 + padding // 2 + text_height)
        cv2.putText(picture, item.label_text, corner, FONT, font_scale, ink(item.color), thickness, cv2.LINE_AA)


def _anchor(layer: Layer, size: tuple[int, int]) -> Rectangle | None:
    """Return the rectangle that a tag belongs to: the visible part of the mask, else of the box, else None."""
    if layer.area:
        return layer.place
    if layer.item.box is None:
        return None
    x1, y1, x2, y2 = whole(layer.item.box)
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
