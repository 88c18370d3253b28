"""How a run is divided, and what is due after which step."""

import pytest

from mmdet.config import RuntimeSection, ScheduleSection
from mmdet.engine.training.plan import Position, RunPlan


def plan(schedule=None, **runtime):
    """A plan of epochs of 7 batches of 4 pairs on 2 processes."""
    return RunPlan(
        schedule=schedule or ScheduleSection(epochs=3),
        runtime=RuntimeSection(**runtime),
        batches_per_epoch=7,
        pairs_a_batch=4,
        world_size=2,
    )


def steps_where(due, last):
    return [step for step in range(1, last + 1) if due(step)]


def test_the_last_step_of_an_epoch_may_have_fewer_batches():
    accumulating = plan(accumulate=3)
    assert (accumulating.steps_per_epoch, accumulating.total_steps) == (3, 9)
    assert plan(ScheduleSection(steps=10), accumulate=3).total_steps == 10


def test_epoch_and_batch_follow_from_the_step():
    position = plan(accumulate=3).position(5)
    assert (position.step, position.epoch, position.batch) == (5, 1, 6)
    assert (position.batches_per_epoch, position.accumulate, position.pairs_a_batch, position.world_size) == (
        7, 3, 4, 2,
    )  # fmt: skip
    assert Position.from_plain(position.to_plain()) == position


def test_checkpoints_are_named_by_whole_epochs_and_else_by_steps():
    assert [plan().checkpoint_name(step) for step in (6, 7, 8, 14)] == [
        "step_6.pth", "epoch_1.pth", "step_8.pth", "epoch_2.pth",
    ]  # fmt: skip


def test_checkpoints_and_validations_are_due_at_their_intervals_and_at_the_end():
    rare = plan(checkpoint_every=2, checkpoint_every_steps=9, validate_every=2)
    assert steps_where(rare.checkpoint_due, 21) == [9, 14, 18, 21]
    assert steps_where(rare.validation_due, 21) == [14, 21]
    assert not rare.validation_due(0)


@pytest.mark.parametrize("plain", [{"step": -1}, {"step": "7"}, {"step": True}, {"step": 1, "batch": 0.5}, 5])
def test_a_position_that_no_run_saved_is_refused(plain):
    with pytest.raises(TypeError):
        Position.from_plain(plain)
