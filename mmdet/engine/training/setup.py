"""What a run is made of before it starts: model, optimiser, data, settings, and the information about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from mmdet.config import EmaSection, RuntimeSection, ScheduleSection
from mmdet.engine.process.processes import Ranks
from mmdet.engine.training.plan import RunPlan
from mmdet.engine.training.run_about import RunAbout
from mmdet.engine.training.validation import Validation
from mmdet.errors import UserError
from mmdet.structures import ClipBatch

if TYPE_CHECKING:
    from mmdet.models.detectors.vis_model import VISModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainSetup:
    """Everything that a trainer needs: model, data, settings, work dir, and the information about the run."""

    model: VISModel
    optimizer: torch.optim.Optimizer
    loader: DataLoader[ClipBatch]
    schedule: ScheduleSection
    runtime: RuntimeSection
    ema: EmaSection | None = None
    ranks: Ranks
    work_dir: Path
    about: RunAbout  # of this run; its config and data are compared when the run resumes
    max_bad_frames: int = 0
    config_file: Path = Path("CONFIG")  # shown in the command that tests the result
    # called in every process with the model, or with its moving average if there is one
    validate: Callable[[VISModel], Validation] | None = None
    hooks: Sequence[Any] = ()  # see mmdet.engine.training.hooks.contract

    def plan(self) -> RunPlan:
        """Return the plan of the run. Raises UserError if there is nothing to train on."""
        if len(self.loader) == 0:
            raise UserError("config.data.train.datasets: there is not one item to train on")
        sampler: Any = self.loader.batch_sampler
        return RunPlan(
            schedule=self.schedule,
            runtime=self.runtime,
            batches_per_epoch=len(self.loader),
            pairs_a_batch=sampler.batch_size * self.ranks.world_size,
            world_size=self.ranks.world_size,
        )
