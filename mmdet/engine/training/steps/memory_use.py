"""How a run uses the slots of its model's memory: figures that stay on the device until all are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from mmdet.structures import ClipBatch, HeadOutputs

SLOTS_A_STEP = "memory_slots_a_step"  # slots that a step has written
SLOTS_WRITTEN = "memory_slots_written"  # slots that have been written since the start of the run
READ_ENTROPY = "memory_read_entropy"  # of the weights of slots, where objects are; 1: all count alike; -1: no objects


@runtime_checkable
class ReadsMemory(Protocol):
    """A model that can say how its memory is read."""

    def read_entropy(self, outputs: Sequence[HeadOutputs], batches: Sequence[ClipBatch]) -> Tensor | None:
        """Return the mean entropy of the weights, as a ratio of the largest possible one; None if it is not known."""


class MemoryUse:
    """Which slots have been written since the start of the run."""

    def __init__(self) -> None:
        self._written: Tensor | None = None  # (M,) bool, on the device; None: nothing was told so far
        self._before: tuple[
            int, ...
        ] = ()  # slots written before the run was resumed, until the number of slots is known

    def meet(self, counts: Tensor | None, measure: bool) -> dict[str, Tensor]:
        """Count what a step wrote to each slot, (M,); None: the model has no such memory. Return figures.

        `measure`: also how many slots have been written so far.
        """
        if counts is None:
            return {}
        now = counts > 0
        if self._written is None:
            self._written = torch.zeros_like(now)
            if self._before:
                self._written[[slot for slot in self._before if slot < len(now)]] = True
        self._written = self._written | now
        figures = {SLOTS_A_STEP: now.sum()}
        return {**figures, SLOTS_WRITTEN: self._written.sum()} if measure else figures

    @property
    def written(self) -> tuple[int, ...]:
        """The slots that have been written, which a resumed run needs. Waits for the device."""
        return self._before if self._written is None else tuple(self._written.nonzero()[:, 0].tolist())

    def take_up(self, written: Sequence[int]) -> None:
        """Go on from the slots written in the resumed run."""
        self._before, self._written = tuple(written), None
