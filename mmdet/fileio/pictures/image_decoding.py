"""Decode images to (H, W, 3) uint8 RGB, upright and complete, or raise an error with the file's name.

A damaged file is an error, never a half-grey image, if the format lets a decoder notice it: JPEG by the warnings of
libjpeg, PNG by its checksums, other formats by Pillow's errors. Source: docs/data.md.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import UnidentifiedImageError

from mmdet.errors import UserError
from mmdet.fileio.pictures.images import (
    PILLOW_ERRORS,
    ImageHeader,
    damaged,
    is_image_name,
    list_folder,
    opened_by_pillow,
    read_header,
    size_fault,
    turn_of,
)
from mmdet.structures import Size

_PNG_CHUNKS = 8  # they start here, after the signature
_PNG_FRAME = 12  # bytes of a chunk besides its content: length, name, checksum
# Warnings of libjpeg that mean lost pixels. Some cameras write one or two extra bytes at the end, which is harmless.
_LOST = re.compile(r"Corrupt JPEG data|Premature end")
_HARMLESS = re.compile(r"Corrupt JPEG data: [12] extraneous bytes before marker 0xd9")
_RANGES = (8, 10, 12, 14, 16)  # bits of sensors that 16-bit files hold
_SAMPLED = 8  # images of a folder that are read to find the range of its 16-bit images
_SHOWN_BITS = 8


def read_image(path: str | Path, size: Size | None = None) -> np.ndarray:
    """Return an image as (H, W, 3) uint8 RGB, turned by EXIF's orientation.

    With `size` (height, width) the image must have that size; if only its stored pixels have it, the image is not
    turned. Raises UserError with the path if the file is missing, not an image, damaged, larger than MAX_PIXELS or of
    another size; the last two are checked before decoding.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"frame {path} cannot be read: {error.strerror}") from error
    header = read_header(BytesIO(data), path)
    as_stored = header.as_stored(size)
    wanted = header.stored if as_stored else header.upright
    if size is not None and (fault := size_fault(header, size, path)) is not None:
        raise UserError(fault)
    image = _decode(data, header, Path(path))
    swap, rows, columns = turn_of(header, as_stored)
    if swap or rows or columns:
        image = np.ascontiguousarray(turned(image, swap, rows, columns))
    if image.shape != (*wanted, 3):
        raise damaged(path, len(data))
    return image


def turned(image: np.ndarray, swap: bool, rows: bool, columns: bool) -> np.ndarray:
    """Return a view of an image (H, W, ...): first swap its axes, then reverse its rows and columns, as asked."""
    image = image.swapaxes(0, 1) if swap else image
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def _decode(data: bytes, header: ImageHeader, path: Path) -> np.ndarray:
    """Return the pixels as stored (TIFF: upright)."""
    if header.bits > _SHOWN_BITS:
        return _narrowed(_deep_pixels(data, path), path)
    if header.format in ("JPEG", "MPO"):
        return _decode_jpeg(data, path)
    if header.format == "PNG":
        if not _is_whole_png(data):
            raise damaged(path, len(data))
        return _by_opencv(data, path)
    try:
        with opened_by_pillow(BytesIO(data)) as image:
            return np.array(image.convert("RGB"))
    except UnidentifiedImageError:  # a kind of TIFF that only OpenCV reads
        return _by_opencv(data, path)
    except PILLOW_ERRORS as error:
        raise damaged(path, len(data)) from error


def _decode_jpeg(data: bytes, path: Path) -> np.ndarray:
    """Decode a JPEG as OpenCV does, with the same library, but noticing its warnings about lost pixels."""
    try:
        image: np.ndarray = simplejpeg.decode_jpeg(data, "RGB")
        return image
    except ValueError as error:
        if _LOST.search(str(error)) and not _HARMLESS.search(str(error)):
            raise damaged(path, len(data)) from error
    return _by_opencv(data, path)


def _by_opencv(data: bytes, path: Path) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise damaged(path, len(data))
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _is_whole_png(data: bytes) -> bool:
    """Return whether a PNG is complete and the chunks needed for its pixels have the right checksums."""
    place = _PNG_CHUNKS
    while place + _PNG_FRAME <= len(data):
        name, end = data[place + 4 : place + 8], place + _PNG_FRAME + int.from_bytes(data[place : place + 4], "big")
        needed = name[:1].isupper()
        if needed and zlib.crc32(data[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if name == b"IEND":
            return True
        place = end
    return False


def _deep_pixels(data: bytes, path: Path) -> np.ndarray:
    """Return an image with 16 bits per sample as (H, W, 3) uint16 RGB."""
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise damaged(path, len(data))
    if image.dtype != np.uint16:
        raise UserError(f"frame {path} has values of type {image.dtype}; save it with 8 or 16 bits per sample")
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    return np.ascontiguousarray(image[..., 2::-1])


def _narrowed(image: np.ndarray, path: Path) -> np.ndarray:
    """Return the upper 8 of the bits that this folder's images use, so that 12 bits stored in 16 do not look black."""
    bits = max(_bits_of_folder(path.parent), _used_bits(image))
    return (image >> (bits - _SHOWN_BITS)).astype(np.uint8)


@lru_cache(maxsize=4096)
def _bits_of_folder(folder: Path) -> int:
    """Return how many bits a folder's 16-bit images use, from a few of them, so that all frames are equally bright."""
    paths = [path for path in list_folder(folder, "folder") if is_image_name(path) and path.is_file()]
    chosen = {round(index * (len(paths) - 1) / (_SAMPLED - 1)) for index in range(_SAMPLED)} if paths else set()
    bits = _SHOWN_BITS
    for index in sorted(chosen):
        try:
            data = paths[index].read_bytes()
            if read_header(BytesIO(data), paths[index]).bits > _SHOWN_BITS:
                bits = max(bits, _used_bits(_deep_pixels(data, paths[index])))
        except (OSError, UserError):
            continue  # told when its turn comes
    return bits


def _used_bits(image: np.ndarray) -> int:
    largest = int(image.max())
    return next(bits for bits in _RANGES if largest < 2**bits)
