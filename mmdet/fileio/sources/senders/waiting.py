"""What a thread reads, handed to the main thread, which waits for it in short steps so that a stop is never late."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Say = Callable[[str], None]
Stopped = Callable[[], bool]
STEP_S = 0.1  # between two looks at whether to stop
_GRACE_S = 0.3  # for a thread to end; one that waits for a dead server ends later, by its own time limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for an answer, and how often and when to connect again."""

    timeout_s: float = 10.0
    tries: int = 5  # in a row, after a break
    first_pause_s: float = 1.0
    steady_s: float = 60.0  # a live connection that held this long gives all tries back

    def pause_s(self, tries: int) -> float:
        """Return the pause after a break when `tries` are used up: each is twice as long as the one before."""
        return self.first_pause_s * 2.0**tries


def never() -> bool:
    """Return False: nobody asks to stop."""
    return False


class Feed(Generic[Item]):
    """The items that a thread puts, for one reader.

    With `newest` only the last item waits: it takes the place of one that was not read, which counts as dropped.
    Otherwise `put` waits while `most` items wait.
    """

    def __init__(self, newest: bool, most: int = 4) -> None:
        self.num_dropped = 0
        self._newest, self._most = newest, 1 if newest else most
        self._items: deque[Item] = deque()
        self._lines: deque[str] = deque()  # to be said by the reader
        self._change = threading.Condition()
        self._closed = self._ended = False
        self._error: BaseException | None = None

    @property
    def closed(self) -> bool:
        """Whether the reader wants no more."""
        return self._closed

    def put(self, item: Item) -> None:
        """Hand over an item."""
        with self._change:
            while len(self._items) >= self._most and not self._closed:
                if self._newest:
                    self._items.popleft()
                    self.num_dropped += 1
                else:
                    self._change.wait()
            self._items.append(item)
            self._change.notify_all()

    def say(self, line: str) -> None:
        """Have the reader say a line."""
        self._lines.append(line)

    def pause(self, seconds: float) -> None:
        """Wait, at most until the reader wants no more."""
        with self._change:
            self._change.wait_for(lambda: self._closed, seconds)

    def read(self, fill: Callable[[], None], say: Say, stopped: Stopped) -> Iterator[Item]:
        """Call `fill`, which puts items, in a thread, and yield them until it returns or `stopped` returns True.

        Raises what `fill` raises.
        """
        thread = threading.Thread(target=self._run, args=(fill,), daemon=True, name="frames")
        thread.start()
        try:
            while True:
                items, ended = self._take(), self._ended
                self._say_lines(say)
                if items:
                    yield items[0]
                elif ended and not self._items:
                    break
                if stopped():
                    return
            if self._error is not None:
                raise self._error
        finally:
            with self._change:
                self._closed = True
                self._change.notify_all()
            thread.join(_GRACE_S)
            self._say_lines(say)

    def _take(self) -> list[Item]:
        """Return the next item, or nothing if none comes in a step."""
        with self._change:
            self._change.wait_for(lambda: self._items or self._ended or self._lines, STEP_S)
            items = [self._items.popleft()] if self._items else []
            self._change.notify_all()
            return items

    def _say_lines(self, say: Say) -> None:
        while self._lines:
            say(self._lines.popleft())

    def _run(self, fill: Callable[[], None]) -> None:
        try:
            fill()
        except BaseException as error:  # noqa: BLE001  # raised again by the reader
            self._error = error
        finally:
            with self._change:
                self._ended = True
                self._change.notify_all()


def in_background(work: Callable[[Feed[Any]], Item], stopped: Stopped, say: Say) -> Item | None:
    """Return what `work` returns, None if `stopped` returns True before. Raises what `work` raises.

    `work` gets the feed, whose lines are said and which is closed when nobody waits any more.
    """
    feed: Feed[Any] = Feed(newest=False)
    return next(feed.read(lambda: feed.put(work(feed)), say, stopped), None)


def now_s() -> float:
    """Return the time of a clock that never goes back, in seconds."""
    return time.monotonic()
