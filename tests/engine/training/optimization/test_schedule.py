"""The learning rate's course, against the formulas."""

import math

import pytest

from mmdet.config import ScheduleSection
from mmdet.engine.training.optimization.schedule import learning_rate_factor, total_steps
from mmdet.errors import UserError

RECIPE = ScheduleSection(epochs=12, warmup_steps=1000, warmup_ratio=1 / 80, milestones=[8, 11])


@pytest.mark.parametrize("step", [0, 1, 250, 999])
def test_warm_up_follows_the_published_formula(step):
    expected = 1 - (1 - step / 1000) * (1 - 1 / 80)
    assert learning_rate_factor(step, RECIPE, 5000) == pytest.approx(expected, rel=1e-12)


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
