"""Image files: how they are recognised and ordered, and what their headers say before they are decoded.

Data sets, converters and folders given as videos share one list of endings and one order. Source: docs/data.md.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from mmdet.errors import UserError
from mmdet.structures import Size

IMAGE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".gif", ".avif"),
)
MAX_PIXELS = 2**27  # 16384 x 8192; as RGB 400 MB
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "TIFF", "PPM", "GIF", "AVIF")
_PNG_BITS = 24  # position of the bits per sample in a PNG's header (PNG specification, 11.2.1 IHDR)
_PNM_MAXIMUM = re.compile(rb"P[2356]\s+(?:#[^\n]*\n\s*)*\d{1,9}\s+\d{1,9}\s+(\d{1,5})\s")
_SHOWN_BITS = 8
_HEAD = 256  # bytes at the start, for formats of which Pillow reports too little
_TIFF_STARTS = (b"II*\0", b"MM\0*")
warnings.filterwarnings("ignore", module="PIL")  # about large images, which MAX_PIXELS limits, and about odd metadata
# what Pillow raises for damaged files, depending on the format
PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    zlib.error,
    struct.error,
    Image.DecompressionBombError,
)
# EXIF's orientation: (swap the axes, then reverse the rows, reverse the columns) turns the picture upright
_TURNS = {
    **{1: (False, False, False), 2: (False, False, True), 3: (False, True, True), 4: (False, True, False)},
    **{5: (True, False, False), 6: (True, False, True), 7: (True, True, True), 8: (True, True, False)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What the header of an image file says. Sizes are (height, width)."""

    format: str  # as Pillow names it
    bits: int  # per sample
    stored: Size  # of the pixels in the file
    upright: Size  # after turning by EXIF's orientation
    orientation: int  # of EXIF, 1 (upright) to 8

    def as_stored(self, size: Size | None) -> bool:
        """Return whether a picture that should have `size` is meant as stored, not turned upright."""
        return size is not None and self.stored != self.upright and self.stored == tuple(size)


def is_image_name(path: Path) -> bool:
    """Return whether a file's name has the ending of a readable image format."""
    return path.suffix.lower() in IMAGE_ENDINGS


def natural(path: Path) -> tuple[Any, ...]:
    """Return a sort key that orders names by the numbers in them: 2 before 10."""
    parts = re.split(r"([0-9]+)", path.name)  # text and numbers alternate
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], path.name


def natural_key(name: str) -> list[Any]:
    """Return `natural` of every part of a relative path, for frame names in annotation files."""
    return [natural(Path(part)) for part in Path(name).parts]


def list_folder(folder: Path, what: str) -> list[Path]:
    """List a folder in natural order, without hidden files (macOS writes `._00000.jpg` beside `00000.jpg`)."""
    if not folder.is_dir():
        raise UserError(f"{what} {folder} does not exist")
    return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=natural)


def read_header(file: BinaryIO, path: str | Path) -> ImageHeader:
    """Return what the header of an image file says, without decoding it.

    Raises UserError with the path if the file is not an image or has more than MAX_PIXELS.
    """
    try:
        header = _header(file)
    except Image.DecompressionBombError as error:
        raise _too_large(path, re.findall(r"\d+ pixels", str(error))[0]) from error
    except PILLOW_ERRORS as error:
        raise damaged(path, file.seek(0, os.SEEK_END)) from error
    if header.stored[0] * header.stored[1] > MAX_PIXELS:
        raise _too_large(path, f"{header.stored[1]}x{header.stored[0]} pixels")
    return header


def header_of(path: Path) -> ImageHeader:
    """Return `read_header` of a file. Also raises UserError if it cannot be opened."""
    try:
        with path.open("rb") as file:
            return read_header(file, path)
    except OSError as error:
        raise UserError(f"frame {path} cannot be read: {error.strerror}") from error


