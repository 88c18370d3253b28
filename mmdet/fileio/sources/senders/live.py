"""Frames of a camera or a live stream: always the newest one, with times that never go back, over reconnections.

Frames that come while one is worked on are dropped but the newest, and counted. A stream that breaks is connected again
a bounded number of times with growing pauses; then its frames end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.error import FFmpegError

from mmdet.errors import UserError
from mmdet.fileio.pictures.video import LazyFrame, TimedFrame
from mmdet.fileio.pictures.video_streams import DEFAULT_RATE
from mmdet.fileio.sources.senders.addresses import why_broken
from mmdet.fileio.sources.senders.connections import Connection, Shot
from mmdet.fileio.sources.senders.waiting import Feed, Patience, Say, Stopped, now_s

_LEAP_S = 10.0  # a sender's clock that goes further ahead of ours within one frame was set anew
_SMALLEST_STEP_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStream:
    """A camera or an address that can be connected to."""

    name: str  # in messages, without passwords
    connect: Callable[[float], Connection]  # given a time limit in seconds; raises UserError
    may_end: bool  # whether it can end properly, as opposed to breaking off


class LiveFrames:
    """The frames of a live stream through `connection`, or none if its opening was stopped (None).

    `stopped` is asked ten times per second while no frame comes: True ends the frames. `say` is told of breaks.
    """

    path: Path | None = None
    promised: int | None = None

    def __init__(
        self, stream: LiveStream, connection: Connection | None, patience: Patience, stopped: Stopped, say: Say
    ) -> None:
        self._stream, self._connection = stream, connection
        self._patience, self._stopped, self._say = patience, stopped, say
        self._feed: Feed[tuple[float, Shot]] = Feed(newest=True)
        self.rate: Fraction = connection.rate if connection else DEFAULT_RATE
        self.notes: tuple[str, ...] = connection.notes if connection else ()
        self._num_read = self._num_broken = self._num_breaks = 0
        self._end: str | None = None  # why it could not be read on

    def __iter__(self) -> Iterator[TimedFrame]:
        return (frame.read() for frame in self.lazy())

    def lazy(self) -> Iterator[LazyFrame]:
        """Yield the newest frame whenever one is asked for."""
        if self._connection is None:
            return
        for time_s, shot in self._feed.read(self._fill, self._say, self._stopped):
            name = f"{self._stream.name}, frame {self._num_read}"
            self._num_read += 1
            yield LazyFrame(picture=shot.picture, time_s=time_s, name=name)
        if self._num_read == 0 and not self._stopped():
            raise UserError(f"{self._stream.name}: no frame came{f' ({self._end})' if self._end else ''}")

    @property
    def num_dropped(self) -> int:
        """Number of frames that came while an earlier one was worked on, and were not read."""
        return self._feed.num_dropped

    @property
    def loss(self) -> str | None:
        """What was not read; None if every frame was."""
        parts = [
            f"{self.num_dropped} dropped because they came faster than they were worked on" if self.num_dropped else "",
            f"{self._num_broken} damaged packets skipped" if self._num_broken else "",
            f"broken off {_times(self._num_breaks)}" if self._num_breaks else "",
            f"given up: {self._end}" if self._end else "",
        ]
        told = ", ".join(part for part in parts if part)
        return f"{self._stream.name}: {self._num_read} frames read, {told}" if told else None

    def _fill(self) -> None:
        """Read until the end, the reader's end, or a break that cannot be mended."""
        connection, clock, tries = self._connection, _Clock(), 0
        while connection is not None:
            start_s = now_s()
            try:
                broken = self._pump(connection, clock)
            finally:
                self._num_broken += connection.num_broken
                connection.close()
            if broken is None or self._feed.closed:
                return
            self._num_breaks += 1
            tries = 0 if now_s() - start_s >= self._patience.steady_s else tries
            connection, tries = self._connect_again(broken, tries)
            clock.restart()

    def _pump(self, connection: Connection, clock: _Clock) -> str | None:
        """Hand over frames until the connection ends; return why it broke, None for a proper end."""
        try:
            for shot in connection.shots():
                self._feed.put((clock.time_of(shot.time_s, now_s()), shot))
                if self._feed.closed:
                    return None
        except (FFmpegError, OSError) as error:
            return why_broken(error, self._patience.timeout_s)
        return None if self._stream.may_end else "the sender closed it"

    def _connect_again(self, broken: str, tries: int) -> tuple[Connection | None, int]:
        """Return a new connection, None if there is none after the last try, and how many tries are used up."""
        while tries < self._patience.tries:
            pause_s = self._patience.pause_s(tries)
            tries += 1
            again = f"connecting again in {pause_s:g} s ({tries} of {self._patience.tries})"
            self._feed.say(f"{self._stream.name} broke off: {broken}; {again}")
            self._feed.pause(pause_s)
            if self._feed.closed:
                return None, tries
            try:
                return self._stream.connect(self._patience.timeout_s), tries
            except UserError as error:
                broken = str(error).removeprefix(f"{self._stream.name}: ")
        self._end = f"{broken}, after connecting again {_times(tries)}"
        self._feed.say(f"{self._stream.name} has ended: {self._end}")
        return None, tries


class _Clock:
    """Times of frames in seconds since the first: by the sender's clock, over gaps and leaps in it by ours."""

    def __init__(self) -> None:
        self._time_s: float | None = None
        self._own_s: float | None = None  # by the sender's clock
        self._now_s = 0.0  # by ours

    def restart(self) -> None:
        """Say that the next frame comes from another clock."""
        self._own_s = None

    def time_of(self, own_s: float | None, now: float) -> float:
        """Return the time of the next frame, later than all before."""
        if self._time_s is None:
            self._time_s = 0.0
        else:
            passed = now - self._now_s
            step = passed if own_s is None or self._own_s is None else own_s - self._own_s
            if not 0 < step < passed + _LEAP_S:
                step = passed
            self._time_s += max(step, _SMALLEST_STEP_S)
        self._own_s, self._now_s = own_s, now
        return self._time_s


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
