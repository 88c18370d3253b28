r"""Text as pictures, drawn by Pillow with the fonts beside this file: DejaVu Sans, and Droid Sans Fallback for Chinese,
Japanese and Korean.

For other scripts it looks for a font of the system. What no font can draw stands there escaped, as `\u0e0a`.
"""

from __future__ import annotations

import math
import os
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

_BUNDLED = tuple(Path(__file__).parent / "fonts" / name for name in ("DejaVuSans.ttf", "DroidSansFallback.ttf"))
_NO_CHARACTER = "\uffff"  # every font draws it as it draws what it lacks
_PROBED_AT_PX = 20
_LINE_HEIGHT, _BASELINE = 1.25, 0.97  # in sizes of the font
_UNDRAWN = ("Cc", "Cs", "Co", "Cn")  # Unicode categories: control, surrogate, private, not assigned
_DIRECTION = "ltr" if features.check("raqm") else None  # of a run; words from right to left keep their own
_RIGHT_TO_LEFT = ("R", "AL")  # Unicode's bidirectional classes
_WITHOUT_WIDTH = ("Cf", "Mn")  # joiners and marks, which fonts need not have a picture of


@lru_cache(maxsize=2048)
def render(text: str, size_px: int) -> NDArray[np.uint8]:
    """Return how much of each pixel (height, width) the text covers, 0 to 255, as high as a line of text."""
    runs = [(_font(path, size_px), part) for path, part in _runs(text)]
    widths = [font.getlength(part, direction=_DIRECTION) for font, part in runs]
    canvas = Image.new("L", (max(math.ceil(sum(widths)), 1), line_height(size_px)))
    draw = ImageDraw.Draw(canvas)
    x = 0.0
    for (font, part), width in zip(runs, widths, strict=True):
        draw.text((x, round(_BASELINE * size_px)), part, fill=255, font=font, anchor="ls", direction=_DIRECTION)
        x += width
    drawn = np.asarray(canvas, np.uint8)
    drawn.setflags(write=False)  # it is kept for the next time
    return drawn


@lru_cache(maxsize=2048)
def shortened(text: str, size_px: int, width_px: int) -> str:
    """Return a text that is at most so wide: its last word and as much of the beginning as fits, `…` between them."""
    if _width(text, size_px) <= width_px:
        return text
    head, space, last = text.rpartition(" ")

    def cut(length: int) -> str:
        return f"{head[:length].rstrip()}…{space}{last}" if length else last

    fitting = bisect_right(range(1, len(head)), width_px, key=lambda length: _width(cut(length), size_px))
    return cut(fitting)


def line_height(size_px: int) -> int:
    """Return the height in pixels of a line of text."""
    return math.ceil(_LINE_HEIGHT * size_px)


def _width(text: str, size_px: int) -> int:
    widths = (_font(path, size_px).getlength(part, direction=_DIRECTION) for path, part in _runs(text))
    return math.ceil(sum(widths))


def _runs(text: str) -> Iterator[tuple[Path, str]]:
    """Yield parts of a text, from left to right, with the font that draws them; each is written in one direction."""
    pieces: list[tuple[Path, bool, str]] = []
    for character in unicodedata.normalize("NFC", text):
        found = _font_of(character)
        if character == " " and pieces:  # words of one script stay together
            pieces.append((*pieces[-1][:2], character))
        elif found:
            pieces.append((found, unicodedata.bidirectional(character) in _RIGHT_TO_LEFT, character))
        elif unicodedata.category(character) not in _WITHOUT_WIDTH:
            pieces.append((_BUNDLED[0], False, character.encode("unicode_escape").decode()))
    for (path, _), group in groupby(pieces, key=lambda piece: piece[:2]):
        yield path, "".join(part for *_, part in group)


@lru_cache(maxsize=4096)
def _font_of(character: str) -> Path | None:
    """Return the first font that can draw a character, None if none can."""
    if character == " ":
        return _BUNDLED[0]
    if unicodedata.category(character) in _UNDRAWN:
        return None
    return next((path for path in (*_BUNDLED, *_system_fonts()) if _draws(path, character)), None)


def _draws(path: Path, character: str) -> bool:
    """Return whether a font has a picture of a character: one that differs from that of a missing one."""
    try:
        font = ImageFont.truetype(str(path), _PROBED_AT_PX, layout_engine=ImageFont.Layout.BASIC)  # adds no other glyph
        own, missing = font.getmask(character), font.getmask(_NO_CHARACTER)
        return 0 not in own.size and (own.size != missing.size or bytes(own) != bytes(missing))
    except OSError:  # damaged, or of pictures of one size alone
        return False


@lru_cache(maxsize=256)
def _font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size_px)


@lru_cache(maxsize=1)
def _system_fonts() -> tuple[Path, ...]:
    """Return the fonts that are installed, in a fixed order."""
    home = Path(os.path.expanduser("~"))  # Path.home fails where there is none
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]
    if sys.platform == "darwin":
        folders = [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    elif sys.platform == "win32":
        folders = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    endings = (".ttf", ".otf", ".ttc")
    return tuple(path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in endings)
