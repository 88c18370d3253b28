"""Record CUDA graphs safely: detect work that cannot be recorded beforehand, and stop a process that a recording broke.

A forbidden operation ends a recording, and torch 2.11 does not clean up after it. The side stream stays current, so
that kernels which name no stream (torchvision's deformable convolution) no longer wait and read values that are not
computed yet. The default generator stays registered, so that the next dropout raises. The allocator believes that the
recording is still going on. Therefore the work is first rehearsed under rules as strict as those of a recording.
Source: torch's notes on CUDA graphs; measured on an H100.
"""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mmdet.engine.process.endings import RunEnded
from mmdet.engine.process.randomness import random_state, restore_random_state

# Functions that make the host wait and that torch's own check does not notice.
_WAITS: tuple[tuple[Any, str], ...] = (
    (torch._C, "_cuda_synchronize"),  # what torch.cuda.synchronize calls, however it was imported
    (torch.cuda.Stream, "synchronize"),
    (torch.cuda.Stream, "query"),
    (torch.cuda.Event, "synchronize"),
    (torch.cuda.Event, "query"),
)
_COPY = torch.ops.aten.copy_.default
_TO = torch.ops.aten._to_copy.default


class NotCapturable(Exception):  # noqa: N818  # a finding, not a fault: the work runs without a graph
    """The work cannot be recorded as a CUDA graph. The process is intact and the work can run without a graph."""


class CaptureFailed(RunEnded):
    """A recording failed and broke the process: nothing computed afterwards could be trusted."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"a CUDA graph could not be recorded ({reason}), and nothing that this process computes from here on could "
            "be trusted: start again with runtime.cuda_graphs=False in training, without --cuda-graph elsewhere"
        )


@contextmanager
def capture(graph: torch.cuda.CUDAGraph, **place: Any) -> Iterator[None]:
    """Record everything that this thread launches into the graph. `place` holds the memory pool and the stream.

    Other threads may go on meanwhile: the loader's pins memory, and NCCL's queries events. Raises NotCapturable if the
    work raised and the recording could be ended (as when memory runs out), and CaptureFailed if it could not be ended:
    then the process must stop.
    """
    outside = torch.cuda.current_stream()
    cause: RuntimeError | None = None
    try:
        with _collector_at_rest(), torch.cuda.graph(graph, capture_error_mode="thread_local", **place):
            try:
                yield
            except RuntimeError as error:
                cause = error
                raise
    except RuntimeError as error:
        torch.cuda.set_stream(outside)
        if error is cause:
            raise NotCapturable(_first_line(error)) from error
        raise CaptureFailed(_first_line(cause or error)) from error


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Collect garbage now and disable the collector inside: a graph that is destroyed during a recording breaks it."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def rehearse(work: Callable[[], object]) -> None:
    """Run the work once without a graph and refuse what would end its recording. Random generators are restored.

    Refuses operations that make the host wait for the device, and copies between the device and memory that is not
    page-locked. Raises NotCapturable with the reason; changes that the work made before stay.
    """
    generators, mode = random_state(), torch.cuda.get_sync_debug_mode()
    try:
        with warnings.catch_warnings(action="ignore"):  # the first call says that it is a prototype
            torch.cuda.set_sync_debug_mode("error")
        with _waits_refused(), _PageableCopiesRefused():
            work()
    except RuntimeError as error:
        raise NotCapturable(_first_line(error)) from error
    finally:
        torch.cuda.set_sync_debug_mode(mode)
        restore_random_state(generators)


@contextmanager
def _waits_refused() -> Iterator[None]:
    """Make the functions that wait for the device raise in this thread."""
    own, before = threading.get_ident(), [getattr(place, name) for place, name in _WAITS]

    def refusal(function: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() != own:
                return function(*arguments, **options)
            raise RuntimeError(f"it waits for the device: {function.__qualname__}()")

        return refuse

    try:
        for (place, name), function in zip(_WAITS, before, strict=True):
            setattr(place, name, refusal(function))
        yield
    finally:
        for (place, name), function in zip(_WAITS, before, strict=True):
            setattr(place, name, function)


class _PageableCopiesRefused(TorchDispatchMode):
    """Refuses asynchronous copies to or from pageable host memory: a recording cannot contain them."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is _COPY:
            _check_copy(args[1], args[0].device, args[0])
        elif func is _TO and kwargs.get("device") is not None:
            _check_copy(args[0], torch.device(kwargs["device"]), None)
        return func(*args, **kwargs)


def _check_copy(source: Tensor, device: torch.device, target: Tensor | None) -> None:
    """Raise RuntimeError if one end of a copy is in pageable host memory.

    `target` None: memory newly made for the copy.
    """
    if source.device.type == device.type:
        return
    host = source if source.device.type == "cpu" else target
    if host is None or not host.is_pinned():
        raise RuntimeError("it copies between the device and memory that is not page-locked")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
