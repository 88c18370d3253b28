"""Use the figures of finished steps: write the log, pass on a stop signal, end a run that is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mmdet.engine.process.endings import RunEnded
from mmdet.engine.process.memory import memory_figures
from mmdet.engine.process.processes import Ranks
from mmdet.engine.training.logs.train_log import TrainLog
from mmdet.engine.training.plan import RunPlan
from mmdet.engine.training.steps.idle_steps import IdleSteps
from mmdet.engine.training.steps.memory_use import READ_ENTROPY
from mmdet.engine.training.steps.readback import Readback, StepFigures
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.ops.collectives import gather_objects, largest_over_ranks
from mmdet.structures import ClipBatch

# A float16 step that overflows is skipped and the loss scale halved. From torch's first scale, 2**16, this many
# halvings in a row lead below 1, so the scale is not the problem.
MAX_SKIPPED_STEPS = 25
STOP_BY_HOOK = 1000  # instead of a signal's number
STOP_SIGNAL = "stop_signal"  # sent with the figures, so that all processes stop after the same step


class StepReports:
    """Figures on their way to the host and then into the log.

    `stop_signal` is the signal that all processes agreed on, STOP_BY_HOOK, or 0.
    """

    def __init__(self, plan: RunPlan, ranks: Ranks, make_step: TrainStep, log: TrainLog) -> None:
        self.stop_signal = 0
        self._plan, self._ranks, self._make_step, self._log = plan, ranks, make_step, log
        self._readback = Readback(ranks.device)
        self._skipped = 0  # skipped steps in a row
        self._idle = IdleSteps()

    def put(self, step: int, figures: Mapping[str, Tensor], batches: Sequence[ClipBatch], received: int) -> None:
        """Start copying the figures of step number `step`, and the signal that this process has received."""
        agreed = largest_over_ranks(received, self._ranks.device)
        images = sum(batch.images.shape[:2].numel() for batch in batches) * self._ranks.world_size
        names = tuple(batch.describe() for batch in batches)
        self._readback.put(step, {**figures, STOP_SIGNAL: agreed}, names, images)

    def read(self, everything: bool = False) -> None:
        """Log the steps whose figures have arrived. Raises RunEnded if one was not finite."""
        for done in self._readback.take(everything):
            figures = dict(done.figures)
            self.stop_signal = self.stop_signal or int(figures.pop(STOP_SIGNAL))
            self._skipped = 0 if math.isfinite(figures["grad_norm"]) else self._skipped + 1
            self._idle.meet(figures["grad_norm"], self._log.say)
            if self._skipped:
                if not self._make_step.scaler.is_enabled() or self._skipped >= MAX_SKIPPED_STEPS:
                    self._fail(replace(done, figures=figures))
                figures = {}  # they would spoil the means
            factor = self._plan.learning_rate_factor(done.step - 1)
            figures["lr"] = self._make_step.optimizer.defaults["lr"] * factor
            if figures.get(READ_ENTROPY, 0) < 0:  # no object in the batch
                del figures[READ_ENTROPY]
            if self._plan.log_due(done.step):
                figures |= memory_figures(self._ranks.device)
            if self._ranks.device.type == "cuda":
                figures["peak_gib"] = torch.cuda.max_memory_allocated(self._ranks.device) / 2**30
            self._log.step(done.step, figures, done.images, self._skipped > 0)

    def _fail(self, done: StepFigures) -> None:
        """Raise the same error in every process after the same step; it names the processes that caused it."""
        reports = gather_objects(done)
        causes = [report for report in reports if not report.finite_losses] or reports
        epoch = 1 + (done.step - 1) // self._plan.steps_per_epoch
        raise RunEnded(
            f"step {done.step} (epoch {epoch}) is not finite, it was not made: "
            f"{' | '.join(cause.describe() for cause in causes)}. Try a lower learning rate, more warm-up or --amp off"
        )
