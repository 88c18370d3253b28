"""Frames of a source, in chunks, through a stream: a GPU computes the next chunk while the host tracks this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from mmdet.engine.inference.stream import LaunchedChunk, VideoStream
from mmdet.engine.inference.tracks import Tracks
from mmdet.errors import UserError
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.structures import ClipBatch, Size


class Timed(Protocol):
    """A frame with its time, such as `TimedFrame`."""

    @property
    def image(self) -> np.ndarray:
        """The picture (H, W, 3) uint8 RGB."""
        ...

    @property
    def time_s(self) -> float | None:
        """Its time in seconds, None if it is not known."""
        ...


Item = TypeVar("Item")
Frame = TypeVar("Frame", bound=Timed)


@dataclass(slots=True)
class _Reading(Generic[Frame]):
    """Frames read in chunks. What ends the reading early is kept, so that the frames before it are tracked first."""

    frames: Iterator[Frame]
    size: int
    error: UserError | OSError | None = None

    def __iter__(self) -> Iterator[list[Frame]]:
        at_end = False
        while not at_end and self.error is None:
            chunk: list[Frame] = []
            try:
                while len(chunk) < self.size and not at_end:
                    frame = next(self.frames, None)
                    chunk += [frame] if frame else []
                    at_end = frame is None
            except (UserError, OSError) as error:
                self.error = error
            if chunk:
                yield chunk


def track_chunks(frames: Iterator[Frame], stream: VideoStream, size: int) -> Iterator[list[tuple[Frame, Tracks]]]:
    """Yield the frames with their tracks, in chunks of `size` frames.

    Raises what the source raises, after the frames before it.
    """
    reading = _Reading(frames, size)
    if size == 1:
        for (frame,) in reading:
            yield [(frame, stream.push(frame.image, frame.time_s))]
    else:
        launched = _launched(reading, stream)
        on_gpu = stream.detector.device.type == "cuda"
        for chunk, found in one_behind(launched) if on_gpu else launched:
            yield _tracked(chunk, found, stream)
    if reading.error:
        raise reading.error


def _launched(reading: _Reading[Frame], stream: VideoStream) -> Iterator[tuple[list[Frame], LaunchedChunk]]:
    count = 0
    for chunk in reading:
        clips = [stream.prepare(frame.image, stream.video_id, count + index) for index, frame in enumerate(chunk)]
        count += len(chunk)
        yield chunk, stream.launch(ClipBatch.join(clips))


def _tracked(chunk: list[Frame], found: LaunchedChunk, stream: VideoStream) -> list[tuple[Frame, Tracks]]:
    tracks = stream.track(found, [frame.time_s for frame in chunk])
    return list(zip(chunk, tracks, strict=True))


def one_behind(items: Iterable[Item]) -> Iterator[Item]:
    """Yield every item once the next one has arrived."""
    waiting: list[Item] = []
    for item in items:
        waiting.append(item)
        del item
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting


def fitted(frames: Iterator[TimedFrame], size: Size, resize: bool) -> Iterator[TimedFrame]:
    """Yield the frames at the video's size. They are resized only if the user asked for that, else refused."""
    for frame in frames:
        height, width = frame.image.shape[:2]
        if (height, width) == size:
            yield frame
            continue
        if not resize:
            raise UserError(
                f"{frame.name} is {width}x{height}, the first frame {size[1]}x{size[0]}: give all the same size, or "
                "use --resize-to-first"
            )
        interpolation = cv2.INTER_AREA if height * width > size[0] * size[1] else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(frame.image, (size[1], size[0]), interpolation=interpolation))
        yield replace(frame, image=image)
