"""Frames of a source, in chunks, through a stream: a GPU computes the next chunk while the host tracks this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from mmdet.engine.inference.predictor import one_behind
from mmdet.engine.inference.stream import LaunchedChunk, VideoStream
from mmdet.engine.inference.tracks import Tracks
from mmdet.errors import UserError
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.structures import ClipBatch, Size


@dataclass(slots=True)
class _Reading:
    """Frames read in chunks. What ends the reading early is kept, so that the frames before it are tracked first."""

    frames: Iterator[TimedFrame]
    size: int
    error: UserError | OSError | None = None

    def __iter__(self) -> Iterator[list[TimedFrame]]:
        at_end = False
        while not at_end and self.error is None:
            chunk: list[TimedFrame] = []
            try:
                while len(chunk) < self.size and not at_end:
                    frame = next(self.frames, None)
                    chunk += [frame] if frame else []
                    at_end = frame is None
            except (UserError, OSError) as error:
                self.error = error
            if chunk:
                yield chunk


def track_chunks(
    frames: Iterator[TimedFrame], stream: VideoStream, size: int
) -> Iterator[list[tuple[TimedFrame, Tracks]]]:
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


def _launched(reading: _Reading, stream: VideoStream) -> Iterator[tuple[list[TimedFrame], LaunchedChunk]]:
    count = 0
    for chunk in reading:
        clips = [stream.prepare(frame.image, stream.video_id, count + index) for index, frame in enumerate(chunk)]
        count += len(chunk)
        yield chunk, stream.launch(_joined(clips))


def _joined(clips: list[ClipBatch]) -> ClipBatch:
    """Join batches of one frame each, all of one size."""
    return ClipBatch(
        images=torch.cat([clip.images for clip in clips]),
        valid=torch.cat([clip.valid for clip in clips]),
        truth=None,
        metas=tuple(clip.metas[0] for clip in clips),
    )


def _tracked(chunk: list[TimedFrame], found: LaunchedChunk, stream: VideoStream) -> list[tuple[TimedFrame, Tracks]]:
    tracks = stream.track(found, [frame.time_s for frame in chunk])
    return list(zip(chunk, tracks, strict=True))


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
