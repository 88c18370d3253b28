"""What every benchmark shares: its settings, timing on a device, peak memory, the report and its table.

Times are taken without making the host wait for the device in between, as in the work that is measured.
`tools/benchmark.py` is the command line.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from mmdet.config import RunConfig
from mmdet.engine.checkpoints.weights import load_weights, read_weights
from mmdet.engine.process.devices import available_cores, limit_threads, place_model
from mmdet.engine.process.randomness import seed_everything
from mmdet.engine.training.work_dir import describe_environment
from mmdet.errors import UserError
from mmdet.models.build import build_model
from mmdet.models.detectors.vis_model import VISModel
from mmdet.structures import Size

GIB = 2**30
MS = 1e3  # in a second
STEPS, WARMUP = 30, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSettings:
    """What to measure; None means the config's own value, or the mode's."""

    device: torch.device
    sizes: tuple[Size, ...] | None = None  # of the frames
    batch_size: int | None = None
    objects: int | None = None  # a frame
    steps: int | None = None  # that are timed
    warmup: int | None = None  # steps before them
    amp: str | None = None
    compile: bool = False  # by torch.compile; training does so too where its config says so
    cuda_graph: bool = False  # a stream's frames, one launch each; training follows its config
    workers: int | None = None
    videos: int = 2  # made up; with `own_data` the config's data are used instead
    frames: int = 20  # a video
    own_data: bool = False
    index_videos: int = 3000  # of a made-up annotation file
    checkpoint: str | None = None  # None: random weights
    profile: Path | None = None  # where to write a profile of a few steps
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "objects", "steps", "videos", "frames", "index_videos"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name.replace('_', '-')} is {value}, expected 1 or more")
        if min(self.warmup or 0, self.workers or 0) < 0:
            raise UserError(f"--warmup and --workers are {self.warmup} and {self.workers}, expected 0 or more")
        if any(min(size) < 1 for size in self.sizes or ()):
            raise UserError(f"--size: {list(self.sizes or ())} holds a side without a pixel")
        if self.device.type == "cuda" and (self.device.index or 0) >= torch.cuda.device_count():
            raise UserError(f"--device {self.device}: this machine has {torch.cuda.device_count()} GPUs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where the values of a repeated measurement lie."""

    count: int
    min: float
    lower_quartile: float
    median: float
    upper_quartile: float
    p95: float
    max: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Describe at least one value."""
        quantiles = np.quantile(values, (0, 0.25, 0.5, 0.75, 0.95, 1)).tolist()
        low, lower, middle, upper, p95, high = quantiles
        return Spread(
            count=len(values), min=low, lower_quartile=lower, median=middle, upper_quartile=upper, p95=p95, max=high
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What was measured under one set of conditions: figures by name, which ends with the unit."""

    name: str
    figures: dict[str, float | Spread]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """Times of steps that followed each other, in milliseconds."""

    total: float  # wall clock from before the first until the device has done the last
    steps: list[float] = field(repr=False)  # from the end of one to the end of the next: on the device, if it is a GPU
    host: list[float] = field(repr=False)  # until the host could go on

    @property
    def mean(self) -> float:
        """Wall clock a step."""
        return self.total / len(self.steps)

    def figures(self, name: str = "step") -> dict[str, float | Spread]:
        """Return the times as figures."""
        return {
            f"{name}_wall_ms": self.mean,
            f"{name}_ms": Spread.of(self.steps),
            f"{name}_host_ms": Spread.of(self.host),
        }


def time_steps(
    step: Callable[[int], object], settings: BenchmarkSettings, *, steps: int = STEPS, warmup: int = WARMUP
) -> StepTimes:
    """Call `step(0)`, `step(1)`, ... for warm-up and then timed, without waiting for the device in between.

    `steps` and `warmup` are for settings that leave the choice open.
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
    """Note the present time: of the device's stream, if it is a GPU."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _milliseconds(first: Any, second: Any) -> float:
    return float(MS * (second - first) if isinstance(first, float) else first.elapsed_time(second))


def forget_peak_memory(device: torch.device) -> None:
    """Let peaks on a GPU begin anew, and give back what is cached and what earlier measurements left in cycles."""
    if device.type == "cuda":
        gc.collect()
        synchronize(device)  # also starts CUDA, without which there are no peaks to forget
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, float | Spread]:
    """Return peaks as figures: of the GPU since `forget_peak_memory`, of the host since the process began."""
    peaks: dict[str, float | Spread] = {}
    if device.type == "cuda":
        peaks["peak_allocated_gib"] = torch.cuda.max_memory_allocated(device) / GIB
        peaks["peak_reserved_gib"] = torch.cuda.max_memory_reserved(device) / GIB
    peaks["peak_resident_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB  # Linux: KiB
    return peaks


def prepare_model(config: RunConfig, settings: BenchmarkSettings) -> VISModel:
    """Build the model on its device with the checkpoint's weights, or with random ones that the seed decides."""
    limit_threads(settings.device)
    seed_everything(settings.seed)
    model = build_model(config)
    if settings.checkpoint is not None:
        load_weights(model, read_weights(settings.checkpoint), None)
    return place_model(model, settings.device)


def describe_run(mode: str, config: RunConfig, settings: BenchmarkSettings, cases: Sequence[Case]) -> dict[str, Any]:
    """Return the whole report as plain values: what ran, on what, with what, and every figure."""
    environment = describe_environment()
    environment["versions"]["cuda"] = torch.version.cuda
    environment["versions"]["cudnn"] = torch.backends.cudnn.version()
    return {
        "mode": mode,
        "config": config.source.filename,
        "settings": {name: _plain(value) for name, value in asdict(settings).items()},
        "environment": environment | {"cpu": _cpu_name(), "cores": available_cores(), "threads": _threads()},
        "cases": [asdict(case) for case in cases],
    }


def format_cases(cases: Sequence[Case]) -> str:
    """Return a table for people: a line a figure, its spread beside it."""
    columns = ("median", "min", "lower_quartile", "upper_quartile", "p95", "max")
    lines = []
    for case in cases:
        lines.append(f"{case.name}\n  {'':30}" + "".join(f"{name.replace('_', ' '):>16}" for name in columns))
        for name, value in case.figures.items():
            values = [getattr(value, column) for column in columns] if isinstance(value, Spread) else [value]
            lines.append(f"  {name:30}" + "".join(f"{_shown(number):>16}" for number in values))
        lines += [f"  {note}" for note in case.notes]
    return "\n".join(lines)


def _shown(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, torch.device | Path) else value


def _threads() -> dict[str, Any]:
    return {"torch": torch.get_num_threads(), "cv2": cv2.getNumThreads(), "omp": os.environ.get("OMP_NUM_THREADS")}


def _cpu_name() -> str:
    """Return the processor's name, where Linux tells it."""
    path = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in path.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()
