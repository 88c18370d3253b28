"""Decode video files with PyAV (FFmpeg): frame after frame, complete, upright, in RGB, with their times.

Damaged packets are skipped and counted; interlaced pictures are deinterlaced; memory does not grow with the video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.video.reformatter import Colorspace

from mmdet.errors import UserError
from mmdet.fileio.pictures.image_decoding import turned
from mmdet.fileio.pictures.video_faults import why_no_video
from mmdet.fileio.pictures.video_streams import (
    DEFAULT_RATE,
    length_of,
    main_stream,
    other_streams,
    rate_of,
    tell_damage,
)

# Formats that contain the video themselves, as opposed to playlists and name patterns, which open other files.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,ogg,mxf,dv,h264,hevc,obu,ivf,m4v,"
    "mjpeg,rm,nut,yuv4mpegpipe,wtv,gxf,nsv,vc1,cavsvideo,h261,h263,swf,dirac,vvc"
)
_HD_LINES = 720  # video of at least this height that does not state its colours is BT.709, below it BT.601
_UNSPECIFIED = 2  # code of an unknown colour space (ITU-T H.273)
_MATRIX = np.dtype(np.int32)  # the display matrix: 3 x 3 numbers, row by row


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedFrame:
    """A frame (H, W, 3) uint8 RGB, its time in seconds since the first frame, and its name in errors."""

    image: np.ndarray
    time_s: float
    name: str


class VideoFile:
    """The frames of a video file's main picture stream. They can be read once.

    Raises UserError with the reason if the file cannot be opened or has no picture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container = _open(path)
        self._stream = main_stream(self._container, path)
        self._stream.thread_type = "SLICE"  # threads that decode whole frames lose more frames near a damaged one
        tell_damage(self._stream)
        self.notes = other_streams(self._container, self._stream, path)
        self.rate = rate_of(self._stream)
        self._times = _Times(self.rate)
        self._stated = self._stream.frames
        self._length_s, self._slack_s = length_of(self._container, self._stream, self.rate)
        self._at_end = False
        self._num_read = self._num_hidden = 0
        self._num_broken = self._num_marked = self._num_partial = 0  # packets, packets, frames

    def __iter__(self) -> Iterator[TimedFrame]:
        upright = _Upright()
        with self._container:
            for frame in _progressive(self._decoded()):
                name = f"{self.path}, frame {self._num_read}"
                self._num_read += 1
                self._num_partial += frame.is_corrupt
                yield TimedFrame(image=upright(_rgb(frame), frame), time_s=self._times.time_of(frame), name=name)
        self._at_end = True
        if self._num_read == 0:
            codec = self._stream.codec_context.name
            raise UserError(f"{self.path}: no frame of its {codec} stream can be decoded; copy it anew or convert it")

    @property
    def promised(self) -> int | None:
        """Number of frames that the file states or that follows from the stated length; None without either."""
        if self._stated:
            return self._stated - self._num_hidden
        if self._length_s is None:
            return None
        if not self._at_end:
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
        whole = f" of {'' if self._stated else 'about '}{promised}" if short else ""
        skipped = f" ({self._num_broken} damaged packets skipped)" if self._num_broken else ""
        partial = f", {num_partial} of them damaged in part" if num_partial else ""
        return f"{self.path}: {self._num_read}{whole} frames read{skipped}{partial}; the file is damaged or cut off"

    @property
    def _is_short(self) -> bool:
        if self._stated:
            return self._num_read < self._stated - self._num_hidden
        return self._length_s is not None and self._times.file_end_s < self._length_s - self._slack_s

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


def _open(path: Path) -> InputContainer:
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        # an absolute name, because FFmpeg takes text before a colon for a protocol
        return av.open(str(path.absolute()), options=options, metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        raise UserError(why_no_video(path, error)) from error


def _progressive(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Deinterlace from the first interlaced frame on; other frames pass through unchanged."""
    graph, kind = None, None
    for frame in frames:
        own = (frame.width, frame.height, frame.format.name, frame.time_base)
        if graph is not None and own != kind:
            yield from _pulled(graph, at_end=True)
            graph = None
        if graph is None and frame.interlaced_frame:
            graph, kind = _deinterlacer(frame), own
        if graph is None:
            yield frame
        else:
            graph.push(frame)
            yield from _pulled(graph)
    if graph is not None:
        yield from _pulled(graph, at_end=True)


def _deinterlacer(frame: av.VideoFrame) -> Graph:
    """Return FFmpeg's bwdif filter: one picture per frame; it changes only frames that are marked as interlaced."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or 1 / DEFAULT_RATE
    )
    nodes = source, graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"), graph.add("buffersink")
    graph.link_nodes(*nodes).configure()
    return graph


def _pulled(graph: Graph, at_end: bool = False) -> Iterator[av.VideoFrame]:
    if at_end:
        graph.push(None)
    while True:
        try:
            yield graph.vpull()
        except (BlockingIOError, EOFError):
            return


def _rgb(frame: av.VideoFrame) -> np.ndarray:
    """Convert to RGB by the colour space that the frame states."""
    untold = frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb
    source = Colorspace.ITU709 if untold and frame.height >= _HD_LINES else None
    return frame.reformat(format="rgb24", src_colorspace=source).to_ndarray()


class _Upright:
    """Turns pictures upright by the display matrix of their frames.

    The matrix is read only when the rotation changes: reading a frame's side data makes a reference cycle, so the frame
    stays in memory until Python's collector runs, hundreds of frames later.
    """

    def __init__(self) -> None:
        self._rotation: int | None = None
        self._turn = (False, False, False)

    def __call__(self, image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
        """Return the picture upright."""
        if frame.rotation != self._rotation:
            self._rotation, self._turn = frame.rotation, _turn(frame)
        return np.ascontiguousarray(turned(image, *self._turn)) if any(self._turn) else image


def _turn(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return (swap axes, reverse rows, reverse columns) from a frame's display matrix."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    across, down = np.frombuffer(bytes(matrix), _MATRIX).reshape(3, 3)[:2, :2].tolist()  # the directions of x and y
    if abs(across[0]) < abs(across[1]):
        return True, across[1] < 0, down[0] < 0
    return False, down[1] < 0, across[0] < 0
