"""Encode all masks of a frame whose pixels hold the ids of their objects, in one pass whatever their number."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.ops.masks.runs import encode_counts
from mmdet.structures import RLE


def encode_ids(ids: NDArray[np.integer[Any]], background: int = 0) -> dict[int, RLE]:
    """Return the mask of every id of an image (H, W), in the order of the ids; `background` is none.

    Pixels are uint8, uint16, int32 or uint32. A mask is the same as `encode_masks` makes of `ids == id`.
    """
    if ids.ndim != 2 or ids.dtype not in (np.uint8, np.uint16, np.int32, np.uint32) or 0 in ids.shape:
        raise ValueError(f"ids have shape {ids.shape} and type {ids.dtype}, expected (H, W) of 8, 16 or 32 bits")
    signed = ids.view(np.int32) if ids.dtype == np.uint32 else ids  # OpenCV transposes no uint32
    columns = cv2.transpose(signed).reshape(-1).view(ids.dtype)  # runs go down the columns; numpy transposes slowly
    starts = np.append(0, np.flatnonzero(columns[1:] != columns[:-1]) + 1)
    ends = np.append(starts[1:], len(columns))
    values = columns[starts]
    shown = np.flatnonzero(values != background)
    if not len(shown):
        return {}
    order = shown[np.argsort(values[shown], kind="stable")]
    found, first = np.unique(values[order], return_index=True)
    lengths, mask_starts = _mask_runs(starts[order], ends[order], first, len(columns))
    size = [int(side) for side in ids.shape]
    counts = encode_counts(lengths, mask_starts)
    return {int(value): {"size": [*size], "counts": code} for value, code in zip(found.tolist(), counts, strict=True)}


def _mask_runs(
    starts: NDArray[np.int64], ends: NDArray[np.int64], first: NDArray[np.int64], pixels: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the runs of masks, alternately background and foreground, and where each mask's begin and end.

    `starts` and `ends` are places of foreground, mask after mask, each from its place in `first`.
    """
    before = np.append(0, ends[:-1])
    before[first] = 0
    runs = np.stack([starts - before, ends - starts], axis=1).reshape(-1)
    last = np.append(first[1:], len(starts))  # one after the last run of each mask
    rest = pixels - ends[last - 1]
    has_rest = rest > 0
    lengths = np.insert(runs, 2 * last[has_rest], rest[has_rest])
    return lengths.astype(np.int32), np.append(0, 2 * last + np.cumsum(has_rest))
