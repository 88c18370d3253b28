"""Lines of text on white, wrapped to a width, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmdet.visualization.draw import Picture
from mmdet.visualization.pairs.views import Line

FONT_PX, LINE_PX, MARGIN_PX = 14, 19, 5
INK, ALARM, WHITE = (0, 0, 0), (200, 0, 0), (255, 255, 255)
MARK_PX = 11  # side of the coloured square before a line


def text_block(lines: Sequence[Line], width: int, one_line: bool = False) -> Picture:
    """Return a picture (rows, width, 3) of lines, each wrapped to the width or, with `one_line`, cut at its end."""
    font = ImageFont.load_default(FONT_PX)
    room = width - 2 * MARGIN_PX
    rows: list[tuple[str, Line, bool]] = []
    for line in lines:
        indent = MARK_PX + MARGIN_PX if line.color else 0
        parts = [_cut(line.text, font, room)] if one_line else _wrapped(line.text, font, room - indent)
        rows += [(part, line, number == 0) for number, part in enumerate(parts)]
    image = Image.new("RGB", (width, LINE_PX * len(rows) + MARGIN_PX), WHITE)
    pen = ImageDraw.Draw(image)
    for number, (text, line, is_first) in enumerate(rows):
        left, top = MARGIN_PX, LINE_PX * number + MARGIN_PX // 2
        if line.color:
            if is_first:
                pen.rectangle((left, top + 3, left + MARK_PX, top + 3 + MARK_PX), fill=line.color)
            left += MARK_PX + MARGIN_PX
        pen.text((left, top), text, fill=ALARM if line.alarming else INK, font=font)
    return np.asarray(image)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int) -> list[str]:
    """Break a text between words; a word that is longer than a line is broken, too."""
    rows = [""]
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}" if rows[-1] else word
        if font.getlength(longer) <= room:
            rows[-1] = longer
            continue
        rows += [""] if rows[-1] else []
        for letter in word:
            if rows[-1] and font.getlength(rows[-1] + letter) > room:
                rows.append("")
            rows[-1] += letter
    return rows


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int) -> str:
    """Return the text, or as much of its beginning as fits, and dots."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."
