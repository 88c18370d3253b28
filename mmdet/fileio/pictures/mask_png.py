"""Mask PNGs: find the images of a video and the PNGs beside them, and read pixel values as object ids.

Source: docs/data.md.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from mmdet.errors import UserError
from mmdet.fileio.pictures.images import is_image_name, list_folder

_HEADER = slice(24, 26)  # of a PNG: bit depth and colour type (PNG specification, 11.2.1 IHDR)
_GREY, _PALETTE = 0, 3
_READABLE = {(1, _GREY), (8, _GREY), *((depth, _PALETTE) for depth in (1, 2, 4, 8))}
_PNG_ERRORS = (OSError, SyntaxError, ValueError, zlib.error, Image.DecompressionBombError)  # all of Pillow's


def read_ids(path: Path) -> np.ndarray:
    """Return the pixel values (H, W) uint8 of a palette or grey PNG; of a palette the indices.

    Raises UserError for colour images, 16-bit images and damaged files.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.stop)[_HEADER]
        with Image.open(path, formats=["PNG"]) as image:
            if tuple(header) not in _READABLE:
                raise UserError(
                    f"{path} is a PNG of mode {image.mode} with {header[0]} bits per value, expected a palette or 8 "
                    "bits of grey, where the value of a pixel is the id of its object"
                )
            return np.asarray(image).astype(np.uint8)
    except _PNG_ERRORS as error:
        raise UserError(f"{path} cannot be read as a PNG: {error}") from error


def frame_files(folder: Path) -> list[Path]:
    """List the images of a video in natural order. Raises UserError if two have the same name without the ending."""
    frames = [path for path in list_folder(folder, "video") if is_image_name(path)]
    by_stem: dict[str, Path] = {}
    for path in frames:
        other = by_stem.setdefault(path.stem, path)
        if other is not path:
            raise UserError(f"{other} and {path.name} are two images of one name: remove one of them")
    return frames


def mask_files(folder: Path, frames: list[Path]) -> dict[int, Path]:
    """Return the PNGs of a video by the index of the frame with the same name.

    Raises UserError for a PNG without a frame.
    """
    if not folder.is_dir():
        return {}
    indices = {frame.stem: index for index, frame in enumerate(frames)}
    files = {}
    for path in list_folder(folder, "folder of PNGs"):
        if path.suffix.lower() == ".png":
            if path.stem not in indices:
                raise UserError(f"{path} has no frame: {frames[0].parent} has no image named {path.stem}")
            files[indices[path.stem]] = path
    return files
