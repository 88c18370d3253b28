"""Mask PNGs: find the images of a video and the PNGs beside them, and read pixel values or colours as object ids.

Source: docs/data.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Set
from pathlib import Path

import numpy as np
from PIL import Image

from mmdet.errors import UserError
from mmdet.fileio.pictures.images import is_image_name, list_folder

_HEADER = slice(24, 26)  # of a PNG: bit depth and colour type (PNG specification, 11.2.1 IHDR)
_GREY, _RGB, _PALETTE, _RGBA = 0, 2, 3, 6
_READABLE = {(1, _GREY), (8, _GREY), (16, _GREY), *((depth, _PALETTE) for depth in (1, 2, 4, 8))}
_COLOURED = {(8, _RGB), (8, _RGBA), *((depth, _PALETTE) for depth in (1, 2, 4, 8))}
_PNG_ERRORS = (OSError, SyntaxError, ValueError, zlib.error, Image.DecompressionBombError)  # all of Pillow's


def read_ids(path: Path) -> np.ndarray:
    """Return the pixel values (H, W) of a palette or grey PNG, uint8 or, of 16 bits, uint16; of a palette the indices.

    Raises UserError for colour images and damaged files.
    """
    expected = "a palette or grey, where the value of a pixel is the id of its object"

    def values(image: Image.Image) -> np.ndarray:
        return np.asarray(image).astype(np.uint16 if image.mode.startswith("I") else np.uint8)

    return _decoded(path, _READABLE, expected, values)


def read_colours(path: Path, alpha: bool = False) -> np.ndarray:
    """Return the colours (H, W) uint32 of a PNG as R + 256 G + 256^2 B, or with `alpha` + 256^3 A, which it must have.

    Raises UserError for images that are not of 8 bits per value, grey images and damaged files.
    """

    def numbers(image: Image.Image) -> np.ndarray:
        colours = np.asarray(image.convert("RGBA")).view("<u4")[..., 0]
        return colours if alpha else colours & 0xFFFFFF

    channels = "red, green, blue and alpha" if alpha else "colours"
    return _decoded(
        path, {(8, _RGBA)} if alpha else _COLOURED, f"{channels} of 8 bits per value, which are ids of objects", numbers
    )


def is_shown(path: Path) -> np.ndarray:
    """Return where a PNG of any kind is not black, (H, W) uint8 of 0 and 1; of a palette where the index is not 0.

    Transparency is ignored. Raises UserError for damaged files.
    """

    def shown(image: Image.Image) -> np.ndarray:
        pixels = np.asarray(image)
        if pixels.ndim == 3:
            pixels = pixels[..., : 1 if image.mode == "LA" else 3].max(axis=2)
        return (pixels > 0).astype(np.uint8)

    return _decoded(path, None, "", shown)


def _decoded(
    path: Path, readable: Set[tuple[int, int]] | None, expected: str, pixels: Callable[[Image.Image], np.ndarray]
) -> np.ndarray:
    """Return what `pixels` makes of a PNG. `readable` are bit depths and colour types; None: all."""
    try:
        with path.open("rb") as file:
            depth, colour_type = file.read(_HEADER.stop)[_HEADER] or (0, 0)
        with Image.open(path, formats=["PNG"]) as image:
            if readable is not None and (depth, colour_type) not in readable:
                raise UserError(
                    f"{path} is a PNG of mode {image.mode} with {depth} bits per value, expected {expected}"
                )
            return pixels(image)
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


def mask_files(folder: Path, frames: list[Path]) -> tuple[dict[int, Path], list[Path]]:
    """Return the PNGs of a video by the index of the frame with the same name, and those that no frame has."""
    indices = {frame.stem: index for index, frame in enumerate(frames)}
    listed = list_folder(folder, "folder of PNGs") if folder.is_dir() else []
    pngs = [path for path in listed if path.suffix.lower() == ".png"]
    files = {indices[path.stem]: path for path in pngs if path.stem in indices}
    return files, [path for path in pngs if path.stem not in indices]
