"""The report of a benchmark: its cases, the whole report as plain values, and a table for people.

`tools/benchmark.py` is the command line.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import torch

from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.benchmark.timing import Spread
from mmdet.config import RunConfig
from mmdet.engine.process.devices import available_cores
from mmdet.engine.training.run_about import describe_environment

_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The figures measured under one set of conditions, by names that end with the unit."""

    name: str
    figures: dict[str, float | Spread]
    notes: tuple[str, ...] = ()


def make_report(mode: str, config: RunConfig, settings: BenchmarkSettings, cases: Sequence[Case]) -> dict[str, Any]:
    """Return the whole report as plain values: what ran, on which machine, with which versions, and all figures."""
    environment = describe_environment().to_plain()
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
    """Return a table for people: one line per figure, with its spread."""
    columns = ("median", "min", "lower_quartile", "upper_quartile", "p95", "max")
    lines = []
    for case in cases:
        lines.append(f"{case.name}\n  {'':30}" + "".join(f"{name.replace('_', ' '):>16}" for name in columns))
        for name, value in case.figures.items():
            values = [getattr(value, column) for column in columns] if isinstance(value, Spread) else [value]
            lines.append(f"  {name:30}" + "".join(f"{_rounded(number):>16}" for number in values))
        lines += [f"  {note}" for note in case.notes]
    return "\n".join(lines)


def _rounded(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, torch.device | Path) else value


def _threads() -> dict[str, Any]:
    return {"torch": torch.get_num_threads(), "cv2": cv2.getNumThreads(), "omp": os.environ.get("OMP_NUM_THREADS")}


def _cpu_name() -> str:
    """Return the processor's name, from Linux where that is the system."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
