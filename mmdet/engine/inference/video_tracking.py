"""Track a whole video in a loop: an iterator of its frames' tracks that knows the result when it is through."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from mmdet.engine.inference.given_frames import check_frame
from mmdet.engine.inference.stream import VideoStream
from mmdet.engine.inference.tracks import Tracks
from mmdet.errors import UserError
from mmdet.structures import Size, VideoResult

Timed = tuple[np.ndarray, float | None]  # a frame (H, W, 3) uint8 RGB and its time


class VideoTracking(Iterator[Tracks]):
    """The tracks of a video, frame by frame. It goes through the video once and keeps no frame but the current one.

    `frames`: the frames with their times; `start`: starts a stream for their size
    `batch`: so many frames go through the network at once
    """

    def __init__(self, frames: Iterator[Timed], start: Callable[[Size], VideoStream], batch: int = 1) -> None:
        if batch < 1:
            raise UserError(f"batch={batch}: expected a number of frames of at least 1")
        self.stream: VideoStream | None = None
        self._frames, self._start, self._batch = frames, start, batch
        self._frame: np.ndarray | None = None
        self._ready: deque[tuple[np.ndarray, Tracks]] = deque()

    @property
    def frame(self) -> np.ndarray:
        """The picture (H, W, 3) of the tracks that came last, to draw them on. Raises UserError before the first."""
        if self._frame is None:
            raise UserError("no frame has been tracked yet: the frame is there inside of the loop over the tracks")
        return self._frame

    def __iter__(self) -> VideoTracking:
        return self

    def __next__(self) -> Tracks:
        if not self._ready:
            self._track_next()
        self._frame, tracks = self._ready.popleft()
        return tracks

    def result(self) -> VideoResult:
        """Return the tracks of all frames so far. Raises UserError before the first frame."""
        if self.stream is None:
            raise UserError("no frame has been tracked yet: loop over the tracks, then ask for the result")
        return self.stream.finish()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the tracks of all frames so far as entries of a YouTube-VIS result json (docs/data.md)."""
        result = self.result()
        return result.to_json(self.stream.category_ids) if self.stream else []

    def _track_next(self) -> None:
        taken = list(islice(self._frames, self._batch))
        if not taken:
            raise StopIteration
        frames, times_s = zip(*taken, strict=True)
        if self.stream is None:
            check_frame(frames[0], 0)
            self.stream = self._start(frames[0].shape[:2])
        self._ready.extend(zip(frames, self.stream.push_frames(frames, times_s), strict=True))
