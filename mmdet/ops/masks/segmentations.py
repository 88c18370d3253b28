"""Convert between bool masks and COCO run-length encodings, and from every kind of json segmentation to both.

pycocotools encodes, decodes and draws polygons, but trusts its input: broken counts make it write out of bounds or loop
for ever. So all input from files is checked here first, many masks at a time.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

from mmdet.errors import shown
from mmdet.ops.masks.polygons import read_polygons
from mmdet.ops.masks.runs import Runs, decode_counts, encode_counts, find_runs
from mmdet.structures import RLE, Size

MAX_PIXELS = 2**27  # of one mask (16384 x 8192): more than any video has, and runs fit pycocotools' 32 bits
_BYTES_SHOWN = ("b'", 'b"')  # neither quote occurs in counts
_AREA_CHUNK = 255  # pycocotools 2.0.11 counts the masks given to `area` in 8 bits


def encode_masks(masks: Tensor | NDArray[np.bool_]) -> list[RLE]:
    """Encode masks (N, H, W) bool. From a GPU only the runs are copied to the host, not the pixels."""
    tensor = masks.detach() if isinstance(masks, Tensor) else torch.from_numpy(np.asarray(masks))
    if tensor.ndim != 3 or tensor.dtype != torch.bool:
        raise ValueError(f"masks have shape {tuple(tensor.shape)} and type {tensor.dtype}, expected (N, H, W) bool")
    if 0 in tensor.shape[1:]:
        raise ValueError(f"masks have shape {tuple(tensor.shape)}: an empty frame has no encoding")
    if len(tensor) == 0:
        return []
    if tensor.is_cuda:
        size = list(tensor.shape[1:])
        return [{"size": [*size], "counts": counts} for counts in encode_counts(*find_runs(tensor))]
    pixels = tensor.contiguous().numpy().view(np.uint8)
    columns = np.stack([cv2.transpose(mask) for mask in pixels])  # runs go down the columns; numpy transposes slowly
    return [_rle(coded) for coded in coco_mask.encode(columns.transpose(2, 1, 0))]


def decode_rle(rle: RLE) -> NDArray[np.bool_]:
    """Decode to (h, w) bool. Raises ValueError for a malformed encoding."""
    return decode_segmentation(rle, _checked_size(rle.get("size") if isinstance(rle, dict) else None))


def decode_segmentation(segmentation: Any, size: Size) -> NDArray[np.bool_]:
    """Decode compressed or uncompressed RLE or polygons of a frame of `size` to (h, w) bool; see `to_rle`."""
    height, width = _checked_size(size)
    rle = _read(segmentation, (height, width))
    runs = decode_counts([rle["counts"]], [height * width]).lengths
    values = np.arange(len(runs), dtype=np.uint8) & 1
    columns = np.repeat(values, runs).reshape(width, height)
    return cv2.transpose(columns).view(np.bool_)


def to_rle(segmentation: Any, size: Size) -> RLE:
    """Turn compressed RLE (counts str or bytes), uncompressed RLE (list) or polygons (x, y, x, y, ...) into an RLE.

    An empty list of polygons is an empty mask. Raises ValueError for anything malformed or of another size.
    """
    return to_rles([segmentation], size)[0]


def to_rles(segmentations: Sequence[Any], size: Size, any_size: bool = False) -> list[RLE]:
    """Convert many segmentations to RLEs at once; see `to_rle`. With `any_size` an RLE may have another size.

    Runs of length zero inside of an encoding are merged: pycocotools stops early if two masks have one at the same
    place.
    """
    return read_masks(segmentations, size, any_size=any_size)[0]


def read_masks(
    segmentations: Sequence[Any], size: Size, *, any_size: bool = False, merged: bool = True, compiled: bool = True
) -> tuple[list[RLE], Runs]:
    """Return what `to_rles` does, and the runs of all masks, zeros included; `compiled` as in `decode_counts`.

    Without `merged` runs of length zero also stay in the RLEs; do not give such RLEs to pycocotools.
    """
    expected = _checked_size(size)
    if not merged and _are_plain(segmentations, [*expected]):
        counts = [segmentation["counts"] for segmentation in segmentations]
        return list(segmentations), decode_counts(counts, [expected[0] * expected[1]] * len(counts), compiled=compiled)
    rles = [_read(segmentation, expected, any_size) for segmentation in segmentations]
    pixels = [rle["size"][0] * rle["size"][1] for rle in rles]
    runs = decode_counts([rle["counts"] for rle in rles], pixels, compiled=compiled)
    if not merged:
        return rles, runs
    empty = runs.lengths == 0
    empty[runs.starts[:-1]] = False  # the first run is 0 if the first pixel is in the mask
    empty[runs.starts[1:] - 1] = False  # the last run is 0 if the last pixel is not in the mask
    for index in np.unique(np.searchsorted(runs.starts, np.flatnonzero(empty), side="right") - 1).tolist():
        height, width = rles[index]["size"]
        rles[index] = _from_runs(runs.lengths_of(index), (height, width))
    return rles, runs


def mask_areas(rles: Sequence[RLE]) -> NDArray[np.int64]:
    """Count the pixels of every mask, (N,)."""
    parts = [coco_mask.area(rles[start : start + _AREA_CHUNK]) for start in range(0, len(rles), _AREA_CHUNK)]
    return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)


def mask_boxes(rles: Sequence[RLE]) -> NDArray[np.float64]:
    """Return the boxes around masks, (N, 4) x, y, width, height in whole pixels; zeros for a mask without a pixel.

    Needs RLEs as `to_rles` makes them: checked and without empty runs.
    """
    return np.asarray(coco_mask.toBbox(list(rles)), np.float64).reshape(-1, 4) if rles else np.zeros((0, 4))


def plain_counts(counts: str) -> str:
    """Return compressed counts without the `b'...'` that Python's str() of bytes puts around them."""
    if not counts.startswith(_BYTES_SHOWN):
        return counts
    try:
        shown_bytes = ast.literal_eval(counts)
    except (ValueError, SyntaxError):
        return counts
    return shown_bytes.decode("latin-1") if isinstance(shown_bytes, bytes) else counts