def opened_by_pillow(file: BinaryIO) -> Image.Image:
    """Open an image of a supported format; it is decoded when its pixels are read."""
    return Image.open(file, formats=_FORMATS)


def size_fault(header: ImageHeader, size: Size, path: str | Path) -> str | None:
    """Return how an image's size differs from the size (height, width) in the annotation file, None if it does not.

    The size decides which picture is meant: the upright one or, if EXIF's orientation swaps its sides, the stored one.
    """
    if tuple(size) in (header.upright, header.stored):
        return None
    own = f"{header.upright[1]}x{header.upright[0]}"
    if header.stored != header.upright:
        own += f" ({header.stored[1]}x{header.stored[0]} before its EXIF orientation turns it)"
    return f"frame {path} is {own}, its annotation file says {size[1]}x{size[0]}"


def turn_of(header: ImageHeader, as_stored: bool) -> tuple[bool, bool, bool]:
    """Return (swap axes, reverse rows, reverse columns) that turn decoded pixels to the wanted orientation."""
    if header.format == "TIFF":  # decoders already turn it upright
        swap, rows, columns = _TURNS[header.orientation]
        back = (swap, columns, rows) if swap else (swap, rows, columns)
        return back if as_stored else _TURNS[1]
    return _TURNS[1] if as_stored else _TURNS[header.orientation]


def damaged(path: str | Path, length: int) -> UserError:
    """Return the error for a file that cannot be decoded completely."""
    return UserError(f"frame {path} is damaged or no image ({length} bytes); copy it anew")


def names_of(paths: Sequence[Path], most: int = 3) -> str:
    """Return the first few names of a list, and their number if there are more."""
    names = ", ".join(path.name for path in paths[:most])
    return names if len(paths) <= most else f"{names}, ... ({len(paths)} files)"


def _header(file: BinaryIO) -> ImageHeader:
    head = file.read(_HEAD)
    file.seek(0)
    try:
        with opened_by_pillow(file) as image:
            if image.format != "TIFF":
                name, size, orientation = str(image.format), (image.height, image.width), _exif_orientation(image)
                return _make_header(name, size, orientation, _bits(image, head))
    except UnidentifiedImageError:
        if head[:4] not in _TIFF_STARTS:
            raise
    return _tiff_header(file, head)  # Pillow also reads the tags of TIFFs that it cannot decode


def _make_header(name: str, stored: Size, orientation: Any, bits: int) -> ImageHeader:
    orientation = orientation if orientation in _TURNS else 1
    upright = (stored[1], stored[0]) if _TURNS[orientation][0] else stored
    return ImageHeader(format=name, bits=bits, stored=stored, upright=upright, orientation=orientation)


def _tiff_header(file: BinaryIO, head: bytes) -> ImageHeader:
    tags: Any = TiffImagePlugin.ImageFileDirectory_v2(head[:8])
    file.seek(tags.next)
    tags.load(file)
    size = int(tags[TiffImagePlugin.IMAGELENGTH]), int(tags[TiffImagePlugin.IMAGEWIDTH])
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    return _make_header("TIFF", size, tags.get(ExifTags.Base.Orientation, 1), bits)


def _exif_orientation(image: Image.Image) -> Any:
    """Return EXIF's orientation. Other metadata that may state one (XMP) is ignored, as in image viewers."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return exif.get(ExifTags.Base.Orientation, 1)
    except PILLOW_ERRORS:
        return 1


def _bits(image: Image.Image, head: bytes) -> int:
    if image.format == "PNG":
        return head[_PNG_BITS]
    if found := _PNM_MAXIMUM.match(head):
        return max(_SHOWN_BITS, int(found[1]).bit_length())
    return 16 if image.mode.startswith("I") else _SHOWN_BITS


def _too_large(path: str | Path, size: str) -> UserError:
    return UserError(f"frame {path} is too large: {size}, by its header; images of up to {MAX_PIXELS} pixels are read")
