"""JPEGs of drawings, marked by a comment in the file.

The mark tells a later run which files it may replace or remove.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.errors import UserError

MARK = b"drawn by memcnp-vis"
_COMMENT = b"\xff\xfe" + (len(MARK) + 2).to_bytes(2, "big") + MARK  # a JPEG's comment segment (ITU T.81, B.2.4.5)
_HEADER = b"\xff\xe0"  # the JFIF segment must stay first
_LOOKED_AT = 256  # bytes at the beginning that are searched
_LARGEST_SIDE = 65_500  # pixels, the limit of libjpeg


def encode_drawing(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Return the bytes of a marked JPEG of a picture (H, W, 3) RGB. Raises UserError if the picture is too large."""
    height, width = picture.shape[:2]
    if max(height, width) > _LARGEST_SIDE:
        raise UserError(f"a drawing of {width}x{height} is larger than a JPEG can be ({_LARGEST_SIDE} pixels per side)")
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data: bytes = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    place = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == _HEADER else 2
    return data[:place] + _COMMENT + data[place:]


def is_drawing(path: Path) -> bool:
    """Return whether a file has the mark of this program's drawings."""
    try:
        with path.open("rb") as file:
            return _COMMENT in file.read(_LOOKED_AT)
    except OSError:
        return False


def refuse_foreign(paths: Iterable[Path]) -> None:
    """Raise UserError if one of `paths` exists and is not a drawing of this program. Lists every folder only once."""
    listed: dict[Path, set[str]] = {}
    for path in paths:
        folder = path.parent
        if folder not in listed:
            listed[folder] = {inside.name for inside in folder.iterdir()} if folder.is_dir() else set()
        if path.name in listed[folder] and not is_drawing(path):
            raise UserError(f"{path} is not a drawing of this program and would be overwritten: choose another folder")
