"""The plan of a run: its epochs, steps and batches, and the steps after which it saves and validates.

Everything is a pure function of the number of finished optimiser steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mmdet.config import RuntimeSection, ScheduleSection
from mmdet.engine.training.optimization.schedule import learning_rate_factor, total_steps
from mmdet.errors import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The position of a run, and numbers that must not change when it goes on. None: not in an older checkpoint."""

    step: int  # finished optimiser steps
    epoch: int | None  # finished epochs
    batch: int | None  # finished batches of the epoch
    batches_per_epoch: int | None
    accumulate: int | None
    pairs_a_batch: int | None  # of all processes
    world_size: int | None

    def to_plain(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Position:
        """Read plain values of a checkpoint. Raises TypeError, or KeyError if the step is missing."""
        if type(plain["step"]) is not int or plain["step"] < 0:
            raise TypeError(f"step {shown(plain['step'])}")
        values: dict[str, Any] = {name: plain.get(name) for name in cls.__slots__}
        odd = [name for name, value in values.items() if not (value is None or type(value) is int)]
        if odd:
            raise TypeError(f"{odd[0]} {shown(values[odd[0]])}")
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The plan that follows from schedule and data. Steps count finished steps, 0 at the start."""

    schedule: ScheduleSection
    runtime: RuntimeSection
    batches_per_epoch: int  # of each process
    pairs_a_batch: int  # of all processes
    world_size: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch. The last one of an epoch may have fewer batches."""
        return -(-self.batches_per_epoch // self.runtime.accumulate)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return total_steps(self.schedule, self.steps_per_epoch)

    def learning_rate_factor(self, step: int) -> float:
        """Return the factor of the learning rate in the step after `step` finished steps."""
        return learning_rate_factor(step, self.schedule, self.steps_per_epoch)

    def position(self, step: int) -> Position:
        """Return the position of the run after `step` steps."""
        epoch, steps_done = divmod(step, self.steps_per_epoch)
        return Position(
            step=step,
            epoch=epoch,
            batch=steps_done * self.runtime.accumulate,
            batches_per_epoch=self.batches_per_epoch,
            accumulate=self.runtime.accumulate,
            pairs_a_batch=self.pairs_a_batch,
            world_size=self.world_size,
        )

    def checkpoint_name(self, step: int) -> str:
        """Return the name of the file for the state after `step` steps."""
        epoch, rest = divmod(step, self.steps_per_epoch)
        return f"step_{step}.pth" if rest else f"epoch_{epoch}.pth"

    def checkpoint_due(self, step: int) -> bool:
        """Return whether to save the state after `step` steps."""
        every_steps = self.runtime.checkpoint_every_steps
        return (
            step == self.total_steps
            or self._ends_epoch(step, self.runtime.checkpoint_every)
            or (every_steps is not None and step % every_steps == 0)
        )

    def log_due(self, step: int) -> bool:
        """Return whether the means of the figures are written after `step` steps."""
        return step == self.total_steps or step % self.runtime.log_every == 0

    def validation_due(self, step: int) -> bool:
        """Return whether to validate the model after `step` steps."""
        return step == self.total_steps or (step > 0 and self._ends_epoch(step, self.runtime.validate_every))

    def _ends_epoch(self, step: int, interval: int) -> bool:
        """Return whether `step` steps are whole epochs whose number is a multiple of `interval`."""
        epoch, rest = divmod(step, self.steps_per_epoch)
        return rest == 0 and epoch % interval == 0
