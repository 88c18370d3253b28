"""Collect the tracks of frames into the result of a video, frame by frame.

Masks are run-length encoded at once, so a video takes some hundred bytes per object and frame instead of its pixels
(MODEL.md 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import getsizeof

from torch import Tensor

from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import RLE, Box, FrameTracks, PerFrame, Ranking, Size, TrackTube, VideoResult


@dataclass(slots=True)
class _Sightings:
    """The frames of one object: parallel lists with one entry per frame that shows it."""

    frames: list[int] = field(default_factory=list)
    segmentations: list[RLE] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    class_sums: Tensor | None = None  # (K,): scores of every class, added up over frames

    def class_means(self) -> tuple[float, ...] | None:
        """Return the mean score of every class, None where the model gives none."""
        return None if self.class_sums is None else tuple((self.class_sums / len(self.frames)).tolist())


class VideoAccumulator:
    """Collects the tracks of one video whose frames have `size` (height, width); `ranking` is passed to the result."""

    def __init__(self, video_id: int, size: Size, ranking: Ranking | None = None) -> None:
        self.video_id = video_id
        self.size, self.ranking = size, ranking or Ranking()
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
            strict=True,
        )
        for track_id, rle, (x1, y1, x2, y2), label, score, by_class in rows:
            seen = self._sightings.setdefault(track_id, _Sightings())
            seen.frames.append(self.num_frames)
            seen.segmentations.append(rle)
            seen.boxes.append((x1, y1, x2, y2))
            seen.labels.append(label)
            seen.scores.append(score)
            if by_class is not None:
                # never the row itself: it would hold its whole chunk in memory
                seen.class_sums = by_class + (0 if seen.class_sums is None else seen.class_sums)
        self.num_frames += 1

    def finish(self) -> VideoResult:
        """Return the result of the frames so far. More frames may be added afterwards."""
        tubes = tuple(
            TrackTube(
                track_id=track_id,
                segmentations=PerFrame(self.num_frames, frames, tuple(seen.segmentations)),
                boxes=PerFrame(self.num_frames, frames, tuple(seen.boxes)),
                labels=PerFrame(self.num_frames, frames, tuple(seen.labels)),
                scores=PerFrame(self.num_frames, frames, tuple(seen.scores)),
                class_scores=seen.class_means(),
            )
            for track_id, seen in self._sightings.items()
            for frames in (tuple(seen.frames),)
        )
        return VideoResult(
            video_id=self.video_id, size=self.size, num_frames=self.num_frames, tubes=tubes, ranking=self.ranking
        )

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
