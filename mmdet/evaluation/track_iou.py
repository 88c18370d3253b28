"""IoU of tracks: the sum of intersections over the sum of unions, over the frames that both cover.

Where one side is not seen the other's area goes into the union. Source: YTVOSeval.computeIoU (youtubevos/cocoapi).
Knows nothing of scores, categories or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mmdet.structures import RLE


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTrack:
    """The checked masks of one object, None where it is not seen, and their areas, 0 there."""

    rles: tuple[RLE | None, ...]
    areas: NDArray[np.int64]

    @property
    def mean_area(self) -> float:
        """Mean over the frames that show the object, 0 if none does."""
        shown = int(np.count_nonzero(self.areas))
        return float(self.areas.sum()) / shown if shown else 0.0


def track_ious(results: Sequence[MaskTrack], truths: Sequence[MaskTrack]) -> tuple[NDArray[np.float64], bool]:
    """Return the IoU of all pairs, (D, G), and whether frames of unequal size were met.

    Of tracks of unequal length the rest of the longer is left out; a frame of unequal sizes adds nothing to either sum.
    Both are the original's rules.
    """
    intersections = np.zeros((len(results), len(truths)), dtype=np.int64)
    unions = _area_sums(results, truths)
    sizes_differ = False
    for frame in range(min(_longest(results), _longest(truths))):
        rows, result_rles = _shown(results, frame)
        columns, truth_rles = _shown(truths, frame)
        if not rows or not columns:
            continue
        result_areas = np.array([results[row].areas[frame] for row in rows])
        # With iscrowd = 1 the IoU's divisor is the result's area, so this gives back the exact whole number.
        shares = coco_mask.iou(result_rles, truth_rles, [1] * len(columns))
        overlap = np.rint(shares * result_areas[:, None]).astype(np.int64)
        unequal = _unequal_sizes(result_rles, truth_rles)
        if unequal is not None:
            sizes_differ = True
            truth_areas = np.array([truths[column].areas[frame] for column in columns])
            unions[np.ix_(rows, columns)] -= np.where(unequal, result_areas[:, None] + truth_areas, 0)
            overlap[unequal] = 0
        intersections[np.ix_(rows, columns)] += overlap
    unions -= intersections
    return np.divide(intersections, unions, out=np.zeros(unions.shape), where=unions > 0), sizes_differ


def _longest(tracks: Sequence[MaskTrack]) -> int:
    return max((len(track.rles) for track in tracks), default=0)


def _shown(tracks: Sequence[MaskTrack], frame: int) -> tuple[list[int], list[RLE]]:
    """Return the rows and masks of the tracks seen in a frame."""
    pairs = [(row, track.rles[frame]) for row, track in enumerate(tracks) if frame < len(track.rles)]
    shown = [(row, rle) for row, rle in pairs if rle is not None]
    return [row for row, _ in shown], [rle for _, rle in shown]


def _area_sums(results: Sequence[MaskTrack], truths: Sequence[MaskTrack]) -> NDArray[np.int64]:
    """Sum both areas over the frames that both tracks of a pair have, (D, G)."""
    lengths = [np.array([len(track.rles) for track in tracks], dtype=np.int64) for tracks in (results, truths)]
    common = np.minimum.outer(*lengths)
    sums = np.zeros(common.shape, dtype=np.int64)
    for row, track in enumerate(results):
        sums[row] += np.append(0, np.cumsum(track.areas))[common[row]]
    for column, track in enumerate(truths):
        sums[:, column] += np.append(0, np.cumsum(track.areas))[common[:, column]]
    return sums


def _unequal_sizes(results: Sequence[RLE], truths: Sequence[RLE]) -> NDArray[np.bool_] | None:
    """Return which pairs differ in size, (D, G), None if none does."""
    size = results[0]["size"]
    if all(rle["size"] == size for rle in (*results, *truths)):
        return None
    result_sizes = np.array([rle["size"] for rle in results])
    truth_sizes = np.array([rle["size"] for rle in truths])
    unequal: NDArray[np.bool_] = (result_sizes[:, None] != truth_sizes[None]).any(axis=2)
    return unequal if unequal.any() else None
