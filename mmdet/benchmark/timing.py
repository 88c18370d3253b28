"""Times of steps on a device, and peaks of memory.

Timing does not make the host wait for the device in between, just as real work does not.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.engine.process.memory import peak_resident_bytes

GIB = 2**30
MS = 1e3  # in a second
STEPS, WARMUP = 30, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The spread of the values of a repeated measurement."""

    count: int
    min: float
    lower_quartile: float
    median: float
    upper_quartile: float
    p95: float
    max: float

    @staticmethod
    def from_values(values: Sequence[float]) -> Spread:
        """Describe at least one value."""
        quantiles = np.quantile(values, (0, 0.25, 0.5, 0.75, 0.95, 1)).tolist()
        low, lower, middle, upper, p95, high = quantiles
        return Spread(
            count=len(values), min=low, lower_quartile=lower, median=middle, upper_quartile=upper, p95=p95, max=high
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """Times of consecutive steps, in milliseconds."""

    total: float  # wall clock from before the first until the device has done the last
    steps: list[float] = field(repr=False)  # from the end of one to the end of the next, on the device if it is a GPU
    host: list[float] = field(repr=False)  # until the host could go on

    @property
    def mean(self) -> float:
        """Wall clock time per step."""
        return self.total / len(self.steps)

    def figures(self, name: str = "step") -> dict[str, float | Spread]:
        """Return the times as figures."""
        return {
            f"{name}_wall_ms": self.mean,
            f"{name}_ms": Spread.from_values(self.steps),
            f"{name}_host_ms": Spread.from_values(self.host),
        }


def time_steps(
    step: Callable[[int], object], settings: BenchmarkSettings, *, steps: int = STEPS, warmup: int = WARMUP
) -> StepTimes:
    """Call `step(0)`, `step(1)`, ... first for warm-up and then timed, without waiting for the device in between.

    `steps` and `warmup` apply if the settings have None.
    """
    device = settings.device
    steps = steps if settings.steps is None else settings.steps
    warmup = warmup if settings.warmup is None else settings.warmup
    for index in range(warmup):
        step(index)
    synchronize(device)
    marks, host = [_mark(device)], []
    start = time.perf_counter()
    for index in range(warmup, warmup + steps):
        before = time.perf_counter()
        step(index)
        host.append(MS * (time.perf_counter() - before))
        marks.append(_mark(device))
    synchronize(device)
    total = MS * (time.perf_counter() - start)
    between = [_milliseconds(first, second) for first, second in zip(marks[:-1], marks[1:], strict=True)]
    return StepTimes(total=total, steps=between, host=host)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _mark(device: torch.device) -> Any:
    """Record the current time, on a GPU that of its stream."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _milliseconds(first: Any, second: Any) -> float:
    return float(MS * (second - first) if isinstance(first, float) else first.elapsed_time(second))


def forget_peak_memory(device: torch.device) -> None:
    """Reset the peaks of a GPU, empty its cache, and collect garbage of earlier measurements."""
    if device.type == "cuda":
        gc.collect()
        synchronize(device)  # also starts CUDA, without which there are no peaks to reset
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, float | Spread]:
    """Return peaks as figures: of the GPU since `forget_peak_memory`, of the host since the process began."""
    peaks: dict[str, float | Spread] = {}
    if device.type == "cuda":
        peaks["peak_allocated_gib"] = torch.cuda.max_memory_allocated(device) / GIB
        peaks["peak_reserved_gib"] = torch.cuda.max_memory_reserved(device) / GIB
    peaks["peak_resident_gib"] = peak_resident_bytes() / GIB
    return peaks
