"""IoU of tracks by their masks: the sum of intersections over the sum of unions, over the frames that both cover.

In a frame where one of them is not seen, the area of the other counts in the union. Source: YTVOSeval.computeIoU
(youtubevos/cocoapi). Regular videos use the compiled op if it is built, else one call of pycocotools per frame; both
count whole pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mmdet.errors import UserError
from mmdet.evaluation.tracks.cases import AnyTrack, VideoCase
from mmdet.ops import extension
from mmdet.ops.masks.runs import Runs, track_overlaps
from mmdet.ops.masks.segmentations import read_masks, to_rles
from mmdet.structures import RLE, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMasks:
    """All masks of a video, checked."""

    rles: list[RLE]
    runs: Runs
    is_regular: bool  # all have one size
    use_compiled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTrack:
    """One object of a video: per frame the index of its mask in `video.rles`, -1 if it is not seen."""

    video: VideoMasks
    masks: NDArray[np.int64]  # (T,)
    areas: NDArray[np.int64]  # (T,) 0 where not seen
    mean_area: float  # over the frames that show the object, 0 if none does


def read_mask_tracks(tracks: Sequence[Sequence[Any]], size: Size, *, compiled: bool = True) -> list[MaskTrack]:
    """Read the segmentations of all tracks of one video together. Null and empty ones mean that the object is not seen.

    With `compiled` False numpy and pycocotools do all the work even if the op is built. Raises ValueError for
    malformed segmentations.
    """
    if not tracks:
        return []
    shown = [segmentation for track in tracks for segmentation in track if segmentation]
    compiled = compiled and extension.load()
    rles, runs = read_masks(shown, size, any_size=True, merged=not compiled, compiled=compiled)
    is_regular = all(rle["size"] == rles[0]["size"] for rle in rles)
    if compiled and not is_regular:  # pycocotools handles these
        rles, runs = read_masks(shown, size, any_size=True)
    video = VideoMasks(rles=rles, runs=runs, is_regular=is_regular, use_compiled=compiled)

    lengths = [len(track) for track in tracks]
    ends = np.cumsum(lengths, dtype=np.int64)
    present = np.fromiter((bool(s) for track in tracks for s in track), np.bool_, sum(lengths))
    masks = np.where(present, np.cumsum(present) - 1, -1)
    areas = np.append(runs.areas, 0)[masks]  # position -1 has area 0
    sums, counts = (np.diff(np.append(0, np.cumsum(of))[ends], prepend=0) for of in (areas, areas > 0))
    means = np.divide(sums, counts, out=np.zeros(len(tracks)), where=counts > 0).tolist()
    parts = (masks, areas)
    return [
        MaskTrack(video=video, masks=m, areas=a, mean_area=mean)
        for m, a, mean in zip(*(np.split(part, ends[:-1]) for part in parts), means, strict=True)
    ]


def mask_ious(results: Sequence[MaskTrack], truths: Sequence[MaskTrack]) -> tuple[NDArray[np.float64], bool]:
    """Return the IoU of all pairs of one video, (D, G), and whether frames of unequal size occurred.

    If lengths differ, the rest of the longer track is left out; a frame of unequal sizes adds nothing to either sum.
    Both are the original's rules.
    """
    if not results or not truths:
        return np.zeros((len(results), len(truths))), False
    video = results[0].video
    unions = area_sums([track.areas for track in results], [track.areas for track in truths])
    sizes_differ = False
    if video.is_regular and video.use_compiled:
        intersections = track_overlaps(video.runs, _positions(results), _positions(truths))
    else:
        intersections, excess = _overlaps_by_frame(results, truths)
        if excess is not None:
            sizes_differ = bool(excess.any())
            unions -= excess
    unions -= intersections
    return np.divide(intersections, unions, out=np.zeros(unions.shape), where=unions > 0), sizes_differ


def area_sums(results: Sequence[NDArray[Any]], truths: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Sum the areas of both tracks of each pair over the frames that both have, (D, G)."""
    lengths = [np.array([len(areas) for areas in tracks], dtype=np.int64) for tracks in (results, truths)]
    common = np.minimum.outer(*lengths)
    first = np.stack([np.append(0, np.cumsum(areas))[common[row]] for row, areas in enumerate(results)])
    second = [np.append(0, np.cumsum(areas))[common[:, column]] for column, areas in enumerate(truths)]
    sums: NDArray[Any] = first + np.stack(second, axis=1)
    return sums


def _positions(tracks: Sequence[MaskTrack]) -> NDArray[np.int64]:
    """Return the indices of the masks, (N, T); shorter tracks are filled with -1."""
    positions = np.full((len(tracks), max(len(track.masks) for track in tracks)), -1, dtype=np.int64)
    for row, track in zip(positions, tracks, strict=True):
        row[: len(track.masks)] = track.masks
    return positions


def _overlaps_by_frame(
    results: Sequence[MaskTrack], truths: Sequence[MaskTrack]
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Sum the intersections, (D, G), and the areas of both masks in frames of unequal sizes (None without any)."""
    video = results[0].video
    first, second = _positions(results), _positions(truths)
    frames = min(first.shape[1], second.shape[1])
    first, second = first[:, :frames].T, second[:, :frames].T
    pairs = (first >= 0)[:, :, None] & (second >= 0)[:, None]  # (T, D, G)
    shares = np.zeros(pairs.shape)
    for frame in np.flatnonzero(pairs.any(axis=(1, 2))).tolist():
        result_rles = [video.rles[mask] for mask in first[frame].tolist() if mask >= 0]
        truth_rles = [video.rles[mask] for mask in second[frame].tolist() if mask >= 0]
        # With iscrowd = 1 the IoU's divisor is the result's area, so this gives back the exact whole number.
        shares[frame, pairs[frame]] = coco_mask.iou(result_rles, truth_rles, [1] * len(truth_rles)).ravel()
    areas = np.append(video.runs.areas, 0)
    intersections = np.rint(shares * areas[first][:, :, None]).astype(np.int64)
    if video.is_regular:
        return intersections.sum(axis=0), None
    sizes = np.array([*(rle["size"] for rle in video.rles), [0, 0]])
    unequal = (sizes[first][:, :, None] != sizes[second][:, None]).any(axis=3) & pairs
    both = areas[first][:, :, None] + areas[second][:, None]
    return np.where(unequal, 0, intersections).sum(axis=0), np.where(unequal, both, 0).sum(axis=0)


def read_masks_of(case: VideoCase, tracks: Sequence[AnyTrack], *, compiled: bool = True) -> list[MaskTrack]:
    """Read the masks of several tracks of a video together; `compiled` as in `read_mask_tracks`.

    Raises UserError that names the first malformed one.
    """
    try:
        return read_mask_tracks([track.segmentations for track in tracks], case.size, compiled=compiled)
    except ValueError:
        for track in tracks:
            for frame, segmentation in enumerate(track.segmentations):
                if segmentation:
                    _check_one(segmentation, case.size, f"video {case.video_id}, {track.name}, frame {frame}")
        raise


def _check_one(segmentation: Any, size: Size, where: str) -> None:
    try:
        to_rles([segmentation], size, any_size=True)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
