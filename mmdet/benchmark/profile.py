"""Profile a step: kernels, operators, and the calls that make the host wait for the device.

Source: torch.profiler.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.benchmark.timing import synchronize
from mmdet.fileio.atomic import write_text_atomically

PROFILED_STEPS = 3
US_IN_MS = 1e3  # the profiler counts microseconds
ROWS = 60  # rows of each table
# Calls that launch work, and calls that make the host wait (the profiler itself ends with one cudaDeviceSynchronize).
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch")
WAITS = (
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "Memcpy DtoH (Device -> Pinned)",
    "Memcpy DtoH (Device -> Pageable)",
    "aten::item",
    "aten::_local_scalar_dense",
    "aten::nonzero",
)


def write_profile(step: Callable[[int], object], path: Path, device: torch.device) -> None:
    """Profile a few calls of `step`, which must be warmed up, and write tables of operators and kernels, and counts."""
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    synchronize(device)
    with profile(activities=activities) as profiler:
        for index in range(PROFILED_STEPS):
            step(index)
        synchronize(device)
    averages = profiler.key_averages()
    counts = count_calls(averages)
    lines = [f"{PROFILED_STEPS} steps; the tables below are of all of them"]
    lines += [f"{name:34} {count / PROFILED_STEPS:10.1f} a step" for name, count in counts.items()]
    if on_gpu:
        lines.append(f"{'kernels, ms':34} {_device_ms(averages) / PROFILED_STEPS:10.2f} a step")
        lines.append(averages.table(sort_by="self_device_time_total", row_limit=ROWS, max_name_column_width=90))
    lines.append(averages.table(sort_by="self_cpu_time_total", row_limit=ROWS, max_name_column_width=60))
    write_text_atomically(path, "\n".join(lines) + "\n")


def count_calls(averages: Any) -> dict[str, int]:
    """Count kernel launches, and each kind of call that makes the host wait, in a profile's averages."""
    counts = dict.fromkeys(("kernel launches", *WAITS), 0)
    for event in averages:
        name = "kernel launches" if event.key in LAUNCHES else event.key
        if name in counts:
            counts[name] += event.count
    return counts


def _device_ms(averages: Any) -> float:
    """Sum the time of all kernels and copies."""
    kernels = (event for event in averages if event.device_type == torch.autograd.DeviceType.CUDA)
    return float(sum(event.self_device_time_total for event in kernels)) / US_IN_MS


def profile_case(step: Callable[[int], object], case: str, settings: BenchmarkSettings) -> None:
    """Write a profile to the file of the settings, with the case added to its name."""
    if settings.profile is not None:
        write_profile(step, settings.profile.with_stem(f"{settings.profile.stem}_{case}"), settings.device)
