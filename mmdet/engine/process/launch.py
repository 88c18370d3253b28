"""Start a program once or as N data-parallel processes, and report how they end.

Every process calls `main(ranks, args)`. The first process that fails ends the others, and its error is reported.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from argparse import Namespace
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.multiprocessing as multiprocessing

from mmdet.datasets.workers import signals_held_back
from mmdet.engine.process.devices import available_cores
from mmdet.engine.process.endings import SIGNAL_CODE_BASE, USER_ERROR_CODE, RunEnded, end_of
from mmdet.engine.process.processes import Ranks, connect, connect_from_environment, disconnect
from mmdet.engine.process.signals import CAUGHT, heeded
from mmdet.engine.process.terminal import tell
from mmdet.errors import UserError

Main = Callable[[Ranks, Namespace], None]
GRACE_S = 5.0  # for the other processes to end after one has refused its input
_SIGKILL = 9  # whose name not every system has
MAX_REPORT = 20_000  # characters; a report must fit into a pipe that nobody reads yet


def launch(main: Main, gpus: int, launcher: str, args: Namespace) -> None:
    """Run `main(ranks, args)` in `gpus` processes started here, or in this process if `launcher` started it.

    Without GPUs the processes share the CPU. `main` must be importable (at the top level of a module). Raises UserError
    for a number of processes that the machine cannot run, and whatever ends `main`.
    """
    if launcher != "none":
        _joined(main, gpus, launcher, args)
        return
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("started by torchrun without --launcher pytorch: every process would do all the work; add it")
    check_process_count(gpus)
    if gpus == 1:
        main(connect(0, 0, 1), args)
        return
    if torch.cuda.device_count() == 0:
        tell(f"no GPU here: {gpus} processes (gloo) share the CPU")
    _spawn(main, gpus, args)


def check_process_count(gpus: int) -> None:
    """Raise UserError unless this machine has `gpus` GPUs, or as many cores if it has no GPU."""
    present, cores = torch.cuda.device_count(), available_cores()
    if gpus < 1:
        raise UserError(f"--gpus {gpus}: expected 1 or more")
    if present and gpus > present:
        raise UserError(f"--gpus {gpus}: this machine has {present}; ask for at most {present}")
    if not present and gpus > cores:
        raise UserError(f"--gpus {gpus}: no GPU here and {cores} cores; ask for at most {cores} processes")


def _joined(main: Main, gpus: int, launcher: str, args: Namespace) -> None:
    ranks = connect_from_environment(launcher)
    if gpus not in (1, ranks.world_size):
        raise UserError(f"--gpus {gpus}: --launcher {launcher} started {ranks.world_size} processes; leave --gpus out")
    _run_connected(main, ranks, args)


def _run_connected(main: Main, ranks: Ranks, args: Namespace) -> None:
    """Call `main`, then disconnect from the other processes, unless a failure here leaves them waiting."""
    try:
        main(ranks, args)
    except RunEnded as end:
        if not end.failed:
            disconnect()
        raise
    disconnect()


def _spawn(main: Main, count: int, args: Namespace) -> None:
    """Start the processes, pass signals on to them, and wait until all have ended."""
    context = multiprocessing.get_context("spawn")
    _start_tracker()
    reports = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="memcnp-") as folder:
        init_method = f"file://{folder}/rendezvous" if os.name == "posix" else Path(folder, "rendezvous").as_uri()
        processes = [
            context.Process(
                target=_process_main, name=f"process {rank}", args=(main, rank, count, init_method, args, reports)
            )
            for rank in range(count)
        ]

        def pass_on(number: int, frame: FrameType | None) -> None:
            # most signals also reach the children directly; the additional SIGTERM is harmless (see signals.py)
            for process in processes:
                if process.is_alive():
                    process.terminate()

        previous = {number: signal.signal(number, pass_on) for number in heeded()}
        try:
            for process in processes:
                process.start()
            _wait(processes, reports)
        except UserError:
            _await(processes)
            raise
        finally:
            for process in processes:
                if process.is_alive():
                    process.kill()
            for number, handler in previous.items():
                signal.signal(number, handler)


def _start_tracker() -> None:
    """Start multiprocessing's helper process so that it ignores SIGHUP, as it already ignores the other stop signals.

    A closed terminal sends SIGHUP to the whole group. Without the helper every process would print tracebacks.
    """
    if os.name != "posix":  # Windows has neither
        return
    from multiprocessing import resource_tracker

    with signals_held_back():
        resource_tracker.ensure_running()


def _wait(processes: list[Any], reports: Any) -> None:
    """Return when all processes ended well; raise what the first reported as soon as one failed."""
    running = {process.sentinel: process for process in processes}
    stopped: RunEnded | None = None
    while running:
        ended = [running.pop(sentinel) for sentinel in wait(list(running))]
        # a killed process is the cause of what the others report
        for process in sorted(ended, key=_exit_code):
            if process.exitcode == 0:
                continue
            end = _reported(process, reports)
            if not (isinstance(end, RunEnded) and not end.failed):
                raise end
            stopped = stopped or end
    if stopped:
        raise stopped


def _await(processes: list[Any]) -> None:
    """Let the others end by themselves: they refuse the same input and clean up their files."""
    deadline = time.monotonic() + GRACE_S
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))


def _exit_code(process: Any) -> int:
    process.join()
    return process.exitcode


def _reported(process: Any, reports: Any) -> Exception:
    """Return the oldest report, or one made from the exit code: a killed process leaves none."""
    if -process.exitcode in CAUGHT:  # the signal came before the process could catch it
        return RunEnded(f"stopped by {signal.Signals(-process.exitcode).name}", SIGNAL_CODE_BASE - process.exitcode)
    if process.exitcode < 0:
        hint = " (out of memory?)" if process.exitcode == -_SIGKILL else ""
        return RunEnded(f"{process.name} was killed by signal {-process.exitcode}{hint}; the others were stopped")
    if reports.empty():
        return RunEnded(f"{process.name} exited with {process.exitcode}; the others were stopped")
    message, exit_code = reports.get()
    return UserError(message) if exit_code == USER_ERROR_CODE else RunEnded(message, exit_code)


def _process_main(main: Main, rank: int, count: int, init_method: str, args: Namespace, reports: Any) -> None:
    """Run one of the processes; if it fails, report how."""
    threading.Thread(target=_stop_with_parent, name="parent watch", daemon=True).start()
    if not torch.cuda.is_available() and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, available_cores() // count))
    try:
        end = end_of(lambda: _run_connected(main, connect(rank, rank, count, init_method), args))
    except Exception:
        end = RunEnded(f"process {rank} of {count} failed:\n{traceback.format_exc()}")
    if end is not None:
        reports.put((end.message[-MAX_REPORT:], end.exit_code))
        sys.exit(end.exit_code)


def _stop_with_parent() -> None:
    """Wait for the end of the parent process, then stop this one as SIGTERM does: nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
