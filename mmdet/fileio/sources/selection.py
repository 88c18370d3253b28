"""Use a part of a video's frames: from a start to an end, every n-th of them, at most so many."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from mmdet.errors import UserError, shown
from mmdet.fileio.pictures.video import LazyFrame, TimedFrame, VideoFile
from mmdet.fileio.sources.frame_source import FrameSource, LazySource

_FRAME = re.compile(r"\d{1,12}")
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_CLOCK = re.compile(r"(?:(\d{1,5}):)?(\d{1,3}):(\d{1,2}(?:\.\d{1,9})?)")
_WORTH_SKIPPING_S = 20.0  # shorter starts are decoded through
_LEAST_FPS = 0.001
_MOST_DENOMINATOR = 1001
_ROUNDING_S = 1e-6  # times of frames are rounded, so a frame at 4.5 s may have 4.4999999


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a video: the number of a frame, from 0, or a time in seconds since the first frame."""

    frame: int | None = None
    time_s: float | None = None

    def reached(self, index: int, time_s: float) -> bool:
        """Return whether the frame with this number and time lies at or behind the place."""
        if self.frame is not None:
            return index >= self.frame
        return self.time_s is not None and time_s >= self.time_s - _ROUNDING_S

    def index(self, rate: Fraction) -> int:
        """Return the number of the first frame at or behind the place in a video of a constant rate."""
        return self.frame if self.frame is not None else math.ceil((self.time_s or 0) * rate - _ROUNDING_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which frames of a video are used. `start` and `end` are frames (120), seconds (4.5s) or clock times (1:30).

    Frames are counted from 0, and `end` itself is not used. Then every `stride`-th frame from the first on is used, or
    `fps` of them per second, and of these at most `max_frames`. Of a video with fewer frames than `fps` all are used.
    Raises UserError that names the option if one makes no sense.
    """

    start: str | int | None = None
    end: str | int | None = None
    stride: int = 1
    max_frames: int | None = None
    fps: float | None = None
    first: Position = field(init=False, repr=False)
    stop: Position | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", _position("--start", self.start) or Position(frame=0))
        object.__setattr__(self, "stop", _position("--end", self.end))
        for option, value in (("--stride", self.stride), ("--max-frames", self.max_frames)):
            if value is not None and value < 1:
                raise UserError(f"{option} {shown(value)}: expected a number of frames of at least 1")
        if self.fps is not None and not _LEAST_FPS <= self.fps < math.inf:
            raise UserError(f"--fps {shown(self.fps)}: expected frames per second, at least {_LEAST_FPS}")
        if self.fps is not None and self.stride != 1:
            raise UserError("--fps and --stride both say how many frames are left out: give one of them")
        first, stop = self.first, self.stop
        if stop is None:
            return
        never = stop.frame == 0 or stop.time_s == 0
        if first.frame is not None and stop.frame is not None:
            never = stop.frame <= first.frame
        elif first.time_s is not None and stop.time_s is not None:
            never = stop.time_s <= first.time_s
        if never:
            raise UserError(f"--end {self.end} does not lie behind the start ({self.start or 0}): no frame is left")

    @property
    def is_all(self) -> bool:
        """Whether every frame is used."""
        whole = self.first.frame == 0 and self.stop is None and self.max_frames is None
        return whole and self.stride == 1 and self.fps is None

    def rate(self, rate: Fraction) -> Fraction:
        """Return the frames per second of what is used of a video of `rate`."""
        if self.fps is None:
            return rate / self.stride
        return min(rate, Fraction(self.fps).limit_denominator(_MOST_DENOMINATOR))

    def turn(self, index: int, time_s: float, rate: Fraction) -> int | None:
        """Return the place of a frame among those to use, given its number and time since the first; None for others.

        With `fps` several frames may be near one place: the first of them is to be used.
        """
        if self.fps is not None:
            # a frame half of the source's distance before its time counts: times are rounded, or jump a little
            return math.floor(time_s * self.fps + min(0.5, self.fps / float(2 * rate)) + _ROUNDING_S)
        return index // self.stride if index % self.stride == 0 else None

    def length(self, total: int | None, rate: Fraction) -> int | None:
        """Return how many frames are used of `total` at a constant rate, None if that is not known.

        With `total` None, for a source without an end, the number follows from the end or the limit alone.
        """
        stop = self.stop.index(rate) if self.stop is not None else None
        ends = [end for end in (stop, total) if end is not None]
        step = rate / self.rate(rate)  # frames
        lengths = [max(0, math.ceil((min(ends) - self.first.index(rate)) / step))] if ends else []
        return min([*lengths, *([self.max_frames] if self.max_frames is not None else [])], default=None)


def select(frames: FrameSource, selection: Selection) -> FrameSource:
    """Return the frames of a source that are used. Their times count from the first of them, in their own rate."""
    return frames if selection.is_all else SelectedFrames(frames, selection)


class SelectedFrames:
    """A part of the frames of a source. Reading ends with the last that is used, so a source without an end ends too.

    Raises UserError when it is read if no frame is left.
    """

    def __init__(self, frames: FrameSource, selection: Selection) -> None:
        self._frames, self._selection = frames, selection
        self.rate = selection.rate(frames.rate)
        self.start_s = 0.0  # time of the first used frame in the source, once that is read
        self._num_used = 0
        self._at_end = False

    def __iter__(self) -> Iterator[TimedFrame]:
        for frame in self._used():
            self.start_s = self.start_s if self._num_used else frame.time_s
            self._num_used += 1
            yield replace(frame, time_s=frame.time_s - self.start_s)
        self._at_end = True

    @property
    def path(self) -> Path | None:
        """The file or folder of the source."""
        return self._frames.path

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know beforehand."""
        return self._frames.notes

    @property
    def promised(self) -> int | None:
        """Number of frames that are used of those that the source announces; exact at the end of an undamaged one."""
        if self._at_end and not self._frames.loss:
            return self._num_used
        return self._selection.length(self._frames.promised, self._frames.rate)

    @property
    def loss(self) -> str | None:
        """What could not be read of the source, as far as it was read."""
        return self._frames.loss

    def _used(self) -> Iterator[TimedFrame]:
        """Yield the frames that are used, with the source's times; the pictures of others are not made."""
        first, stop = self._selection.first, self._selection.stop
        index, time_s, first_index, first_s, last = -1, 0.0, None, 0.0, -1
        source = self._frames
        by_time = first.time_s is not None and (stop is None or stop.time_s is not None)  # no frame need be counted
        if by_time and isinstance(source, VideoFile) and (first.time_s or 0) >= _WORTH_SKIPPING_S:
            source.skip_to(first.time_s or 0)
        frames: Iterable[LazyFrame | TimedFrame] = source.lazy() if isinstance(source, LazySource) else source
        for index, frame in enumerate(frames):
            time_s = frame.time_s
            if stop is not None and stop.reached(index, time_s):
                break
            if first_index is None and first.reached(index, time_s):
                first_index, first_s = index, time_s
            if first_index is not None:
                turn = self._selection.turn(index - first_index, time_s - first_s, source.rate)
                if turn is not None and turn > last:
                    last = turn
                    yield frame.read() if isinstance(frame, LazyFrame) else frame
            if self._is_last(index):
                break
        if first_index is None:
            raise UserError(self._why_none(index, time_s))

    def _is_last(self, index: int) -> bool:
        """Return whether no later frame is used, so that none is waited for."""
        stop, most = self._selection.stop, self._selection.max_frames
        ends = stop is not None and stop.frame is not None and index + 1 >= stop.frame
        return ends or (most is not None and self._num_used >= most)

    def _why_none(self, index: int, time_s: float) -> str:
        start, end = self._selection.start, self._selection.end
        if self._selection.stop is not None and self._selection.stop.reached(index + 1, time_s):
            return f"{self.path or 'the source'}: no frame lies from --start {start or 0} to --end {end}"
        end = f"at {time_s:.2f} s" if self._selection.first.time_s is not None else f"({index + 1} frames)"
        return f"{self.path or 'the source'}: --start {start} lies behind its end {end}"


def _position(option: str, value: str | int | None) -> Position | None:
    """Return the place that the value of an option names."""
    text = "" if value is None else str(value).strip()
    if value is None:
        return None
    if _FRAME.fullmatch(text):
        return Position(frame=int(text))
    if (seconds := _SECONDS.fullmatch(text)) is not None:
        return Position(time_s=float(seconds[1]))
    clock = _CLOCK.fullmatch(text)
    if clock is None or float(clock[3]) >= 60 or (clock[1] and int(clock[2]) >= 60):
        raise UserError(f"{option} {shown(value)}: expected a frame (120), seconds (4.5s) or a clock time (1:30)")
    return Position(time_s=3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3]))
