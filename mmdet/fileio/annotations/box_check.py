"""Compare the boxes of an annotation file with its masks, and find what wrong boxes probably are.

Boxes given as corners, as fractions of the image, by their centres or for another image size are four numbers as well:
only the masks reveal the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet.fileio.annotations.vis_json import Track, VISJson
from mmdet.ops.masks.segmentations import mask_boxes, to_rles
from mmdet.structures import Size

Boxes = NDArray[np.float64]  # (N, 4)

_SLACK_PX = 2.0  # allowed error of a side: tools count pixels differently, and masks are smoothed
_FITS_IOU = 0.5  # below it a box does not belong to its mask
_EXPLAINS_IOU = 0.8  # a box that is read the right way has at least this
_EXPLAINS_SHARE = 0.9  # of the boxes must then fit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """Boxes of a file and the boxes around their masks: one row per object and frame."""

    owners: list[tuple[Track, int]]  # the track, the frame
    given: Boxes  # as in the file
    masks: Boxes  # xyxy around the mask
    sizes: Boxes  # width, height, width, height of the video


def box_faults(data: VISJson, limit: int | None = None) -> list[str]:
    """Compare the boxes with the masks. Return one line that names the likely cause, or one line per odd track.

    Returns [] if all fit. Compares `limit` boxes, spread evenly over the file; None compares all. Leaves out frames
    without a box or with one that has no area, empty masks, and masks that cannot be decoded.
    """
    compared = _compare(data, limit)
    bad = ~_fit(_from_xywh(compared.given), compared)
    if not bad.any():
        return []
    cause, share = _likely_cause(compared)
    if cause is None:
        return _lines_of_tracks(compared, bad)
    first = int(np.flatnonzero(bad)[0])
    said = (
        f"{int(bad.sum())} of {len(bad)} boxes compared do not fit their masks; they look like {cause} ({share:.0%} "
        f"would fit), expected x, y, width, height in pixels; first: {_line(compared, first)}"
    )
    return [said]


def _compare(data: VISJson, limit: int | None) -> _Compared:
    sizes = {video.video_id: video.size for video in data.videos}
    rows = [(track, frame) for track in data.tracks for frame in _frames_with_both(track)]
    if limit is not None and len(rows) > limit:
        rows = [rows[index] for index in np.linspace(0, len(rows) - 1, limit).astype(int).tolist()]
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row[0].annotation_id)]
    around = [box for group in groups for box in _boxes_around(group, sizes[group[0][0].video_id])]
    kept = [index for index, box in enumerate(around) if box is not None]
    owners = [rows[index] for index in kept]
    return _Compared(
        owners=owners,
        given=_array([track.boxes[frame] for track, frame in owners]),
        masks=_from_xywh(_array([around[index] for index in kept])),
        sizes=_array([[*sizes[track.video_id][::-1]] * 2 for track, _ in owners]),
    )


def _frames_with_both(track: Track) -> list[int]:
    return [
        frame
        for frame, (box, segmentation) in enumerate(zip(track.boxes, track.segmentations, strict=True))
        if segmentation and box is not None and box[2] > 0 and box[3] > 0
    ]


def _boxes_around(rows: list[tuple[Track, int]], size: Size) -> list[list[float] | None]:
    """Return the boxes around the masks of one track, None for masks that are empty or malformed."""
    try:
        boxes = mask_boxes(to_rles([track.segmentations[frame] for track, frame in rows], size)).tolist()
    except ValueError:
        return [None] if len(rows) == 1 else [box for row in rows for box in _boxes_around([row], size)]
    return [box if box[2] > 0 else None for box in boxes]


def _likely_cause(compared: _Compared) -> tuple[str | None, float]:
    """Return what the boxes seem to be and the fraction that then fits; None if nothing explains most of them."""
    if _share(_from_xywh(compared.given), compared) >= _EXPLAINS_SHARE:
        return None, 0.0
    with np.errstate(all="ignore"):
        shares = {cause: _share(read(compared), compared) for cause, read in _READINGS.items()}
    cause = max(shares, key=lambda name: shares[name])
    return (cause, shares[cause]) if shares[cause] >= _EXPLAINS_SHARE else (None, 0.0)


def _share(boxes: Boxes, compared: _Compared) -> float:
    ious = _ious(_clipped(boxes, compared.sizes), compared.masks)
    return float(np.mean(_near(boxes, compared) | (ious >= _EXPLAINS_IOU)))


def _fit(boxes: Boxes, compared: _Compared) -> NDArray[np.bool_]:
    ious = _ious(_clipped(boxes, compared.sizes), compared.masks)
    return np.asarray(_near(boxes, compared) | (ious >= _FITS_IOU), np.bool_)


def _near(boxes: Boxes, compared: _Compared) -> NDArray[np.bool_]:
    return np.asarray(np.abs(_clipped(boxes, compared.sizes) - compared.masks).max(axis=1) <= _SLACK_PX, np.bool_)


def _clipped(boxes: Boxes, sizes: Boxes) -> Boxes:
    return np.clip(boxes, 0, sizes)


def _ious(first: Boxes, second: Boxes) -> Boxes:
    """Return the IoU of the two xyxy boxes of each row, (N,)."""
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    common = np.prod(sides.clip(0), axis=1)
    areas = sum(np.prod((boxes[:, 2:] - boxes[:, :2]).clip(0), axis=1) for boxes in (first, second))
    return np.asarray(common / np.maximum(areas - common, 1e-9), np.float64)


def _from_xywh(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _from_centre(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _rescaled(compared: _Compared) -> Boxes:
    """Read the boxes as those of another image size: scale all by one factor, the median of what the sides need."""
    boxes = _from_xywh(compared.given)
    factors = (compared.masks[:, 2:] - compared.masks[:, :2]) / compared.given[:, 2:]
    return boxes * np.tile(np.median(factors, axis=0), 2)


_READINGS: dict[str, Callable[[_Compared], Boxes]] = {
    "corners x1, y1, x2, y2": lambda compared: compared.given,
    "centre x, centre y, width, height": lambda compared: _from_centre(compared.given),
    "y, x, height, width": lambda compared: _from_xywh(compared.given[:, [1, 0, 3, 2]]),
    "x, y, width, height as shares of the image": lambda compared: _from_xywh(compared.given) * compared.sizes,
    "corners as shares of the image": lambda compared: compared.given * compared.sizes,
    "centre and sides as shares of the image": lambda compared: _from_centre(compared.given) * compared.sizes,
    "boxes of another image size": _rescaled,
}


def _lines_of_tracks(compared: _Compared, bad: NDArray[np.bool_]) -> list[str]:
    rows: dict[int, list[int]] = {}
    for row in np.flatnonzero(bad).tolist():
        rows.setdefault(compared.owners[row][0].annotation_id, []).append(row)
    return [f"the box does not fit the mask in {len(own)} frames: {_line(compared, own[0])}" for own in rows.values()]


def _line(compared: _Compared, row: int) -> str:
    track, frame = compared.owners[row]
    x1, y1, x2, y2 = compared.masks[row].tolist()
    given = ", ".join(f"{side:g}" for side in compared.given[row].tolist())
    return (
        f"annotation {track.annotation_id}, video {track.video_id}, frame {frame}: box {given}, "
        f"the mask's box is {x1:g}, {y1:g}, {x2 - x1:g}, {y2 - y1:g}"
    )


def _array(rows: Sequence[Any]) -> Boxes:
    return np.array(rows, np.float64).reshape(-1, 4)
