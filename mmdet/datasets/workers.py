"""Worker processes that load data: their setup and their signals.

Stop signals often go to a whole process group (from a terminal, Slurm, GNU timeout). The training or testing process
decides what to do, and may need its workers for the step in progress. So a worker ends only when that process tells it
to or is gone; torch's own handlers would end it at once.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch

_NAMES = ("SIGTERM", "SIGINT", "SIGHUP")
STOP_SIGNALS = tuple(signal.Signals[name] for name in _NAMES if hasattr(signal, name))  # Windows has no SIGHUP
_CAN_BLOCK = hasattr(signal, "pthread_sigmask")
LOOK_FOR_PARENT_S = 1.0


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Block stop signals inside this context.

    Processes started in it inherit the block, so that none is hit at its start. Windows cannot block signals.
    """
    if not _CAN_BLOCK:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker(worker: int) -> None:
    """Set a worker up.

    It gets one thread, as there is one worker per core, and does not write to memory shared with its parent.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    gc.freeze()  # the garbage collector writes to all objects, which would copy a large index in every worker
    _heed_the_parent_alone()


def _heed_the_parent_alone() -> None:
    if _CAN_BLOCK:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # also for threads started later
    if hasattr(signal, "sigtimedwait"):  # missing on macOS, where torch ends workers that do not leave
        threading.Thread(target=_leave_with, args=(os.getppid(),), name="signals", daemon=True).start()


def _leave_with(parent: int) -> None:
    """End this process once its parent sends a signal or has ended."""
    while True:
        signal_come = signal.sigtimedwait(STOP_SIGNALS, LOOK_FOR_PARENT_S)
        if os.getppid() != parent or (signal_come is not None and signal_come.si_pid == parent):
            os._exit(0)
