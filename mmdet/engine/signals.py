"""SIGTERM and SIGINT during training: remembered, so that the step in progress is finished and saved.

A second SIGINT (a second Ctrl-C) interrupts at once. Knows nothing of what is saved.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

CAUGHT = (signal.SIGTERM, signal.SIGINT)
GRACE_S = 30  # as long as Slurm by default lets pass between SIGTERM and SIGKILL


class StopSignals:
    """A context in which `received` holds the number of the first stop signal, 0 before there is one.

    Processes forked inside (workers of a loader) inherit the handlers: signals often go to the whole group, and the
    step in progress may need them. They outlive SIGINT, and SIGTERM for a while. Outside the main thread no signal can
    be caught, and none is.
    """

    def __init__(self) -> None:
        self.received = 0
        self._owner = os.getpid()
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._remember) for number in CAUGHT}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            if number == signal.SIGTERM:
                signal.alarm(GRACE_S)  # which ends the process
        elif self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            self.received = self.received or number
