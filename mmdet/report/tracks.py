"""Masks as polygons in the pixels of the page's pictures, and tracks that consist of them.

A polygon runs along the edges of pixels, not through their middles, so that filling it gives the mask's area.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.evaluation.tracks.mask_tracks import MaskTrack
from mmdet.report.document import Polygon, Track
from mmdet.structures import Size

MOST_PARTS = 64  # polygons of one mask; further ones, of noisy masks, are the smallest
SMALLEST_PART = 2.0  # pixels of the picture; smaller parts and holes are left out beside larger ones
MOST_DEVIATION = 1.0  # pixels between a polygon and its mask's edge; less for small masks:
DEVIATION_BY_SIDE = 0.02  # times the square root of the area
_INSIDE = 128  # of 255: at least half of a pixel of the picture is covered
_Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the page says of a track, and its colour."""

    track_id: int
    class_name: str
    color: str  # #rrggbb
    score: float | None
    is_crowd: bool
    second: tuple[str, float] | None = None  # what else it may be, with the score as that


def draw_track(masks: MaskTrack, size: Size, shown_size: Size, num_frames: int, look: Look) -> Track:
    """Return a track for the page: `masks` of `size` in the first `num_frames` frames, for pictures of `shown_size`.

    Masks of another size are left out: they belong to no place in the picture.
    """
    rles, runs = masks.video.rles, masks.video.runs
    places = {frame: int(masks.masks[frame]) for frame in np.flatnonzero(masks.areas[:num_frames]).tolist()}
    frames = [frame for frame, mask in places.items() if tuple(rles[mask]["size"]) == size]
    return Track(
        track_id=look.track_id,
        class_name=look.class_name,
        color=look.color,
        score=look.score,
        frames=frames,
        polygons=[outline(runs.lengths_of(places[frame]), size, shown_size) for frame in frames],
        is_crowd=look.is_crowd,
        second=look.second,
    )


def outline(runs: NDArray[np.int32], size: Size, shown_size: Size) -> list[Polygon]:
    """Return the polygons around a mask of `size` that has pixels, at `shown_size`, which is not larger.

    `runs`: its run lengths down the columns, background first, an even number
    """
    pixels, left, top = _cropped(runs, size[0])
    if size != shown_size:
        pixels, left, top = _shrunk(pixels, left, top, (shown_size[0] / size[0], shown_size[1] / size[1]), shown_size)
    return _trace(pixels, left, top)


def _cropped(runs: NDArray[np.int32], height: int) -> tuple[_Pixels, int, int]:
    """Return the pixels within the box of a mask, (h, w) of 0 and 1, and the box's left and top side."""
    ends = np.cumsum(runs, dtype=np.int64)
    filled = np.flatnonzero(runs[1::2]) * 2 + 1
    left = int(ends[filled[0] - 1]) // height
    right = (int(ends[filled[-1]]) - 1) // height + 1
    inner = runs[: filled[-1] + 2].astype(np.int64)
    inner[0] -= left * height
    values = np.arange(len(inner), dtype=np.uint8) & 1
    if len(inner) > filled[-1] + 1:
        inner[-1] = right * height - int(ends[filled[-1]])
    else:  # the mask ends with the frame's last pixel
        inner, values = np.append(inner, right * height - int(ends[filled[-1]])), np.append(values, np.uint8(0))
    columns = np.repeat(values, inner).reshape(right - left, height)
    rows = np.flatnonzero(columns.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return np.ascontiguousarray(columns[:, top:bottom].T), left, top


def _shrunk(
    pixels: _Pixels, left: int, top: int, scale: tuple[float, float], shown_size: Size
) -> tuple[_Pixels, int, int]:
    """Return a cropped mask at the size of the pictures; its largest pixel stays, however small it is."""
    vertical, horizontal = scale
    x1, y1 = int(left * horizontal), int(top * vertical)
    x2 = min(int(np.ceil((left + pixels.shape[1]) * horizontal)) + 1, shown_size[1])
    y2 = min(int(np.ceil((top + pixels.shape[0]) * vertical)) + 1, shown_size[0])
    # From the middle of a picture's pixel to the place in the mask.
    places = np.array(
        [
            [1 / horizontal, 0, (x1 + 0.5) / horizontal - 0.5 - left],
            [0, 1 / vertical, (y1 + 0.5) / vertical - 0.5 - top],
        ]
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    covered = cv2.warpAffine(pixels * np.uint8(255), places, (max(x2 - x1, 1), max(y2 - y1, 1)), flags=how)
    inside = (covered >= _INSIDE).astype(np.uint8)
    if not inside.any():
        inside.flat[int(np.argmax(covered))] = 1
    return inside, x1, y1


def _trace(pixels: _Pixels, left: int, top: int) -> list[Polygon]:
    """Return the polygons around a cropped mask, largest first."""
    # A grid with a point for every corner, side and middle of a pixel: contours pass through the corners.
    grid = np.zeros((2 * pixels.shape[0] + 1, 2 * pixels.shape[1] + 1), np.uint8)
    grid[1::2, 1::2] = pixels
    grid = cv2.dilate(grid, np.ones((3, 3), np.uint8))
    contours: Any
    contours, _ = cv2.findContours(grid, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    sized = sorted(((cv2.contourArea(contour) / 4, -i) for i, contour in enumerate(contours)), reverse=True)
    kept = [sized[0], *(part for part in sized[1:MOST_PARTS] if part[0] >= SMALLEST_PART)]
    return [_simplified(contours[-i], area, left, top) for area, i in kept]


def _simplified(contour: NDArray[np.int32], area: float, left: int, top: int) -> list[int]:
    deviation = min(MOST_DEVIATION, DEVIATION_BY_SIDE * area**0.5)
    points = cv2.approxPolyDP(contour, 2 * deviation, closed=True)
    if len(points) < 3:
        points = contour
    flat: list[int] = (points.reshape(-1, 2) / 2 + [left, top] + 0.25).astype(np.int64).ravel().tolist()
    return flat


def count_numbers(tracks: Sequence[Track]) -> int:
    """Return how many coordinates the polygons of tracks have."""
    return sum(len(polygon) for track in tracks for polygons in track.polygons for polygon in polygons)
