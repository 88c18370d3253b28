"""Finished tracks of a video as run-length encoded tubes, and their conversion to the YouTube-VIS result json and back.

A result file is `[{video_id, category_id, score, segmentations: [RLE | null x T]}]` with the data set's own ids and
compressed RLE whose counts are str (the format: docs/data.md).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar, overload

from mmdet.structures.frames import Size
from mmdet.structures.short_text import ShortText

Box = tuple[float, float, float, float]


Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PerFrame(ShortText, Sequence[Value | None]):
    """One value per frame for `length` frames, None in most: only the others take memory."""

    length: int
    frames: tuple[int, ...]  # those with a value, ascending
    values: tuple[Value, ...]  # parallel to `frames`

    def __repr__(self) -> str:
        return f"<values in {len(self.frames)} of {self.length} frames>"

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Value | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value | None]: ...
    def __getitem__(self, index: int | slice) -> Value | None | Sequence[Value | None]:
        if isinstance(index, slice):
            return self.spread()[index]
        frame = range(self.length)[index]
        place = bisect_left(self.frames, frame)
        return self.values[place] if place < len(self.frames) and self.frames[place] == frame else None

    def __iter__(self) -> Iterator[Value | None]:
        return iter(self.spread())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(other) == self.length and all(own == theirs for own, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def spread(self) -> list[Value | None]:
        """Return all values, with None in the frames between them."""
        spread: list[Value | None] = [None] * self.length
        for frame, value in zip(self.frames, self.values, strict=True):
            spread[frame] = value
        return spread


def seen_values(values: Sequence[Value | None]) -> Sequence[Value]:
    """Return the values that are not None, in order."""
    return values.values if isinstance(values, PerFrame) else [value for value in values if value is not None]


class RLE(TypedDict):
    """A compressed COCO run-length encoding."""

    size: list[int]  # [height, width]
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TrackTube(ShortText):
    """One object through a video; every sequence has one entry per frame of the video, None if it was not seen.

    >>> seen = {"segmentations": (), "boxes": (), "labels": (None, 2, 1, 2), "scores": (None, 0.5, 0.75, 1.0)}
    >>> tube = TrackTube(track_id=3, **seen)
    >>> tube.label, tube.score
    (2, 0.75)
    """

    track_id: int
    segmentations: Sequence[RLE | None]  # a PerFrame, or a tuple
    boxes: Sequence[Box | None]  # xyxy, original pixels
    labels: Sequence[int | None]  # 0-based
    scores: Sequence[float | None]
    # mean score of every class, where the model gives them
    class_scores: tuple[float, ...] | None = field(default=None, repr=False)

    @property
    def score(self) -> float:
        """Mean of the scores of the frames that show the object (MODEL.md 8)."""
        seen = seen_values(self.scores)
        return sum(seen) / len(seen)

    @property
    def label(self) -> int:
        """The most frequent label, of equal ones the smallest (MODEL.md 8)."""
        counts = Counter(seen_values(self.labels))
        return min(counts, key=lambda label: (-counts[label], label))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How tracks are written as results, whose order decides average precision; by default as they are.

    `label_share`: a track counts as each class whose mean score is at least this share of its best; 0, or without
        scores of classes: as its own alone
    `sure_after`: frames that a track needs for its full score; shorter ones get their share of it

    >>> seen = {"segmentations": (), "boxes": (), "labels": (1, 1), "scores": (0.8, 0.8)}
    >>> tube = TrackTube(track_id=0, class_scores=(0.5, 0.8), **seen)
    >>> Ranking(label_share=0.5, sure_after=4).of(tube)
    [(1, 0.4), (0, 0.25)]
    """

    label_share: float = 0.0
    sure_after: int = 1

    def of(self, tube: TrackTube) -> list[tuple[int, float]]:
        """Return the labels and scores that a track is written with, the best first."""
        means = tube.class_scores
        length = min(1.0, len(seen_values(tube.scores)) / self.sure_after)
        if not self.label_share or means is None:
            return [(tube.label, tube.score * length)]
        best = max(means)
        labels = sorted(range(len(means)), key=lambda label: -means[label])
        return [(label, means[label] * length) for label in labels if means[label] >= self.label_share * best]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VideoResult(ShortText):
    """All tracks of one video, in order of first appearance."""

    video_id: int
    size: Size
    num_frames: int
    tubes: tuple[TrackTube, ...]
    bad_frames: tuple[str, ...] = ()  # why frames could not be read; they have no tracks
    ranking: Ranking = field(default=Ranking(), repr=False)

    def to_json(self, category_ids: Sequence[int], with_boxes: bool = False) -> list[dict[str, Any]]:
        """Return the entries of the result json; label i is written as `category_ids[i]`.

        `with_boxes` adds `detections` (xyxy per frame) and `cats` (0-based label per frame).
        """
        return [
            {key: list(value) if isinstance(value, Sequence) else value for key, value in entry.items()}
            for entry in self.entries(category_ids, with_boxes)
        ]

    def entries(self, category_ids: Sequence[int], with_boxes: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the entries of `to_json`, with per-frame values as in the tubes: each may be a PerFrame."""
        ranked = [(tube, *written) for tube in self.tubes for written in self.ranking.of(tube)]
        for tube, label, score in ranked:
            entry: dict[str, Any] = {
                "video_id": self.video_id,
                "score": score,
                "category_id": category_ids[label],
                "segmentations": tube.segmentations,
            }
            if with_boxes:
                entry["detections"] = _as_lists(tube.boxes)
                entry["cats"] = tube.labels
            yield entry

    @staticmethod
    def from_json(
        entries: Sequence[dict[str, Any]], video_id: int, size: Size, num_frames: int, category_ids: Sequence[int]
    ) -> VideoResult:
        """Rebuild a video's result from valid entries of a result json; missing values are filled in.

        Track ids count the entries. Every seen frame has the track's score and, without `cats`, its label; without
        `detections` there are no boxes. Entries without a mask are left out.
        """
        tubes = []
        labels = {category_id: label for label, category_id in enumerate(category_ids)}
        for track_id, entry in enumerate(entries):
            frames = tuple(frame for frame, mask in enumerate(entry["segmentations"]) if mask is not None)
            if not frames:
                continue
            cats, boxes = (entry.get(key) or [None] * num_frames for key in ("cats", "detections"))
            own_label = labels[entry["category_id"]]
            boxed = tuple(frame for frame in frames if boxes[frame] is not None)
            tubes.append(
                TrackTube(
                    track_id=track_id,
                    segmentations=PerFrame(num_frames, frames, tuple(entry["segmentations"][f] for f in frames)),
                    boxes=PerFrame(num_frames, boxed, tuple(tuple(boxes[frame]) for frame in boxed)),
                    labels=PerFrame(
                        num_frames, frames, tuple(own_label if cats[f] is None else cats[f] for f in frames)
                    ),
                    scores=PerFrame(num_frames, frames, (float(entry["score"]),) * len(frames)),
                )
            )
        return VideoResult(video_id=video_id, size=size, num_frames=num_frames, tubes=tuple(tubes))


def results_to_json(
    results: Iterable[VideoResult], category_ids: Sequence[int], with_boxes: bool = False
) -> list[dict[str, Any]]:
    """Return the result entries of a data set, with per-frame values as in the tubes (`VideoResult.entries`)."""
    return [entry for result in results for entry in result.entries(category_ids, with_boxes)]


def _as_lists(boxes: Sequence[Box | None]) -> Sequence[list[float] | None]:
    if isinstance(boxes, PerFrame):
        return PerFrame(boxes.length, boxes.frames, tuple(list(box) for box in boxes.values))
    return [None if box is None else list(box) for box in boxes]
