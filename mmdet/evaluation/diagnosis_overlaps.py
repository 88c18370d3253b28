"""Areas and overlaps of the masks of one video, frame by frame, results against annotated objects.

Irregular input follows YTVOSeval's rules: of tracks of unequal length the rest of the longer is left out, masks of
unequal sizes do not overlap. Knows nothing of scores, categories or figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mmdet.config import UserError
from mmdet.evaluation.inputs import ResultTrack, TruthTrack, VideoCase
from mmdet.ops.masks import mask_areas, to_rles
from mmdet.structures import RLE


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOverlaps:
    """One frame: D results and G truths are seen in it, each with at least a pixel."""

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
    """One video of T frames: as many as its longest track has."""

    frames: tuple[FrameOverlaps, ...]
    track_ious: NDArray[np.float64]  # (D, G) of all results and truths: intersections over unions, summed over frames


def read_overlaps(case: VideoCase) -> VideoOverlaps:
    """Compare all results with all truths, crowds too. Raises UserError that names the first malformed segmentation."""
    tracks: list[ResultTrack | TruthTrack] = [*case.results, *case.truths]
    rles = _read_masks(case, tracks)
    areas = mask_areas(rles)
    seen: list[list[tuple[int, int]]] = [[] for _ in range(max((len(t.segmentations) for t in tracks), default=0))]
    shown = ((row, number) for row, t in enumerate(tracks) for number, mask in enumerate(t.segmentations) if mask)
    for mask, (row, number) in enumerate(shown):
        if areas[mask]:
            seen[number].append((row, mask))
    frames = tuple(_compare(pairs, len(case.results), rles, areas) for pairs in seen)
    return VideoOverlaps(frames=frames, track_ious=_track_ious(case, frames))


def _compare(
    seen: Sequence[tuple[int, int]], num_results: int, rles: Sequence[RLE], areas: NDArray[np.int64]
) -> FrameOverlaps:
    """Compare what is seen in one frame: pairs of a row, results before truths, and a mask."""
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


def _track_ious(case: VideoCase, frames: Sequence[FrameOverlaps]) -> NDArray[np.float64]:
    lengths = [np.array([len(t.segmentations) for t in tracks]) for tracks in (case.results, case.truths)]
    intersections = np.zeros((len(case.results), len(case.truths)), dtype=np.int64)
    unions = np.zeros_like(intersections)
    for number, frame in enumerate(frames):
        result_areas, truth_areas = (np.zeros(len(part), dtype=np.int64) for part in lengths)
        result_areas[frame.results], truth_areas[frame.truths] = frame.result_areas, frame.truth_areas
        unions += np.add.outer(result_areas, truth_areas) * np.outer(lengths[0] > number, lengths[1] > number)
        pairs = np.ix_(frame.results, frame.truths)
        both = np.add.outer(frame.result_areas, frame.truth_areas)
        unions[pairs] -= np.where(frame.same_size, frame.intersections, both)
        intersections[pairs] += frame.intersections
    return np.divide(intersections, unions, out=np.zeros(unions.shape), where=unions > 0)


def _read_masks(case: VideoCase, tracks: Sequence[ResultTrack | TruthTrack]) -> list[RLE]:
    """Read the masks of all tracks, one after the other, frames without left out."""
    try:
        return to_rles([mask for track in tracks for mask in track.segmentations if mask], case.size, any_size=True)
    except ValueError:
        for track in tracks:
            for number, mask in enumerate(track.segmentations):
                try:
                    to_rles([mask] if mask else [], case.size, any_size=True)
                except ValueError as error:
                    raise UserError(f"video {case.video_id}, {_name(track)}, frame {number}: {error}") from error
        raise


def _name(track: ResultTrack | TruthTrack) -> str:
    return f"annotation {track.annotation_id}" if isinstance(track, TruthTrack) else f"result {track.position}"
