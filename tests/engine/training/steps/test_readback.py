"""A step's figures on their way to the host."""

import math

import torch

from mmdet.engine.training.steps.readback import Readback


def test_on_the_cpu_figures_arrive_at_once_in_order():
    readback = Readback(torch.device("cpu"))
    for step in (1, 2):
        readback.put(step, {"loss_a": torch.tensor(0.5 * step), "lr": torch.tensor(3)}, (f"video {step}",), 4)
    arrived = list(readback.take())
    assert [(done.step, done.figures, done.batches, done.images) for done in arrived] == [
        (1, {"loss_a": 0.5, "lr": 3.0}, ("video 1",), 4),
        (2, {"loss_a": 1.0, "lr": 3.0}, ("video 2",), 4),
    ]
    assert not list(readback.take())


def test_the_losses_alone_say_whose_batch_is_not_finite():
    """The norm of the gradient, of all processes, is NaN in each of them."""
    readback = Readback(torch.device("cpu"))
    for value in (1.0, math.nan, math.inf):
        readback.put(1, {"loss_a": torch.tensor(value), "grad_norm": torch.tensor(math.nan)}, (), 1)
    assert [done.finite_losses for done in readback.take()] == [True, False, False]
