"""A mask in the forms that labelling tools take: polygons, and the pixels of the window that it lies in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmdet.fileio.exporting.tracks import ExportOptions
from mmdet.ops.masks.outlines import Outline, trace
from mmdet.ops.masks.segmentations import decode_segmentation
from mmdet.structures import RLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The pixels of a mask in the smallest rectangle around them."""

    left: int
    top: int
    pixels: NDArray[np.bool_]  # (height, width)


def polygons_of(mask: RLE, options: ExportOptions) -> list[Outline]:
    """Return the outlines of the parts of a mask, the largest first. Holes that a tolerance loses are counted."""
    outlines, holes = trace(decode_segmentation(mask, _size(mask)), options.tolerance)
    options.lost["holes of polygons, filled"] += holes
    return outlines


def window_of(mask: RLE) -> Window:
    """Return the window of a mask that has a pixel."""
    pixels = decode_segmentation(mask, _size(mask))
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return Window(left=left, top=top, pixels=pixels[top : rows[-1] + 1, left : columns[-1] + 1])


def row_runs(pixels: NDArray[np.bool_]) -> list[int]:
    """Return run lengths along the rows of a window, background first; 0 if the first pixel is foreground."""
    flat = pixels.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs: list[int] = np.diff([0, *edges.tolist(), flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


def _size(mask: RLE) -> tuple[int, int]:
    return mask["size"][0], mask["size"][1]
