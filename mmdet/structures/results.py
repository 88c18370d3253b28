"""Finished tracks of a video as run-length encoded tubes, and their conversion to the YouTube-VIS result json and back.

A result file is `[{video_id, category_id, score, segmentations: [RLE | null x T]}]` with the data set's own ids and
compressed RLE whose counts are str (the format: docs/data.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from mmdet.structures.frames import Size
from mmdet.structures.per_frame import PerFrame, seen_values
from mmdet.structures.same_tracks import best_entries
from mmdet.structures.short_text import ShortText

Box = tuple[float, float, float, float]


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
    >>> tube = TrackTube(track_id=3, classes=((1, 0.5), (2, 0.25)), **seen)
    >>> tube.label, tube.score
    (1, 0.5)
    """

    track_id: int
    segmentations: Sequence[RLE | None]  # a PerFrame, or a tuple
    boxes: Sequence[Box | None]  # xyxy, original pixels
    labels: Sequence[int | None]  # 0-based
    scores: Sequence[float | None]
    # What the track may be: labels and scores of the whole track, best first. None: the most frequent label of its
    # frames, of equal ones the smallest, with the mean of their scores (MODEL.md 8).
    classes: tuple[tuple[int, float], ...] | None = field(default=None, repr=False)

    @property
    def score(self) -> float:
        """Score of the track as its best class: what it is shown with, and what thresholds look at."""
        if self.classes is not None:
            return self.classes[0][1]
        seen = seen_values(self.scores)
        return sum(seen) / len(seen)

    @property
    def label(self) -> int:
        """Best class of the track: the one that it is shown as."""
        if self.classes is not None:
            return self.classes[0][0]
        counts = Counter(seen_values(self.labels))
        return min(counts, key=lambda label: (-counts[label], label))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What the frames of a track say of the whole: one rule for streams, results and pictures.

    A track is of the class with the best mean score over the frames that show it, and that mean is its score; where a
    model gives no scores of classes, of the most frequent label, and its score is the mean of its frames (MODEL.md 8).

    `label_share`: in results, whose order decides average precision, a track also counts as each class whose mean score
        is at least this share of the best; 0: as its best alone
    `sure_after`: frames that a track needs for its full score; shorter ones get their share of it. Videos of fewer
        frames need no more than they have

    >>> ranking = Ranking(label_share=0.5, sure_after=4)
    >>> ranking.classes(label=0, score=0.9, seen=2, num_frames=10, means=(0.5, 0.8))
    ((1, 0.4), (0, 0.25))
    >>> ranking.classes(label=0, score=0.9, seen=2, num_frames=2)
    ((0, 0.9),)
    """

    label_share: float = 0.0
    sure_after: int = 1

    def classes(
        self, *, label: int, score: float, seen: int, num_frames: int, means: Sequence[float] | None = None
    ) -> tuple[tuple[int, float], ...]:
        """Return labels and scores of a track, the best first.

        `label`, `score`: the most frequent label of its frames and the mean of their scores
        `seen`, `num_frames`: frames that show it, and frames of the video
        `means`: the mean score of every class, where the model gives them
        """
        share = min(1.0, seen / min(self.sure_after, num_frames))
        if means is None:
            return ((label, score * share),)
        labels = sorted(range(len(means)), key=lambda label: -means[label])
        best, others = labels[0], labels[1:] if self.label_share else []
        least = self.label_share * means[best]
        return tuple((own, means[own] * share) for own in (best, *others) if own == best or means[own] >= least)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VideoResult(ShortText):
    """All tracks of one video, in order of first appearance."""

    video_id: int
    size: Size
    num_frames: int
    tubes: tuple[TrackTube, ...]
    bad_frames: tuple[str, ...] = ()  # why frames could not be read; they have no tracks

    def to_json(self, category_ids: Sequence[int], with_boxes: bool = False) -> list[dict[str, Any]]:
        """Return the entries of the result json; label i is written as `category_ids[i]`.

        `with_boxes` adds `detections` (xyxy per frame) and `cats` (0-based label per frame).
        """
        return [
            {key: list(value) if isinstance(value, Sequence) else value for key, value in entry.items()}
            for entry in self.entries(category_ids, with_boxes)
        ]

    def entries(self, category_ids: Sequence[int], with_boxes: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the entries of `to_json`, with per-frame values as in the tubes: each may be a PerFrame.

        A track has an entry for each of its classes, all with the same masks.
        """
        ranked = [(tube, *own) for tube in self.tubes for own in tube.classes or ((tube.label, tube.score),)]
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

        Entries with the same masks are one track (`best_entries`), and track ids count the tracks. Every seen frame has
        the track's score and, without `cats`, its label; without `detections` there are no boxes. Entries without a
        mask are left out.
        """
        labels = {category_id: label for label, category_id in enumerate(category_ids)}
        own: dict[int, list[tuple[int, float]]] = {}  # by the position of a track's best entry, in file order
        for entry, best in zip(entries, best_entries(entries), strict=True):
            own.setdefault(best, []).append((labels[entry["category_id"]], float(entry["score"])))
        tubes = (
            _tube(track_id, entries[best], num_frames, tuple(sorted(classes, key=lambda written: -written[1])))
            for track_id, (best, classes) in enumerate(own.items())
            if any(mask is not None for mask in entries[best]["segmentations"])
        )
        return VideoResult(video_id=video_id, size=size, num_frames=num_frames, tubes=tuple(tubes))


def _tube(
    track_id: int, entry: Mapping[str, Any], num_frames: int, classes: tuple[tuple[int, float], ...]
) -> TrackTube:
    """Return the track of an entry that has a mask."""
    label, score = classes[0]
    frames = tuple(frame for frame, mask in enumerate(entry["segmentations"]) if mask is not None)
    cats, boxes = (entry.get(key) or [None] * num_frames for key in ("cats", "detections"))
    boxed = tuple(frame for frame in frames if boxes[frame] is not None)
    return TrackTube(
        track_id=track_id,
        segmentations=PerFrame(num_frames, frames, tuple(entry["segmentations"][frame] for frame in frames)),
        boxes=PerFrame(num_frames, boxed, tuple(tuple(boxes[frame]) for frame in boxed)),
        labels=PerFrame(num_frames, frames, tuple(label if cats[f] is None else cats[f] for f in frames)),
        scores=PerFrame(num_frames, frames, (score,) * len(frames)),
        classes=classes,
    )


def results_to_json(
    results: Iterable[VideoResult], category_ids: Sequence[int], with_boxes: bool = False
) -> list[dict[str, Any]]:
    """Return the result entries of a data set, with per-frame values as in the tubes (`VideoResult.entries`)."""
    return [entry for result in results for entry in result.entries(category_ids, with_boxes)]


def _as_lists(boxes: Sequence[Box | None]) -> Sequence[list[float] | None]:
    if isinstance(boxes, PerFrame):
        return PerFrame(boxes.length, boxes.frames, tuple(list(box) for box in boxes.values))
    return [None if box is None else list(box) for box in boxes]
