"""Where the tracks of a video were in its last frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmdet.visualization.scene import Point


class Trails:
    """The centres of tracks in the last frames; what is older is forgotten, so memory stays constant.

    `frames`: how many frames back it remembers
    """

    def __init__(self, frames: int = 30) -> None:
        self.frames = frames
        self._index = 0
        self._points: dict[int, list[tuple[int, Point]]] = {}

    def update(self, track_ids: Iterable[int], boxes: Iterable[Sequence[float]]) -> None:
        """Take the tracks of the next frame: ids, and boxes xyxy parallel to them; tensors, too."""
        self._index += 1
        for track_id, (x1, y1, x2, y2) in zip(track_ids, boxes, strict=True):
            point = (float(x1 + x2) / 2, float(y1 + y2) / 2)
            self._points.setdefault(int(track_id), []).append((self._index, point))
        oldest = self._index - self.frames
        kept = {key: [entry for entry in entries if entry[0] > oldest] for key, entries in self._points.items()}
        self._points = {key: entries for key, entries in kept.items() if entries}

    def of(self, track_id: int) -> tuple[Point, ...]:
        """Return the points (x, y) of a track, newest last; none of a track that was not seen of late."""
        return tuple(point for _, point in self._points.get(track_id, []))
