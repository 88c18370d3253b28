"""Collect the tracks of frames into the result of a video, frame by frame.

Masks are run-length encoded at once, so a video takes some hundred bytes per object and frame instead of its pixels
(MODEL.md 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from sys import getsizeof

import numpy as np
from torch import Tensor
from torch.nn.functional import normalize

from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import RLE, Box, FrameTracks, PerFrame, Ranking, Size, TrackTube, VideoResult
from mmdet.tracking.joining import Joining, Seen
from mmdet.tracking.running import ClassMeans


@dataclass(slots=True)
class _Sightings:
    """The frames of one object: parallel lists with one entry per frame that shows it."""

    frames: list[int] = field(default_factory=list)
    segmentations: list[RLE] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    by_class: ClassMeans = field(default_factory=ClassMeans)
    look: Tensor | None = None  # (E,): embeddings of length 1, times their scores, added up; None: nobody asks for it

    def seen(self) -> Seen:
        """Return what tracks are joined by. The look must be known."""
        assert self.look is not None
        sums = self.by_class.sums
        classes = np.bincount(self.labels).astype(np.float64) if sums is None else sums.double().numpy()
        masks = dict(zip(self.frames, self.segmentations, strict=True))
        return Seen(masks, self.look.double().numpy(), classes)


class VideoAccumulator:
    """Collects the tracks of one video whose frames have `size` (height, width).

    `ranking`: finds their classes
    `joining`: joins tracks of one object when the result is asked for; None: they stay as the stream has them
    """

    def __init__(
        self, video_id: int, size: Size, ranking: Ranking | None = None, joining: Joining | None = None
    ) -> None:
        self.video_id = video_id
        self.size, self.ranking, self.joining = size, ranking or Ranking(), joining
        self.num_frames = 0
        self._sightings: dict[int, _Sightings] = {}  # by track id, in order of first appearance

    def add(self, tracks: FrameTracks, codes: Sequence[RLE] | None = None) -> None:
        """Add the next frame, even if it shows nothing. `codes` are its masks if they are already encoded.

        Raises ValueError for masks of another size.
        """
        if tuple(tracks.masks.shape[1:]) != tuple(self.size):
            raise ValueError(
                f"video {self.video_id}, frame {self.num_frames}: masks of size {tuple(tracks.masks.shape[1:])}, "
                f"the video's is {tuple(self.size)}"
            )
        ids = tracks.track_ids.tolist()
        if len(set(ids)) != len(ids):
            raise ValueError(f"video {self.video_id}, frame {self.num_frames}: track ids occur twice: {ids}")
        rows = zip(
            ids,
            encode_masks(tracks.masks) if codes is None else codes,
            tracks.boxes.tolist(),
            tracks.labels.tolist(),
            tracks.scores.tolist(),
            [None] * len(ids) if tracks.class_scores is None else tracks.class_scores.cpu(),
            [None] * len(ids) if self.joining is None else _looks(tracks),
            strict=True,
        )
        for track_id, rle, (x1, y1, x2, y2), label, score, by_class, look in rows:
            seen = self._sightings.setdefault(track_id, _Sightings())
            seen.frames.append(self.num_frames)
            seen.segmentations.append(rle)
            seen.boxes.append((x1, y1, x2, y2))
            seen.labels.append(label)
            seen.scores.append(score)
            seen.by_class.add(by_class)
            if look is not None:
                seen.look = look + (0 if seen.look is None else seen.look)  # never the row itself, as in ClassMeans
        self.num_frames += 1

    def finish(self) -> VideoResult:
        """Return the result of the frames so far. More frames may be added afterwards."""
        return VideoResult(
            video_id=self.video_id,
            size=self.size,
            num_frames=self.num_frames,
            tubes=tuple(self._tube(track_id, seen) for track_id, seen in self._objects()),
        )

    def _objects(self) -> list[tuple[int, _Sightings]]:
        """Return the tracks, those of one object joined under the id of the first."""
        known = list(self._sightings.items())
        if self.joining is None:
            return known
        groups = self.joining.groups([own.seen() for _, own in known])
        return [(known[group[0]][0], _joined([known[place][1] for place in group])) for group in groups]

    def _tube(self, track_id: int, seen: _Sightings) -> TrackTube:
        frames, means = tuple(seen.frames), seen.by_class.means()
        tube = TrackTube(
            track_id=track_id,
            segmentations=PerFrame(self.num_frames, frames, tuple(seen.segmentations)),
            boxes=PerFrame(self.num_frames, frames, tuple(seen.boxes)),
            labels=PerFrame(self.num_frames, frames, tuple(seen.labels)),
            scores=PerFrame(self.num_frames, frames, tuple(seen.scores)),
        )
        if means is None and self.ranking == Ranking():
            return tube  # the tube itself says the same, also of a part of its frames
        classes = self.ranking.classes(
            label=tube.label, score=tube.score, seen=len(frames), num_frames=self.num_frames, means=means
        )
        return replace(tube, classes=classes)

    def held_bytes(self) -> int:
        """Return the bytes taken by codes, boxes, labels and scores, including the lists and dicts that hold them."""
        total = 0
        for seen in self._sightings.values():
            lists = (seen.frames, seen.segmentations, seen.boxes, seen.labels, seen.scores)
            total += sum(map(getsizeof, (*lists, *seen.frames, *seen.scores, *seen.boxes)))
            total += sum(
                getsizeof(rle) + getsizeof(rle["size"]) + getsizeof(rle["counts"]) for rle in seen.segmentations
            )
            total += sum(getsizeof(side) for box in seen.boxes for side in box)
        return total


def _looks(tracks: FrameTracks) -> Tensor:
    """Return what tracks look like, (N, E): embeddings of length 1, times their scores."""
    looks: Tensor = normalize(tracks.embeddings.detach().float(), dim=1) * tracks.scores[:, None]
    return looks.cpu()


def _joined(parts: Sequence[_Sightings]) -> _Sightings:
    """Return the tracks of one object as one: of several sightings in a frame the best one stands."""
    if len(parts) == 1:
        return parts[0]
    best: dict[int, tuple[float, _Sightings, int]] = {}  # by frame: score, track, place in it
    joined = _Sightings()
    for part in parts:
        for place, (frame, score) in enumerate(zip(part.frames, part.scores, strict=True)):
            if frame not in best or score > best[frame][0]:
                best[frame] = (score, part, place)
        joined.by_class.join(part.by_class)
    for frame, (score, part, place) in sorted(best.items(), key=lambda item: item[0]):
        joined.frames.append(frame)
        joined.segmentations.append(part.segmentations[place])
        joined.boxes.append(part.boxes[place])
        joined.labels.append(part.labels[place])
        joined.scores.append(score)
    return joined
