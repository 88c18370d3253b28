"""Masks that tools store as text: base64 of a PNG, packed or not, placed somewhere in the frame."""

from __future__ import annotations

import base64
import binascii
import io
import zlib
from typing import Any

import numpy as np
from PIL import Image

from mmdet.errors import UserError, shown
from mmdet.fileio.pictures.images import PILLOW_ERRORS
from mmdet.structures import Size

_MOST_BYTES = 2**28  # of an unpacked PNG


def unpacked(text: Any, where: str, *, zipped: bool) -> bytes:
    """Return the bytes of a base64 text, unpacked by zlib where they are `zipped`."""
    try:
        data = base64.b64decode(text, validate=True)
        if not zipped:
            return data
        unzip = zlib.decompressobj()
        data = unzip.decompress(data, _MOST_BYTES)
        if unzip.unconsumed_tail:
            raise UserError(f"{where}: its mask unpacks to more than {_MOST_BYTES} bytes")
        return data
    except (TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise UserError(f"{where}: its mask is {shown(text)}, expected a picture as base64: {error}") from error


def png_mask(data: bytes, where: str, size: Size) -> np.ndarray:
    """Return a PNG's mask (h, w) bool, no larger than the frame: what is not transparent, else what is not black."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.height > size[0] or image.width > size[1]:
                raise UserError(f"{where}: its mask is {image.width}x{image.height}, the frame {size[1]}x{size[0]}")
            if image.has_transparency_data:
                pixels = np.asarray(image.convert("RGBA").getchannel("A"))
            else:
                pixels = np.asarray(image)
    except PILLOW_ERRORS as error:
        raise UserError(f"{where}: its mask cannot be read as a PNG: {error}") from error
    return np.asarray(pixels.reshape(*pixels.shape[:2], -1).any(axis=-1))


def placed(mask: np.ndarray, left: int, top: int, size: Size) -> np.ndarray:
    """Return a mask (h, w) at its place in a frame of `size`; what lies beyond the frame is cut off."""
    frame = np.zeros(size, np.bool_)
    y1, x1 = max(top, 0), max(left, 0)
    part = mask[y1 - top : max(size[0] - top, 0), x1 - left : max(size[1] - left, 0)]
    frame[y1 : y1 + part.shape[0], x1 : x1 + part.shape[1]] = part
    return frame
