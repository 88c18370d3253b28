"""From results and from the tracks of a stream to the objects that are drawn.

A tag tells the track's class and score, not those of the frame: `3 triangle 0.87`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from mmdet.ops.masks.segmentations import decode_rle
from mmdet.structures import TrackTube, VideoResult
from mmdet.visualization.draw import PLAIN, DrawnObject, DrawStyle, Trails, class_color, drawing_factor, track_color
from mmdet.visualization.scene import Point

MASK_PIXELS = 2**28  # limit for all masks of one picture, one byte per pixel: 129 masks at 1920 x 1080
LEAST_DRAWN = 40  # objects that are always drawn, however large the frame


class TracksLike(Protocol):
    """The tracks of one frame as a stream gives them: `FrameTracks`, and what has its fields."""

    @property
    def boxes(self) -> Tensor:
        """Return boxes (N, 4) xyxy, pixels."""
        ...

    @property
    def masks(self) -> Tensor:
        """Return masks (N, H, W) bool."""
        ...

    @property
    def labels(self) -> Tensor:
        """Return the classes (N,) in this frame."""
        ...

    @property
    def scores(self) -> Tensor:
        """Return the scores (N,) in this frame."""
        ...

    @property
    def box_sigma(self) -> Tensor:
        """Return the uncertainty (N, 4) of the sides of boxes."""
        ...

    @property
    def track_ids(self) -> Tensor:
        """Return ids (N,)."""
        ...


def objects_of_frame(
    result: VideoResult, frame_index: int, class_names: Sequence[str], style: DrawStyle = PLAIN
) -> list[DrawnObject]:
    """Return the objects to draw in one frame of a result.

    If there are more masks than fit into memory (MASK_PIXELS), only those of the tracks with the highest scores, in the
    result's order. A result has no uncertainty of boxes.
    """
    seen = [tube for tube in result.tubes if tube.segmentations[frame_index] is not None]
    pixels = result.size[0] * result.size[1] * drawing_factor(result.size) ** 2
    most = max(LEAST_DRAWN, MASK_PIXELS // pixels)
    if len(seen) > most:
        warnings.warn(f"frames of more than {most} objects show the {most} of the highest scores", stacklevel=2)
        highest = sorted(range(len(seen)), key=lambda index: -seen[index].score)[:most]
        seen = [seen[index] for index in sorted(highest)]
    objects = []
    for tube in seen:
        rle, label, score = tube.segmentations[frame_index], tube.label, tube.score
        if rle is None:
            continue
        objects.append(
            DrawnObject(
                mask=decode_rle(rle),
                box=tube.boxes[frame_index],
                label_text=f"{tube.track_id} {class_names[label]} {score:.2f}",
                color=class_color(label) if style.color_by == "class" else track_color(tube.track_id),
                score=score,
                trail=_trail(tube, frame_index, style.trails),
            )
        )
    return objects


def objects_of_tracks(
    tracks: TracksLike,
    class_names: Sequence[str],
    threshold: float = 0.0,
    style: DrawStyle = PLAIN,
    trails: Trails | None = None,
    labels: Tensor | None = None,
    scores: Tensor | None = None,
) -> list[DrawnObject]:
    """Return the objects to draw of a frame from a stream: those with a score of at least `threshold`.

    The uncertainty of a box is drawn in shares of its width and height: what it is trained towards, 1 - probability
    + 1 - IoU (MODEL.md 6), says how far off a box is in proportion to its own size.

    `trails`: where the tracks were, updated by the caller
    `labels`, `scores`: (N,) class and score of each track so far; by default the `track_labels` and `track_scores`
    of `tracks`, else those of the frame
    """
    labels = getattr(tracks, "track_labels", tracks.labels) if labels is None else labels
    scores = getattr(tracks, "track_scores", tracks.scores) if scores is None else scores
    boxes = tracks.boxes.cpu()
    sigmas = tracks.box_sigma.cpu() * (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    objects = []
    for row in (scores >= threshold).nonzero()[:, 0].tolist():
        label, score, track_id = int(labels[row]), float(scores[row]), int(tracks.track_ids[row])
        objects.append(
            DrawnObject(
                mask=tracks.masks[row].cpu().numpy(),
                box=tuple(boxes[row].tolist()),
                label_text=f"{track_id} {class_names[label]} {score:.2f}",
                color=class_color(label) if style.color_by == "class" else track_color(track_id),
                score=score,
                sigma=tuple(sigmas[row].tolist()),
                trail=trails.of(track_id) if trails else (),
            )
        )
    return objects


def _trail(tube: TrackTube, frame_index: int, frames: int) -> tuple[Point, ...]:
    """Return the centres of a track's boxes in the last frames, newest last."""
    boxes = (tube.boxes[index] for index in range(max(frame_index + 1 - frames, 0), frame_index + 1))
    return tuple(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in boxes if box is not None)
