"""JPEGs of drawings, with a comment in the file that says so: by it a later run knows what it may replace or remove."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.errors import UserError

MARK = b"drawn by memcnp-vis"
_COMMENT = b"\xff\xfe" + (len(MARK) + 2).to_bytes(2, "big") + MARK  # a JPEG's comment segment (ITU T.81, B.2.4.5)
_HEADER = b"\xff\xe0"  # JFIF's own segment has to stay the first
_LOOKED_AT = 256  # bytes from the beginning
_LARGEST_SIDE = 65_500  # pixels that libjpeg writes


def encode_drawing(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Return an (H, W, 3) RGB picture as the bytes of a JPEG with the mark. Raises UserError for one too large."""
    height, width = picture.shape[:2]
    if max(height, width) > _LARGEST_SIDE:
        raise UserError(f"a drawing of {width}x{height} is larger than a JPEG can be ({_LARGEST_SIDE} pixels a side)")
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data: bytes = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    place = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == _HEADER else 2
    return data[:place] + _COMMENT + data[place:]


def is_drawing(path: Path) -> bool:
    """Tell whether a file is a drawing of this program, as its mark says."""
    try:
        with path.open("rb") as file:
            return _COMMENT in file.read(_LOOKED_AT)
    except OSError:
        return False


def refuse_foreign(paths: Iterable[Path]) -> None:
    """Raise UserError if one of `paths` is there and is no drawing of this program; folders are listed once each."""
    listed: dict[Path, set[str]] = {}
    for path in paths:
        folder = path.parent
        if folder not in listed:
            listed[folder] = {inside.name for inside in folder.iterdir()} if folder.is_dir() else set()
        if path.name in listed[folder] and not is_drawing(path):
            raise UserError(f"{path} is no drawing of this program and would be overwritten: choose another folder")
