"""Lines of text on white, wrapped to a width, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmdet.visualization.draw import Picture
from mmdet.visualization.pairs.views import Line
from mmdet.visualization.text import line_height, render, shortened

TEXT_PX, MARGIN_PX = 14, 5
MARK_PX = 11  # side of the coloured square before a line
INK, ALARM, WHITE = (0, 0, 0), (200, 0, 0), 255


def text_block(lines: Sequence[Line], width: int, one_line: bool = False) -> Picture:
    """Return a picture (rows, width, 3) of lines, each wrapped to the width or, with `one_line`, shortened to it."""
    room = width - 2 * MARGIN_PX
    pictures = []
    for line in lines:
        indent = MARK_PX + MARGIN_PX if line.color else 0
        parts = [shortened(line.text, TEXT_PX, room)] if one_line else _wrapped(line.text, room - indent)
        drawn = [_row(part, line, width, MARGIN_PX + indent) for part in parts]
        if line.color:
            drawn[0][3 : 3 + MARK_PX, MARGIN_PX : MARGIN_PX + MARK_PX] = line.color
        pictures += drawn
    pictures.append(np.full((MARGIN_PX, width, 3), WHITE, np.uint8))
    return np.concatenate(pictures)


def _row(text: str, line: Line, width: int, left: int) -> Picture:
    """Draw one row of a line."""
    row = np.full((line_height(TEXT_PX), width, 3), WHITE, np.uint8)
    cover = render(text, TEXT_PX)[:, : width - left, None] / 255
    ink = np.array(ALARM if line.alarming else INK)
    row[: cover.shape[0], left : left + cover.shape[1]] = ((1 - cover) * WHITE + cover * ink).round()
    return row


def _wrapped(text: str, room: int) -> list[str]:
    """Break a text between words; a word that is longer than a line is broken, too."""
    rows = [""]
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}" if rows[-1] else word
        if _fits(longer, room):
            rows[-1] = longer
            continue
        rows += [""] if rows[-1] else []
        for letter in word:
            if rows[-1] and not _fits(rows[-1] + letter, room):
                rows.append("")
            rows[-1] += letter
    return rows


def _fits(text: str, room: int) -> bool:
    return render(text, TEXT_PX).shape[1] <= room
