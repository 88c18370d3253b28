"""Compare an exported model with PyTorch: its numbers, and its speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.engine.exporting.job import ExportJob, Run

TOLERANCE = 1e-4  # of the largest number of each output
ROUNDS, WARMUP = 20, 3
MS = 1e3  # in a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far an output is from PyTorch's."""

    name: str
    share: float  # largest difference, as a share of the output's largest number; of masks: share of other pixels

    @property
    def is_small(self) -> bool:
        """Whether only rounding differs. False for what is not finite."""
        return self.share <= TOLERANCE


def differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[Difference]:
    """Compare outputs by name, where slots are filled: the others have no meaning."""
    filled = expected["filled"].cpu()
    result = []
    for name, wanted in expected.items():
        pair = [value.cpu() for value in (wanted, found[name])]
        if pair[0].shape[:2] == filled.shape and name != "filled":
            pair = [value[filled] for value in pair]
        result.append(Difference(name=name, share=_share(*pair)))
    return result


def _share(wanted: Tensor, found: Tensor) -> float:
    if wanted.shape != found.shape:
        return float("inf")
    if wanted.numel() == 0:
        return 0.0
    if wanted.dtype == torch.bool:
        return float((wanted != found).float().mean())
    wanted, found = wanted.double(), found.double()
    return float((wanted - found).abs().max() / wanted.abs().max().clamp(min=1e-12))


def times_ms(programs: Mapping[str, Run], job: ExportJob) -> dict[str, float]:
    """Return the median time of a call of each program. They take turns, so that all see the same machine."""
    images = job.frames(job.batch or 1)
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(WARMUP + ROUNDS):
        for name, run in programs.items():
            _wait(job.device)
            start = time.perf_counter()
            run(images)
            _wait(job.device)
            taken[name].append(MS * (time.perf_counter() - start))
    return {name: statistics.median(values[WARMUP:]) for name, values in taken.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
