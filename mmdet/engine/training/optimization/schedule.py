"""The learning rate as a pure function of the step, and the length of a run.

Source: MODEL.md 6, last paragraph. Steps are 0-based optimiser steps.
"""

from __future__ import annotations

import math

from mmdet.config import ScheduleSection


def total_steps(settings: ScheduleSection, steps_per_epoch: int) -> int:
    """Return the number of optimiser steps of a run."""
    if settings.epochs is not None:
        return settings.epochs * steps_per_epoch
    assert settings.steps is not None
    return settings.steps


def learning_rate_factor(step: int, settings: ScheduleSection, steps_per_epoch: int) -> float:
    """Return the factor of the learning rate in step `step`: warm-up times decay."""
    return _warm_up(step, settings) * _decay(step, settings, steps_per_epoch)


def _warm_up(step: int, settings: ScheduleSection) -> float:
    """Return the factor of the warm-up. MODEL.md 6: lr_t = lr * (1 - (1 - t / 1000) * (1 - 1 / 80))."""
    if step >= settings.warmup_steps:
        return 1.0
    return 1 - (1 - step / settings.warmup_steps) * (1 - settings.warmup_ratio)


def _decay(step: int, settings: ScheduleSection, steps_per_epoch: int) -> float:
    total = total_steps(settings, steps_per_epoch)
    if settings.decay == "cosine":  # from the end of the warm-up to zero at the end of the run
        done = (step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))
    unit = steps_per_epoch if settings.milestone_unit == "epoch" else total
    return settings.gamma ** sum(step >= milestone * unit for milestone in settings.milestones)
