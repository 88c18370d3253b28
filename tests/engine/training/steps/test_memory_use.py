"""How the slots of the memory are used: counted over a run, and exactly so over a resumed one."""

import torch

from mmdet.engine.training.steps.memory_use import SLOTS_A_STEP, SLOTS_WRITTEN, MemoryUse


def told(figures):
    return {name: int(value) for name, value in figures.items()}


def test_slots_are_counted_by_step_and_since_the_start():
    use = MemoryUse()
    assert told(use.meet(torch.tensor([3.0, 0.0, 0.5, 0.0]), measure=False)) == {SLOTS_A_STEP: 2}
    assert told(use.meet(torch.tensor([1.0, 0.0, 0.0, 0.0]), measure=True)) == {SLOTS_A_STEP: 1, SLOTS_WRITTEN: 2}
    assert use.written == (0, 2)


def test_a_resumed_run_goes_on_counting():
    use = MemoryUse()
    use.take_up([0, 2])
    assert use.written == (0, 2)
    assert told(use.meet(torch.tensor([1.0, 1.0, 0.0, 0.0]), measure=True)) == {SLOTS_A_STEP: 2, SLOTS_WRITTEN: 3}
    assert use.written == (0, 1, 2)


def test_a_model_without_a_memory_has_no_such_figures():
    use = MemoryUse()
    assert use.meet(None, measure=True) == {}
    assert use.written == ()
