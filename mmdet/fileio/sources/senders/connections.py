"""Connections to what sends frames without end: addresses and cameras, by PyAV (FFmpeg) or, without it, by OpenCV."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from mmdet.errors import UserError, short_list
from mmdet.fileio.pictures.images import natural
from mmdet.fileio.pictures.video_pictures import Upright, progressive
from mmdet.fileio.pictures.video_streams import DEFAULT_RATE, main_stream, other_streams, rate_of
from mmdet.fileio.sources.senders.addresses import why_broken

_DEVICE = re.compile(r"/dev/video(\d{1,3})")
_DEVICES = Path("/dev")
_V4L2 = "v4l2"  # FFmpeg's name of Linux's cameras
# formats without times, for which FFmpeg makes up those of 25 frames per second: the times of arrival are better
_TIMELESS = {"mpjpeg", "mjpeg", "h264", "hevc", "m4v", "mpegvideo", "obu", "vc1", "dirac", "vvc"}
_BROKEN_PIPE = 32  # of a picture that OpenCV does not get


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A frame as it arrives: its time by the sender's clock, if known, and a function that makes it a picture."""

    time_s: float | None
    picture: Callable[[], np.ndarray]


class Connection(Protocol):
    """An open camera or address."""

    rate: Fraction
    notes: tuple[str, ...]
    num_broken: int  # packets that could not be decoded

    def shots(self) -> Iterator[Shot]:
        """Yield the frames; end when the sender ends. Raises OSError when the connection breaks."""

    def close(self) -> None:
        """Close it."""


class PyavConnection:
    """The largest picture stream of a container that is open."""

    def __init__(self, container: InputContainer, name: str) -> None:
        self.container = container
        self._stream = main_stream(container, name)
        self._stream.thread_type = "SLICE"  # threads that decode whole frames hold some back
        self.notes = other_streams(container, self._stream, name)
        self.rate = rate_of(self._stream)
        self.num_broken = 0

    @property
    def is_finite(self) -> bool:
        """Whether what is sent has a known end. The size of a playlist is not that of its video."""
        return self.container.duration is not None or (
            (self.container.size or 0) > 0 and self.container.format.name != "hls"
        )

    def shots(self) -> Iterator[Shot]:
        """Yield the frames as they are decoded."""
        upright, has_times = Upright(), self.container.format.name not in _TIMELESS
        for frame in progressive(self._decoded()):
            yield Shot(time_s=frame.time if has_times else None, picture=partial(upright, frame))

    def close(self) -> None:
        """Close the container."""
        self.container.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in self.container.demux(self._stream):
            try:
                frames = packet.decode()
            except FFmpegError:
                self.num_broken += 1
                continue
            yield from (frame for frame in frames if isinstance(frame, av.VideoFrame))


class OpencvCamera:
    """A camera read by OpenCV, on systems whose cameras FFmpeg does not read by number."""

    notes: tuple[str, ...] = ()
    num_broken = 0

    def __init__(self, index: int) -> None:
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise UserError(f"camera {index} cannot be opened: is it plugged in, and may this program use it?")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else DEFAULT_RATE

    def shots(self) -> Iterator[Shot]:
        """Yield the frames, without times."""
        while True:
            got, image = self._capture.read()
            if not got:
                raise OSError(_BROKEN_PIPE, "no picture comes")
            yield Shot(time_s=None, picture=partial(cv2.cvtColor, image, cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        """Release the camera."""
        self._capture.release()


def camera_index(text: str) -> int | None:
    """Return the number of the camera that a text names (0 or /dev/video0), None if it names none."""
    device = _DEVICE.fullmatch(text)
    number = device[1] if device else text
    return int(number) if re.fullmatch(r"[0-9]{1,3}", number) else None


def open_camera(index: int, timeout_s: float) -> Connection:
    """Open a camera by its number. Raises UserError with the reason if there is none or it cannot be opened."""
    if not sys.platform.startswith("linux") or not any(_V4L2 in name.split(",") for name in av.formats_available):
        return OpencvCamera(index)
    device = _DEVICES / f"video{index}"
    if not device.exists():
        others = sorted(_DEVICES.glob("video*"), key=natural)
        there = f"there is {short_list([str(path) for path in others])}" if others else "this machine has no camera"
        raise UserError(f"camera {index}: {device} does not exist; {there}")
    try:
        container = av.open(str(device), format=_V4L2, timeout=(timeout_s, timeout_s))
    except PermissionError as error:
        raise UserError(f"camera {index}: {device} may not be read; add the user to the group video") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise UserError(f"camera {index}: {device} cannot be opened: {why_broken(error, timeout_s)}") from error
    return PyavConnection(container, f"camera {index}")
