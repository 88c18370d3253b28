"""Decode video files with PyAV (FFmpeg): frame after frame, complete, upright, in RGB, with their times.

Damaged packets are skipped and counted; interlaced pictures are deinterlaced; memory does not grow with the video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from mmdet.errors import UserError
from mmdet.fileio.pictures.containers import open_container
from mmdet.fileio.pictures.video_faults import why_no_video
from mmdet.fileio.pictures.video_pictures import Upright, progressive
from mmdet.fileio.pictures.video_streams import (
    length_of,
    main_stream,
    other_streams,
    rate_of,
    tell_damage,
)
from mmdet.structures.short_text import ShortText

# Formats that contain the video themselves, as opposed to playlists and name patterns, which open other files.
VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,ogg,mxf,dv,h264,hevc,obu,ivf,m4v,"
    "mjpeg,rm,nut,yuv4mpegpipe,wtv,gxf,nsv,vc1,cavsvideo,h261,h263,swf,dirac,vvc"
)
_MARGIN_S = 2.0  # decoded before a place in the middle, so that nothing of the way there is seen
_CHECKED_FRAMES = 25  # behind a place where decoding may begin


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TimedFrame(ShortText):
    """A frame (H, W, 3) uint8 RGB, its time in seconds since the first frame, and its name in errors."""

    image: np.ndarray
    time_s: float
    name: str


def open_video(path: Path) -> VideoFile:
    """Open a video file. Raises UserError with the reason if it cannot be opened or has no picture."""
    options = {"format_whitelist": VIDEO_FORMATS, "protocol_whitelist": "file"}
    try:
        # an absolute name, because FFmpeg takes text before a colon for a protocol
        container = open_container(str(path.absolute()), options=options)
    except (FFmpegError, OSError, ValueError) as error:
        raise UserError(why_no_video(path, error)) from error
    return VideoFile(container, str(path), path)


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyFrame:
    """A frame that becomes a picture when it is asked for, so that frames which nobody uses cost little."""

    picture: Callable[[], np.ndarray]
    time_s: float
    name: str

    def read(self) -> TimedFrame:
        """Return the frame with its picture."""
        return TimedFrame(image=self.picture(), time_s=self.time_s, name=self.name)


class VideoFile:
    """The frames of the main picture stream of a video that is open. They can be read once.

    `name` stands for the video in messages; `path` is that of a local file. Raises UserError if it has no picture.
    """

    def __init__(self, container: InputContainer, name: str, path: Path | None = None) -> None:
        self._container, self._name, self.path = container, name, path
        self._stream = main_stream(self._container, name)
        self._stream.thread_type = "SLICE"  # threads that decode whole frames lose more frames near a damaged one
        tell_damage(self._stream)
        self.notes = other_streams(self._container, self._stream, name)
        self.rate = rate_of(self._stream)
        self._times = _Times(self.rate)
        self._stated = self._stream.frames
        self._length_s, self._slack_s = length_of(self._container, self._stream, self.rate)
        self._at_end = self._has_skipped = False
        self._num_read = self._num_hidden = 0
        self._num_broken = self._num_marked = self._num_partial = 0  # packets, packets, frames

    def __iter__(self) -> Iterator[TimedFrame]:
        return (frame.read() for frame in self.lazy())

    def lazy(self) -> Iterator[LazyFrame]:
        """Yield the frames as they are decoded. They are read in this order, if at all."""
        upright = Upright()
        with self._container:
            for frame in progressive(self._decoded()):
                time_s = self._times.time_of(frame)
                place = f"at {time_s:.3f} s" if self._has_skipped else f"frame {self._num_read}"
                self._num_read += 1
                self._num_partial += frame.is_corrupt
                yield LazyFrame(picture=partial(upright, frame), time_s=time_s, name=f"{self._name}, {place}")
        self._at_end = True
        if self._num_read == 0:
            codec = self._stream.codec_context.name
            raise UserError(f"{self._name}: no frame of its {codec} stream can be decoded; copy it anew or convert it")

    def skip_to(self, time_s: float) -> None:
        """Leave out frames from the start on, as many as can be found to end a while before `time_s`, undecoded.

        To be called before the frames are read. Where the file gives no sure places to begin, nothing is left out.
        """
        if self.path is None:
            return
        with suppress(UserError, FFmpegError, OSError):
            other = open_video(self.path)
            first_s = next(other._decoded()).time
            if first_s is not None and other._begins_well(first_s + time_s - _MARGIN_S):
                self._container.close()
                self._container, self._stream = other._container, other._stream
                self._times.begin(first_s)
                self._has_skipped = True

    @property
    def promised(self) -> int | None:
        """Number of frames that the file states or that follows from the stated length; None without either."""
        if self._stated:
            return self._stated - self._num_hidden
        if self._length_s is None:
            return None
        if not self._at_end or self._has_skipped:
            return round(self._length_s * self.rate)  # a guess if the rate varies
        return round(self._num_read * self._length_s / self._times.file_end_s) if self._is_short else self._num_read

    @property
    def loss(self) -> str | None:
        """What could not be read of the video; None if nothing is missing. Frames are only missing at its end."""
        promised = self.promised
        short = self._at_end and self._is_short
        num_partial = max(self._num_partial, self._num_marked)
        if not (short or self._num_broken or num_partial):
            return None
        whole = f" of {'' if self._stated else 'about '}{promised}" if short and not self._has_skipped else ""
        skipped = f" ({self._num_broken} damaged packets skipped)" if self._num_broken else ""
        partial = f", {num_partial} of them damaged in part" if num_partial else ""
        return f"{self._name}: {self._num_read}{whole} frames read{skipped}{partial}; the file is damaged or cut off"

    @property
    def _is_short(self) -> bool:
        if self._stated and not self._has_skipped:
            return self._num_read < self._stated - self._num_hidden
        return self._length_s is not None and self._times.file_end_s < self._length_s - self._slack_s

    def _begins_well(self, own_s: float) -> bool:
        """Go to the key frame before a time of the file's clock; return whether frames from there are sure to be right.

        It is if the frames have times of their own, in order, from before `own_s` on, and none is damaged.
        """
        self._seek(own_s)
        frames = list(islice(self._decoded(), _CHECKED_FRAMES))
        self._seek(own_s)
        times = [frame.time for frame in frames if frame.time is not None]
        ordered = all(later > earlier for earlier, later in pairwise(times))
        sure = len(times) == len(frames) and not any(frame.is_corrupt for frame in frames)
        return bool(times) and times[0] <= own_s and ordered and sure

    def _seek(self, own_s: float) -> None:
        self._container.seek(round(own_s / (self._stream.time_base or 1)), stream=self._stream)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            self._num_hidden += packet.is_discard  # an edit list hides it
            self._num_marked += packet.is_corrupt  # the container noticed damage
            try:
                frames = packet.decode()
            except FFmpegError:
                self._num_broken += 1
                continue
            yield from (frame for frame in frames if isinstance(frame, av.VideoFrame))

    def _packets(self) -> Iterator[Any]:
        """Yield the packets; skip places that cannot be read."""
        got_any = True
        while got_any:
            got_any = False
            try:
                for packet in self._container.demux(self._stream):
                    got_any = True
                    yield packet
                return
            except FFmpegError:
                self._num_broken += 1


class _Times:
    """Times of frames in seconds since the first.

    A frame without a time, or with one not after the last, follows the rate.
    """

    def __init__(self, rate: Fraction) -> None:
        self._step = float(1 / rate)
        self._first: float | None = None
        self._last = -self._step
        self._shown = self._step  # how long the last frame is shown

    def begin(self, first_s: float) -> None:
        """Say which time the first frame has by the file's clock, where it was left out."""
        self._first = first_s

    @property
    def file_end_s(self) -> float:
        """When the last frame ends by the file's clock, which may start before the first frame."""
        return self._last + self._shown + max(self._first or 0, 0)

    def time_of(self, frame: av.VideoFrame) -> float:
        """Return the time of the next frame."""
        own = frame.time
        if own is not None and self._first is None:
            self._first = own - (self._last + self._step)
        time = self._last + self._step if own is None or self._first is None else own - self._first
        self._last = time if time > self._last else self._last + self._step
        self._shown = max(self._step, float(frame.duration * (frame.time_base or 0)))
        return self._last
