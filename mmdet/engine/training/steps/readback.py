"""Copy a step's figures from the device to the host without waiting for the step that was just launched.

From a GPU they arrive one step late, through page-locked memory; on the CPU at once.
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
    """The figures of one optimiser step, known once the device has finished it."""

    step: int  # 1 for the first
    figures: dict[str, float]
    batches: tuple[str, ...]  # names of the batches, for error messages
    images: int  # number of images on all processes

    @property
    def finite_losses(self) -> bool:
        """Whether every loss term is a number."""
        return all(math.isfinite(value) for name, value in self.figures.items() if name.startswith("loss"))

    def describe(self) -> str:
        """Return all figures and the batches as text, for error messages."""
        shown = ", ".join(f"{name} {value:.6g}" for name, value in self.figures.items())
        return f"{shown}; trained on {'; '.join(self.batches)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    to_be: StepFigures  # still without figures
    names: tuple[str, ...]
    values: Tensor
    copied: torch.cuda.Event | None


class Readback:
    """A queue of figures being copied. On a GPU at most one stays in it."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._pending: deque[_Pending] = deque()

    def put(self, step: int, figures: Mapping[str, Tensor], batches: tuple[str, ...], images: int) -> None:
        """Start copying a step's scalars, which must all be on the device."""
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
        """Yield the figures that have arrived: on a GPU all but those of the latest step, with `everything` all."""
        while len(self._pending) > (1 if self._on_gpu and not everything else 0):
            pending = self._pending.popleft()
            if pending.copied is not None:
                pending.copied.synchronize()
            yield replace(pending.to_be, figures=dict(zip(pending.names, pending.values.tolist(), strict=True)))
