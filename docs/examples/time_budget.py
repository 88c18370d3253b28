"""A hook: it ends a run when its time is used up, and logs the time. What it has counted goes into checkpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmdet.config.ranges import Positive
from mmdet.engine.training.hooks import TrainingRun
from mmdet.registry import HOOKS


@HOOKS.register_module()
class TimeBudget:
    """Stops a run after `minutes` of training, the time before it was resumed included."""

    def __init__(self, minutes: Positive) -> None:
        self.budget_s = 60 * minutes
        self.spent_s = 0.0  # in finished steps
        self._since = time.monotonic()

    def before_run(self, run: TrainingRun) -> None:
        """Say how much time is left, and start the clock."""
        run.say(f"training stops after {self.budget_s / 60:g} minutes; {self.spent_s / 60:.1f} of them are over")
        self._since = time.monotonic()

    def after_step(self, run: TrainingRun, figures: Mapping[str, Tensor]) -> dict[str, float]:
        """Count the time; return it as a figure of the log. Reading `figures` here would wait for the GPU."""
        now = time.monotonic()
        self.spent_s, self._since = self.spent_s + now - self._since, now
        if self.spent_s >= self.budget_s:
            run.stop(f"{self.budget_s / 60:g} minutes are over")
        return {"minutes": self.spent_s / 60}

    def after_validation(self, run: TrainingRun, found: object) -> None:
        """Do not count the validation."""
        self._since = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return what checkpoints keep."""
        return {"spent_s": self.spent_s}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting in a resumed run."""
        self.spent_s = float(state["spent_s"])
