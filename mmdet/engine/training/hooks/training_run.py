"""What hooks see of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

from mmdet.engine.process.processes import Ranks
from mmdet.engine.training.plan import RunPlan

if TYPE_CHECKING:
    from mmdet.models.detectors.vis_model import VISModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRun:
    """A run as its hooks see it. Values of weights and of the optimiser's groups may be changed, in place."""

    model: VISModel
    averaged_model: VISModel | None  # with the moving average of the weights, if the config has `ema`
    optimizer: Optimizer
    plan: RunPlan  # what is due after which step
    ranks: Ranks  # which process this is
    work_dir: Path
    say: Callable[[str], None]  # writes a line to the log, in the main process
    finished_steps: Callable[[], int]
    stop_reasons: list[str] = field(default_factory=list)

    @property
    def step(self) -> int:
        """Finished optimiser steps."""
        return self.finished_steps()

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.step // self.plan.steps_per_epoch

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.plan.total_steps

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files."""
        return self.ranks.is_main

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.ranks.device

    def stop(self, reason: str) -> None:
        """End the run after the current step, or after the next one on a GPU, as if it had been its last one.

        One process is enough. `reason` is written to the log. The checkpoint is saved, and the exit code is 0.
        """
        self.stop_reasons.append(reason)
