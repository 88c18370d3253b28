"""SIGTERM, SIGINT and SIGHUP during training: remembered, so that the step in progress is finished and saved.

A second SIGINT (a second Ctrl-C) interrupts at once. What the run was started to ignore (by nohup, or by a script's
shell in the background) it goes on to ignore.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heeded() -> list[signal.Signals]:
    """Return the stop signals that this process was not started to ignore."""
    return [number for number in CAUGHT if signal.getsignal(number) != signal.SIG_IGN]


class StopSignals:
    """A context in which `received` holds the number of the stop signal that has come, 0 before there is one.

    Outside the main thread no signal can be caught, and none is.
    """

    def __init__(self) -> None:
        self.received = 0
        self._owner = os.getpid()
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._remember) for number in heeded()}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:  # forked inside
            return
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        # whoever started this process passes a signal to the whole group on as SIGTERM: the signal itself counts
        if self.received in (0, signal.SIGTERM):
            self.received = number
