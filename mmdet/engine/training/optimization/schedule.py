"""The learning rate as a pure function of the step, and the length of a run.

Source: MODEL.md 6, last paragraph; "poly" and "one_cycle" are torch's PolynomialLR and OneCycleLR. Steps are 0-based
optimiser steps.
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
    """Return the factor of the warm-up. Linear (MODEL.md 6): lr_t = lr * (1 - (1 - t / 1000) * (1 - 1 / 80))."""
    if step >= settings.warmup_steps:
        return 1.0
    if settings.warmup == "constant":
        return settings.warmup_ratio
    return 1 - (1 - step / settings.warmup_steps) * (1 - settings.warmup_ratio)


def _decay(step: int, settings: ScheduleSection, steps_per_epoch: int) -> float:
    total = total_steps(settings, steps_per_epoch)
    if settings.decay == "constant":
        return 1.0
    if settings.decay == "one_cycle":
        return _one_cycle(step, settings, total)
    if settings.decay == "step":
        unit = steps_per_epoch if settings.milestone_unit == "epoch" else total
        return settings.gamma ** sum(step >= milestone * unit for milestone in settings.milestones)
    done = _clamped(step - settings.warmup_steps, total - settings.warmup_steps)
    if settings.decay == "cosine":
        return _half_cosine(1.0, settings.end_ratio, done)
    return settings.end_ratio + (1 - settings.end_ratio) * (1 - done) ** settings.power


def _one_cycle(step: int, settings: ScheduleSection, total: int) -> float:
    """Rise by half a cosine to 1, then fall by another to the end, which the last step has."""
    peak = max(settings.rise * total - 1, 0.0)
    if step < peak:
        return _half_cosine(settings.start_ratio, 1.0, step / peak)
    return _half_cosine(1.0, settings.end_ratio, _clamped(step - peak, total - 1 - peak))


def _half_cosine(start: float, end: float, done: float) -> float:
    """Go from `start` to `end` while `done` goes from 0 to 1, slowly at both ends."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


def _clamped(part: float, whole: float) -> float:
    """Return part / whole within [0, 1]; 0 at the start of nothing."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else float(part > 0)
