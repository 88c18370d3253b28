"""SIGTERM, SIGINT and SIGHUP during training: noted, so that the step in progress can be finished and saved.

A second SIGINT (a second Ctrl-C) interrupts at once. Signals that the process ignored from its start (under nohup, or
in the background of a script) stay ignored.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmdet.datasets.workers import STOP_SIGNALS

CAUGHT = STOP_SIGNALS


def heeded() -> list[signal.Signals]:
    """Return the stop signals that this process does not ignore from its start."""
    return [number for number in CAUGHT if signal.getsignal(number) != signal.SIG_IGN]


class StopSignals:
    """A context in which `received` is the number of the stop signal that has come, 0 if none has.

    Signals can only be caught in the main thread; elsewhere `received` stays 0.
    """

    def __init__(self) -> None:
        self.received = 0
        self._is_finishing = False
        self._owner = os.getpid()
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._remember) for number in heeded()}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Note signals only, a second SIGINT too, while inside: for short work that must not stay half done."""
        self._is_finishing = True
        try:
            yield
        finally:
            self._is_finishing = False

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:  # forked inside this context
            return
        if self.received == number == signal.SIGINT and not self._is_finishing:
            raise KeyboardInterrupt
        # the parent passes a signal that the whole group got on as SIGTERM: the original signal counts
        if self.received in (0, signal.SIGTERM):
            self.received = number
