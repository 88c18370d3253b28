"""The contract of a hook: the methods that a run calls, with what, when, and what they may do.

A hook has those of these methods that it needs; it may subclass `TrainingHook`, but need not. docs/hooks.md says more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from mmdet.engine.training.hooks.training_run import TrainingRun
from mmdet.engine.training.validation import Validation
from mmdet.structures import ClipBatch

Figures = Mapping[str, Tensor | float]


class TrainingHook(Protocol):
    """All methods, each of which does nothing.

    They are called in every process, in the order of `custom_hooks`, and outside of CUDA graphs.
    """

    def before_run(self, run: TrainingRun) -> None:
        """At the start, also of a resumed run, when the state is restored."""

    def before_epoch(self, run: TrainingRun) -> None:
        """Before the first step of an epoch, and before the first of a run that resumes within one."""

    def before_step(self, run: TrainingRun, batches: Sequence[ClipBatch]) -> None:
        """Before a step on these batches, which lie on the CPU; its learning rate is set."""

    def after_step(self, run: TrainingRun, figures: Mapping[str, Tensor]) -> Figures | None:
        """After a step with these figures, scalars on the device, and before weights are averaged.

        May return figures of its own, scalars on the device or numbers, which the log averages like the others.
        """

    def after_epoch(self, run: TrainingRun) -> None:
        """After the last step of an epoch, before the checkpoint of the epoch is written."""

    def before_validation(self, run: TrainingRun) -> None:
        """Before a validation, after the checkpoint of the step was written."""

    def after_validation(self, run: TrainingRun, found: Validation) -> None:
        """After a validation. It comes a second time for the same step if a run is cut off before it is logged."""

    def after_run(self, run: TrainingRun) -> None:
        """At the end: all steps are done, or a hook has stopped the run. Not after an error or a signal."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return tensors and plain values for checkpoints; the main process writes them."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` has returned, in every process, before `before_run`."""


# event -> number of arguments
EVENTS = {
    "before_run": 1,
    "before_epoch": 1,
    "before_step": 2,
    "after_step": 2,
    "after_epoch": 1,
    "before_validation": 1,
    "after_validation": 2,
    "after_run": 1,
}
