"""Stop a run early: when the validated figure has not risen for some validations. A hook like any other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmdet.config.sections import EarlyStopSection
from mmdet.engine.training.hooks.training_run import TrainingRun
from mmdet.engine.training.validation import SELECTED_BY, Validation
from mmdet.errors import UserError
from mmdet.evaluation.ap.tables import per_cent


class EarlyStop:
    """Counts the validations since the last one whose figure rose by more than `min_delta` above the best."""

    def __init__(self, settings: EarlyStopSection) -> None:
        self.settings = settings
        self.best, self.best_step = -math.inf, 0
        self.waited = 0  # validations since then
        self.counted_step = 0  # of the last validation that was counted

    def before_run(self, run: TrainingRun) -> None:
        """Do not go on with a run that had stopped already, unless the patience is larger now."""
        self._stop_if_due(run)

    def after_validation(self, run: TrainingRun, found: Validation) -> None:
        """Count a validation; the same one counts once, even if it is repeated."""
        if run.step <= self.counted_step:
            return
        figure = float(found.figures.get(SELECTED_BY, -math.inf))
        self.counted_step = run.step
        if figure > self.best + self.settings.min_delta:
            self.best, self.best_step, self.waited = figure, run.step, 0
        else:
            self.waited += 1
        self._stop_if_due(run)

    def _stop_if_due(self, run: TrainingRun) -> None:
        if self.waited < self.settings.patience:
            return
        count = f"{self.waited} validation{'s' if self.waited > 1 else ''}"
        if self.best == -math.inf:
            run.stop(f"no {SELECTED_BY} was found in {count}")
            return
        delta = self.settings.min_delta
        rise = f"risen by more than {per_cent(delta)} above" if delta else "risen above"
        best = f"the {per_cent(self.best)} per cent of step {self.best_step}"
        run.stop(f"{SELECTED_BY} has not {rise} {best} in {count} (runtime.early_stop.patience)")

    def state_dict(self) -> Mapping[str, Any]:
        """Return what has been counted."""
        names = ("best", "best_step", "waited", "counted_step")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting. Raises UserError for values that no run has saved."""
        values = [state.get("best"), *(state.get(name) for name in ("best_step", "waited", "counted_step"))]
        if type(values[0]) is not float or not all(type(value) is int for value in values[1:]):
            raise UserError("the state of runtime.early_stop in the checkpoint is damaged: leave the key out")
        self.best, self.best_step, self.waited, self.counted_step = values  # type: ignore[assignment]
