"""Finished tracks of a video as run-length encoded tubes, and their way to the YouTube-VIS result json and back.

A result file is `[{video_id, category_id, score, segmentations: [RLE | null x T]}]` with the data set's own ids and
compressed RLE whose counts are str (the format: docs/data.md). Knows nothing of frames in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from mmdet.structures.frames import Size

Box = tuple[float, float, float, float]


class RLE(TypedDict):
    """A compressed COCO run-length encoding."""

    size: list[int]  # [height, width]
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackTube:
    """One object through a video; every sequence has one entry a frame of the video, None where it was not seen."""

    track_id: int
    segmentations: tuple[RLE | None, ...]
    boxes: tuple[Box | None, ...]  # xyxy, original pixels
    labels: tuple[int | None, ...]  # 0-based
    scores: tuple[float | None, ...]

    @property
    def score(self) -> float:
        """Mean of the scores of the frames that show the object (MODEL.md 8)."""
        seen = [score for score in self.scores if score is not None]
        return sum(seen) / len(seen)

    @property
    def label(self) -> int:
        """Majority of the labels, of equal ones the smallest (MODEL.md 8)."""
        counts = Counter(label for label in self.labels if label is not None)
        return min(counts, key=lambda label: (-counts[label], label))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """All tracks of one video, in order of first appearance."""

    video_id: int
    size: Size
    num_frames: int
    tubes: tuple[TrackTube, ...]

    def to_json(self, category_ids: Sequence[int], with_boxes: bool = False) -> list[dict[str, Any]]:
        """Return the entries of the result json; label i is written as `category_ids[i]`.

        `with_boxes` adds `detections` (xyxy per frame) and `cats` (0-based label per frame).
        """
        entries: list[dict[str, Any]] = []
        for tube in self.tubes:
            entry: dict[str, Any] = {
                "video_id": self.video_id,
                "score": tube.score,
                "category_id": category_ids[tube.label],
                "segmentations": list(tube.segmentations),
            }
            if with_boxes:
                entry["detections"] = [None if box is None else list(box) for box in tube.boxes]
                entry["cats"] = list(tube.labels)
            entries.append(entry)
        return entries

    @staticmethod
    def from_json(
        entries: Sequence[dict[str, Any]], video_id: int, size: Size, num_frames: int, category_ids: Sequence[int]
    ) -> VideoResult:
        """Rebuild a video's result from its entries of a result json; what the json leaves out is filled in.

        Track ids count the entries, every seen frame has the track's score and, without `cats`, its label; without
        `detections` there are no boxes.
        """
        tubes = []
        for track_id, entry in enumerate(entries):
            seen = [segmentation is not None for segmentation in entry["segmentations"]]
            label = list(category_ids).index(entry["category_id"])
            boxes = entry.get("detections") or [None] * len(seen)
            tubes.append(
                TrackTube(
                    track_id=track_id,
                    segmentations=tuple(entry["segmentations"]),
                    boxes=tuple(None if box is None else tuple(box) for box in boxes),
                    labels=tuple(entry.get("cats") or [label if here else None for here in seen]),
                    scores=tuple(entry["score"] if here else None for here in seen),
                )
            )
        return VideoResult(video_id=video_id, size=size, num_frames=num_frames, tubes=tuple(tubes))


def results_to_json(
    results: Iterable[VideoResult], category_ids: Sequence[int], with_boxes: bool = False
) -> list[dict[str, Any]]:
    """Return the result json of a data set."""
    return [entry for result in results for entry in result.to_json(category_ids, with_boxes)]
