"""Decode the masks of a frame from the segmentations of an annotation file to pixels.

Objects are small compared with frames, so only the columns that a mask occupies are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from mmdet.ops.masks.segmentations import read_masks
from mmdet.structures import Size


def decode_masks(segmentations: Sequence[Any], size: Size) -> np.ndarray:
    """Decode segmentations of a frame of `size`, RLE of both kinds or polygons, to (N, H, W) uint8, 0 or 1.

    Raises ValueError for anything malformed or of another size.
    """
    if not segmentations:
        return np.zeros((0, *size), np.uint8)
    _, runs = read_masks(segmentations, size, merged=False)
    masks = np.zeros((len(segmentations), *size), np.uint8)
    for index, mask in enumerate(masks):
        _fill(mask, runs.lengths_of(index))
    return masks


def _fill(mask: np.ndarray, runs: np.ndarray) -> None:
    """Write runs (R,), alternately background and foreground down the columns, into an empty mask (H, W)."""
    seen = np.flatnonzero(runs[1::2])
    if not len(seen):
        return
    height = len(mask)
    ends = np.cumsum(runs[: 2 * seen[-1] + 2])  # of the runs up to the last pixel of the mask
    first, last = int(runs[0]) // height, -(-int(ends[-1]) // height)
    lengths = np.append(runs[: len(ends)], last * height - ends[-1])
    lengths[0] -= first * height
    columns = np.repeat(np.arange(len(lengths), dtype=np.uint8) & 1, lengths).reshape(last - first, height)
    cv2.transpose(columns, dst=mask[:, first:last])
