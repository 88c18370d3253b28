"""The processes that load data: how each is set up, and what it does about signals.

Stop signals often go to a whole process group (a terminal, Slurm, GNU timeout), and what to do about them is the
decision of the process that trains or tests: it may need its workers for the step in progress. So a worker leaves when
that process tells it to or is gone, and for nobody else. torch's own handlers would end it at once.
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

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_FOR_PARENT_S = 1.0


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let stop signals wait, and processes that start inside be born with them held back, so that none is hit early."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker(worker: int) -> None:
    """Keep a worker to one thread, as there is one worker a core, and its hands off what it shares with its parent."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    gc.freeze()  # the collector writes to all it looks at, which would make a copy of a large index in every worker
    _heed_the_parent_alone()


def _heed_the_parent_alone() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # for the threads that follow, too
    if hasattr(signal, "sigtimedwait"):  # not on macOS, where torch ends workers that do not leave
        threading.Thread(target=_leave_with, args=(os.getppid(),), name="signals", daemon=True).start()


def _leave_with(parent: int) -> None:
    """End this process once its parent signals it or has ended."""
    while True:
        signal_come = signal.sigtimedwait(STOP_SIGNALS, LOOK_FOR_PARENT_S)
        if os.getppid() != parent or (signal_come is not None and signal_come.si_pid == parent):
            os._exit(0)
