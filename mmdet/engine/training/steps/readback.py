"""Bring a step's figures from the device to the host without waiting for the step that has just been launched.

On a GPU they come one step late, through page-locked memory; on the CPU at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """What is known of one optimiser step once the device has done it."""

    step: int  # 1 for the first
    figures: dict[str, float]
    batches: tuple[str, ...]  # names of what was trained on, for error messages
    images: int  # how many that were, on all processes

    @property
    def finite_losses(self) -> bool:
        """Whether every loss term is a number."""
        return all(math.isfinite(value) for name, value in self.figures.items() if name.startswith("loss"))

    def describe(self) -> str:
        """Name all figures and what was trained on, for error messages."""
        shown = ", ".join(f"{name} {value:.6g}" for name, value in self.figures.items())
        return f"{shown}; trained on {'; '.join(self.batches)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    to_be: StepFigures  # without its figures
    names: tuple[str, ...]
    values: Tensor
    copied: torch.cuda.Event | None


class Readback:
    """A queue of figures under way; at most one stays in it on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._pending: deque[_Pending] = deque()

    def put(self, step: int, figures: Mapping[str, Tensor], batches: tuple[str, ...], images: int) -> None:
        """Start the way of a step's scalars, all on the device."""
        values = torch.stack([figure.detach().float().reshape(()) for figure in figures.values()])
        copied = None
        if self._on_gpu:
            host = torch.empty(values.shape, pin_memory=True)
            host.copy_(values, non_blocking=True)
            values, copied = host, torch.cuda.Event()
            copied.record()
        to_be = StepFigures(step=step, figures={}, batches=batches, images=images)
        self._pending.append(_Pending(to_be=to_be, names=tuple(figures), values=values, copied=copied))

    def take(self, everything: bool = False) -> Iterator[StepFigures]:
        """Yield what has arrived: all but the latest step on a GPU, all if `everything` is asked for."""
        while len(self._pending) > (1 if self._on_gpu and not everything else 0):
            pending = self._pending.popleft()
            if pending.copied is not None:
                pending.copied.synchronize()
            yield replace(pending.to_be, figures=dict(zip(pending.names, pending.values.tolist(), strict=True)))
