"""Areas and overlaps of the masks of one video, frame by frame, between results and annotated objects.

Irregular input follows YTVOSeval's rules: if lengths differ, the rest of the longer track is left out; masks of unequal
sizes do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mmdet.evaluation.tracks.cases import VideoCase
from mmdet.evaluation.tracks.mask_tracks import MaskTrack, VideoMasks, area_sums, read_masks_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOverlaps:
    """One frame: the D results and G truths that have at least one pixel in it."""

    results: NDArray[np.int64]  # (D,) positions in the case's results
    truths: NDArray[np.int64]  # (G,) positions in the case's truths
    result_areas: NDArray[np.int64]  # (D,) pixels
    truth_areas: NDArray[np.int64]  # (G,)
    intersections: NDArray[np.int64]  # (D, G)
    same_size: NDArray[np.bool_]  # (D, G)

    @property
    def ious(self) -> NDArray[np.float64]:
        """IoU of the masks of all pairs, (D, G)."""
        unions = self.result_areas[:, None] + self.truth_areas - self.intersections
        ious: NDArray[np.float64] = self.intersections / unions
        return ious


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOverlaps:
    """One video of T frames, the length of its longest track."""

    frames: tuple[FrameOverlaps, ...]
    track_ious: NDArray[np.float64]  # (D, G) of all results and truths: intersections over unions, summed over frames


def read_overlaps(case: VideoCase) -> VideoOverlaps:
    """Compare all results with all truths, including crowds.

    Raises UserError that names the first malformed segmentation.
    """
    tracks = read_masks_of(case, [*case.results, *case.truths], compiled=False)  # pycocotools computes the overlaps
    return overlaps_of(tracks, len(case.results))


def overlaps_of(tracks: Sequence[MaskTrack], split: int) -> VideoOverlaps:
    """Compare the first `split` of a video's tracks, its results, with the others, its truths.

    They must have been read together, without the compiled op.
    """
    seen: list[list[tuple[int, int]]] = [[] for _ in range(max((len(t.masks) for t in tracks), default=0))]
    for row, track in enumerate(tracks):
        for number in np.flatnonzero(track.areas).tolist():
            seen[number].append((row, int(track.masks[number])))
    frames = tuple(_compare(pairs, split, tracks[0].video) for pairs in seen)
    return VideoOverlaps(frames=frames, track_ious=_track_ious(tracks[:split], tracks[split:], frames))


def _compare(seen: Sequence[tuple[int, int]], num_results: int, video: VideoMasks) -> FrameOverlaps:
    """Compare the masks of one frame, given as pairs of track row and mask, results before truths."""
    rles, areas = video.rles, video.runs.areas
    rows, masks = np.array(seen, dtype=np.int64).reshape(-1, 2).T
    is_result = rows < num_results
    first, second = masks[is_result], masks[~is_result]
    intersections = np.zeros((len(first), len(second)), dtype=np.int64)
    same_size = np.ones(intersections.shape, dtype=np.bool_)
    if intersections.size:
        result_rles, truth_rles = [rles[mask] for mask in first.tolist()], [rles[mask] for mask in second.tolist()]
        sizes = [np.array([rle["size"] for rle in part]) for part in (result_rles, truth_rles)]
        same_size = (sizes[0][:, None] == sizes[1]).all(axis=2)
        # With iscrowd = 1 the IoU's divisor is the result's area, so this gives back the exact whole number.
        shares = coco_mask.iou(result_rles, truth_rles, [1] * len(truth_rles))
        intersections = np.where(same_size, np.rint(shares * areas[first, None]), 0).astype(np.int64)
    return FrameOverlaps(
        results=rows[is_result],
        truths=rows[~is_result] - num_results,
        result_areas=areas[first],
        truth_areas=areas[second],
        intersections=intersections,
        same_size=same_size,
    )


def _track_ious(
    results: Sequence[MaskTrack], truths: Sequence[MaskTrack], frames: Sequence[FrameOverlaps]
) -> NDArray[np.float64]:
    """Return what `mask_ious` does, from known overlaps."""
    intersections = np.zeros((len(results), len(truths)), dtype=np.int64)
    if not intersections.size:
        return np.zeros(intersections.shape)
    unions = area_sums([track.areas for track in results], [track.areas for track in truths])
    for frame in frames:
        pairs = np.ix_(frame.results, frame.truths)
        both = np.add.outer(frame.result_areas, frame.truth_areas)
        unions[pairs] -= np.where(frame.same_size, frame.intersections, both)
        intersections[pairs] += frame.intersections
    ious: NDArray[np.float64] = np.divide(intersections, unions, out=np.zeros(unions.shape), where=unions > 0)
    return ious
