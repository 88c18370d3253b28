"""The learning rate's course, against the formulas."""

import math

import pytest
import torch
from timm.scheduler import CosineLRScheduler, PolyLRScheduler
from torch.optim import lr_scheduler

from mmdet.config import ScheduleSection, load_config
from mmdet.engine.training.optimization.schedule import learning_rate_factor, total_steps
from mmdet.errors import UserError

RECIPE = ScheduleSection(epochs=12, warmup_steps=1000, warmup_ratio=1 / 80, milestones=[8, 11])


@pytest.mark.parametrize("step", [0, 1, 250, 999])
def test_warm_up_follows_the_published_formula(step):
    expected = 1 - (1 - step / 1000) * (1 - 1 / 80)
    assert learning_rate_factor(step, RECIPE, 5000) == pytest.approx(expected, rel=1e-12)


def test_a_constant_warm_up_stays_at_its_rate_and_ends_at_once():
    settings = ScheduleSection(steps=2000, warmup="constant", warmup_steps=500, warmup_ratio=1 / 3)
    assert [learning_rate_factor(step, settings, 7) for step in (0, 250, 499, 500)] == [1 / 3, 1 / 3, 1 / 3, 1]


@pytest.mark.parametrize(
    ("step", "factor"), [(1000, 1), (39_999, 1), (40_000, 0.1), (54_999, 0.1), (55_000, 0.01), (59_999, 0.01)]
)
def test_steps_come_after_the_epochs_of_the_milestones(step, factor):
    assert learning_rate_factor(step, RECIPE, 5000) == pytest.approx(factor)


def test_milestones_may_be_fractions_of_the_run():
    settings = ScheduleSection(steps=100, milestones=[0.5, 0.9], milestone_unit="fraction", gamma=0.5)
    assert [learning_rate_factor(step, settings, 7) for step in (49, 50, 89, 90)] == [1, 0.5, 0.5, 0.25]


def test_cosine_falls_from_the_warm_up_to_zero():
    settings = ScheduleSection(steps=110, warmup_steps=10, warmup_ratio=0.1, decay="cosine")
    assert learning_rate_factor(0, settings, 7) == pytest.approx(0.1)
    assert learning_rate_factor(10, settings, 7) == pytest.approx(1)
    assert learning_rate_factor(35, settings, 7) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert learning_rate_factor(110, settings, 7) == pytest.approx(0)


def test_decay_goes_on_during_a_warm_up():
    settings = ScheduleSection(epochs=4, warmup_steps=20, warmup_ratio=0.0, milestones=[1])
    assert learning_rate_factor(10, settings, 10) == pytest.approx(0.5 * 0.1)


def test_length_is_given_in_epochs_or_steps():
    assert total_steps(ScheduleSection(epochs=3), 7) == 21
    assert total_steps(ScheduleSection(steps=5), 7) == 5


@pytest.mark.parametrize("lengths", [{}, {"epochs": 1, "steps": 1}])
def test_a_schedule_without_one_length_is_refused(lengths):
    with pytest.raises(UserError, match="one of epochs and steps"):
        ScheduleSection(**lengths)


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(scheduler, count):
    """Return the learning rates of a torch scheduler's steps."""
    found = []
    for _ in range(count):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return found


STEPS = 40
IN_TORCH = {
    "step": (
        {"milestones": [2, 3], "gamma": 0.3},
        lambda own: lr_scheduler.MultiStepLR(own, [20, 30], gamma=0.3),
    ),
    "cosine": ({"end_ratio": 0.05}, lambda own: lr_scheduler.CosineAnnealingLR(own, STEPS, eta_min=0.05)),
    "poly": ({"power": 2.0}, lambda own: lr_scheduler.PolynomialLR(own, STEPS, power=2.0)),
    "one_cycle": (
        {"rise": 0.25, "start_ratio": 0.1, "end_ratio": 0.002},
        lambda own: lr_scheduler.OneCycleLR(
            own, 1.0, STEPS, pct_start=0.25, div_factor=10, final_div_factor=50, cycle_momentum=False
        ),
    ),
    "constant": ({}, lambda own: lr_scheduler.ConstantLR(own, factor=1.0)),
}


@pytest.mark.parametrize("decay", IN_TORCH)
def test_every_decay_is_the_one_of_torch(decay):
    settings, make = IN_TORCH[decay]
    section = ScheduleSection(epochs=4, decay=decay, **settings)
    found = [learning_rate_factor(step, section, 10) for step in range(STEPS)]
    assert found == pytest.approx(rates(make(optimizer()), STEPS), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        ({"decay": "cosine", "end_ratio": 0.1}, lambda own: CosineLRScheduler(own, t_initial=STEPS, lr_min=0.1)),
        (
            {"decay": "poly", "power": 0.9, "end_ratio": 0.1},
            lambda own: PolyLRScheduler(own, t_initial=STEPS, lr_min=0.1, power=0.9),
        ),
    ],
)
def test_an_end_above_zero_is_that_of_timm(settings, make):
    own = optimizer()
    scheduler = make(own)
    section = ScheduleSection(steps=STEPS, **settings)
    for step in range(STEPS):
        scheduler.step(step)
        assert learning_rate_factor(step, section, 10) == pytest.approx(own.param_groups[0]["lr"], rel=1e-9)


def test_poly_falls_from_the_end_of_the_warm_up():
    section = ScheduleSection(steps=110, warmup_steps=10, warmup_ratio=0.1, decay="poly", power=1.0)
    found = [learning_rate_factor(step, section, 7) for step in (0, 10, 60, 109)]
    assert found == pytest.approx([0.1, 1, 0.5, 0.01])


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("decay", IN_TORCH)
def test_the_shortest_runs_have_learning_rates_too(decay, steps):
    section = ScheduleSection(steps=steps, decay=decay)
    assert all(0 <= learning_rate_factor(step, section, 1) <= 1 for step in range(steps))
    assert max(learning_rate_factor(step, section, 1) for step in range(steps)) == 1


def test_a_warm_up_before_one_cycle_is_refused_with_the_remedy():
    with pytest.raises(
        UserError, match=r"warmup_steps is 1000, .* set schedule.warmup_steps=0 and choose schedule.rise"
    ):
        ScheduleSection(epochs=1, warmup_steps=1000, decay="one_cycle")


@pytest.mark.parametrize("decay", ["poly", "one_cycle", "constant"])
def test_a_config_is_given_another_decay_on_the_command_line(decay):
    values = [f"schedule.decay={decay}", "schedule.warmup_steps=0"]
    assert load_config("configs/demo/memcnp_demo.py", values).schedule.decay == decay
