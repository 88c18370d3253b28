"""Track a whole video in a loop: an iterator of its frames' tracks that knows the result when it is through."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from mmdet.engine.inference.chunks import Timed, track_chunks
from mmdet.engine.inference.given_frames import check_frame, frames_of
from mmdet.engine.inference.stream import VideoStream
from mmdet.engine.inference.tracks import Tracks
from mmdet.errors import UserError
from mmdet.fileio.sources.finding import Source, find_sources
from mmdet.fileio.sources.frame_source import FrameSource
from mmdet.fileio.sources.selection import Selection, select
from mmdet.structures import Size, VideoResult

_LISTED = 3  # videos in the error for a source of several


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Given:
    """A frame that a program gave."""

    image: np.ndarray
    time_s: float | None = None


class VideoTracking(Iterator[Tracks]):
    """The tracks of a video, frame by frame. It goes through the video once and keeps no frame but the current one.

    `video`: what `open_video` returns; `start`: starts a stream for the size of its frames
    `batch`: so many frames go through the network at once
    `source`: rate, number of frames, notes and losses of a named video; None for given frames
    """

    def __init__(
        self, video: FrameSource | Iterator[np.ndarray], start: Callable[[Size], VideoStream], batch: int = 1
    ) -> None:
        if batch < 1:
            raise UserError(f"batch={batch}: expected a number of frames of at least 1")
        self.source = None if isinstance(video, Iterator) else video
        self.stream: VideoStream | None = None
        self._start = start
        self._frame: np.ndarray | None = None
        self._tracked = self._track(_timed(video), batch)

    def __repr__(self) -> str:
        where = "given frames" if self.source is None else self.source.path or "a camera or address"
        return f"<VideoTracking of {where}, frames so far: {self.stream.num_frames if self.stream else 0}>"

    @property
    def frame(self) -> np.ndarray:
        """The picture (H, W, 3) of the tracks that came last, to draw them on. Raises UserError before the first."""
        if self._frame is None:
            raise UserError("no frame has been tracked yet: the frame is there inside of the loop over the tracks")
        return self._frame

    def __iter__(self) -> VideoTracking:
        return self

    def __next__(self) -> Tracks:
        self._frame, tracks = next(self._tracked)
        return tracks

    def close(self) -> None:
        """End the video before its end: its file, camera or connection is let go, and what was tracked stays."""
        self._tracked.close()

    def result(self) -> VideoResult:
        """Return the tracks of all frames so far. Raises UserError before the first frame."""
        if self.stream is None:
            raise UserError("no frame has been tracked yet: loop over the tracks, then ask for the result")
        return self.stream.finish()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the tracks of all frames so far as entries of a YouTube-VIS result json (docs/data.md)."""
        result = self.result()
        return result.to_json(self.stream.category_ids) if self.stream else []

    def _track(self, frames: Iterator[Timed], batch: int) -> Generator[tuple[np.ndarray, Tracks]]:
        """Yield every frame with its tracks. What ends the reading early is raised after the frames before it."""
        first = next(frames, None)
        if first is None:
            return
        check_frame(first.image, 0)  # the stream needs its size
        self.stream = self._start((first.image.shape[0], first.image.shape[1]))
        checked = _checked(chain([first], frames), self.stream.size)
        del first  # so that no frame outlives its turn
        for chunk in track_chunks(checked, self.stream, batch):
            while chunk:
                yield _picture_and_tracks(chunk.pop(0))


def open_video(source: Any, selection: Selection) -> FrameSource | Iterator[np.ndarray]:
    """Return the selected frames of a named video, or those of an iterable of arrays.

    Raises UserError for what names no video or several, and for a selection of given frames.
    """
    if isinstance(source, int):
        source = str(source)
    if isinstance(source, str | Path):
        found = find_sources([str(source)])
        if len(found) > 1:
            names = ", ".join(one.text for one in found[:_LISTED]) + (", ..." if len(found) > _LISTED else "")
            raise UserError(f"{source} names {len(found)} videos ({names}): track one after the other")
        source = found[0]
    if isinstance(source, Source):
        return select(source.open(), selection)
    if not selection.is_all:
        raise UserError(
            "start, end, stride and max_frames are for named videos: choose among given frames yourself, such as "
            "itertools.islice(frames, 0, 100, 2)"
        )
    return frames_of(source)


def _picture_and_tracks(tracked: tuple[Timed, Tracks]) -> tuple[np.ndarray, Tracks]:
    return tracked[0].image, tracked[1]


def _timed(video: FrameSource | Iterator[np.ndarray]) -> Iterator[Timed]:
    """Yield each frame with its time, None for given ones."""
    if isinstance(video, Iterator):
        return (_Given(image=frame) for frame in video)
    return iter(video)


def _checked(frames: Iterator[Timed], size: Size) -> Iterator[Timed]:
    """Yield frames of one size. Raises UserError that names the number of another one."""
    for index, frame in enumerate(frames):
        check_frame(frame.image, index, size)
        yield frame