def _read(segmentation: Any, size: Size, any_size: bool = False) -> RLE:
    """Convert a segmentation to an RLE. Counts that are already compressed are not checked yet."""
    if isinstance(segmentation, list | tuple):
        return _from_polygons(segmentation, size)
    if not isinstance(segmentation, dict) or "counts" not in segmentation:
        raise ValueError(
            f"a segmentation is an RLE with size and counts or a list of polygons, got {shown(segmentation)}"
        )
    own = segmentation.get("size")
    own = size if type(own) is list and own == [*size] else _checked_size(own)
    if own != size and not any_size:
        raise ValueError(f"the mask has size (height, width) {own}, the frame {size}")
    counts = segmentation["counts"]
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        return {"size": list(own), "counts": plain_counts(counts)}
    try:
        runs = np.array([operator.index(count) for count in counts], dtype=np.int64)
    except (TypeError, OverflowError):
        raise ValueError(f"counts are a string or a list of whole numbers, got {shown(counts)}") from None
    _check_total(int(runs.min(initial=0)), sum(runs.tolist()), own)
    return _from_runs(runs, own)


def _are_plain(segmentations: Sequence[Any], size: list[int]) -> bool:
    """Return whether all are compressed RLEs of this size, as nearly all segmentations are."""
    return (
        set(map(type, segmentations)) == {dict}
        and {type(segmentation.get("counts")) for segmentation in segmentations} == {str}
        and not any(segmentation["counts"].startswith(_BYTES_SHOWN) for segmentation in segmentations)
        and all(segmentation.get("size") == size for segmentation in segmentations)
    )


def _rle(coded: dict[str, Any]) -> RLE:
    return {"size": [int(side) for side in coded["size"]], "counts": coded["counts"].decode("ascii")}


def _checked_size(size: Any) -> Size:
    try:
        height, width = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        raise ValueError(f"a mask's size is [height, width] in whole pixels, got {shown(size)}") from None
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"a mask has between 1 and {MAX_PIXELS} pixels, got size [{height}, {width}]")
    return height, width


def _check_total(smallest: int, total: int, size: Sequence[int]) -> None:
    """Raise ValueError unless runs fill the mask."""
    if smallest < 0:
        raise ValueError(f"counts hold a negative run ({smallest})")
    if total != size[0] * size[1]:
        raise ValueError(f"counts cover {total} pixels, size {list(size)} has {size[0] * size[1]}")


def _from_runs(runs: NDArray[np.integer], size: Size) -> RLE:
    """Compress run lengths; merge runs that are separated by a run of length zero."""
    filled = np.flatnonzero(runs)
    value = filled & 1
    starts = np.flatnonzero(np.diff(value, prepend=-1))
    merged = np.add.reduceat(runs[filled], starts).tolist()
    counts = [0, *merged] if value[0] else merged
    return _rle(coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size))


def _from_polygons(polygons: Sequence[Any], size: Size) -> RLE:
    parts = read_polygons(polygons, size)
    if not parts:
        return _from_runs(np.array([size[0] * size[1]]), size)
    return _rle(coco_mask.merge(coco_mask.frPyObjects(parts, *size)))
