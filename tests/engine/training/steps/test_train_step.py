"""One optimiser step: its size, clipping, the mean over batches, and losses that are not finite."""

import math

import pytest
import torch

LR = 0.5
PLAIN = {"type": "SGD", "lr": LR, "momentum": 0.0, "weight_decay": 0.0}


@pytest.fixture
def start(miniature, tmp_path):
    """Return a trainer of the tiny model whose steps are its learning rate times the gradient, and its batches."""

    def call(**options):
        trainer = miniature.make_trainer(tmp_path, optimizer=PLAIN, **options)
        trainer.loader.batch_sampler.set_position(0, skip_batches=0)
        return trainer, list(trainer.loader)

    return call


def gradient(model, batch):
    """The gradient of a batch's losses, flat."""
    losses = model.loss(model(batch.images, batch.valid), batch)
    total = sum(value for name, value in losses.items() if name.startswith("loss"))
    parameters = [parameter for name, parameter in model.named_parameters() if name != "memory"]
    return torch.cat([part.flatten() for part in torch.autograd.grad(total, parameters)])


def values(model):
    """All parameters but the memory, which is written beside the step."""
    return torch.cat([p.detach().flatten().clone() for name, p in model.named_parameters() if name != "memory"])


def moved(trainer, batches):
    before = values(trainer.model)
    figures = trainer.make_step(batches)
    return values(trainer.model) - before, figures


def test_a_step_is_the_rate_times_the_gradient(start):
    trainer, batches = start(grad_clip=None)
    expected = -LR * gradient(trainer.model, batches[0])
    torch.testing.assert_close(moved(trainer, batches[:1])[0], expected)


def test_a_gradient_is_clipped_to_the_norm_that_the_config_says(start):
    trainer, batches = start(grad_clip=0.01)
    trainer.model.memory.requires_grad_(False)
    direction = gradient(trainer.model, batches[0])
    assert direction.norm() > 0.1
    step, figures = moved(trainer, batches[:1])
    torch.testing.assert_close(step, -LR * 0.01 * direction / direction.norm(), rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(figures["grad_norm"], direction.norm())  # told as it was before


def test_a_gradient_below_the_norm_is_not_touched(start):
    trainer, batches = start(grad_clip=1e6)
    expected = -LR * gradient(trainer.model, batches[0])
    torch.testing.assert_close(moved(trainer, batches[:1])[0], expected)


@pytest.mark.parametrize("count", [2, 3])
def test_accumulated_gradients_are_averaged_and_not_added(start, count):
    trainer, batches = start(grad_clip=None, accumulate=count)
    mean = torch.stack([gradient(trainer.model, batch) for batch in batches[:count]]).mean(dim=0)
    torch.testing.assert_close(moved(trainer, batches[:count])[0], -LR * mean)


def test_the_figures_of_a_step_are_means_over_its_batches(start):
    trainer, batches = start(accumulate=3)
    model = trainer.model
    losses = [model.loss(model(batch.images, batch.valid), batch) for batch in batches[:3]]
    _, figures = moved(trainer, batches[:3])
    for name in ("loss_error", "loss_size", "mean"):
        torch.testing.assert_close(figures[name], torch.stack([own[name] for own in losses]).mean().detach())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_makes_no_step_though_its_gradient_is(start, value):
    trainer, batches = start(grad_clip=None)
    model, loss = trainer.model, trainer.model.loss

    def with_constant(outputs, batch):
        return {**loss(outputs, batch), "loss_more": torch.tensor(value)}  # of no parameter: it has no gradient

    assert gradient(model, batches[0]).isfinite().all()
    model.loss = with_constant
    memory = model.memory.clone()
    step, figures = moved(trainer, batches[:1])
    assert not figures["grad_norm"].isfinite()
    assert not step.any()
    assert torch.equal(model.memory, memory)


def test_a_gradient_that_is_infinite_makes_no_step_though_the_loss_is_finite(start):
    trainer, batches = start(grad_clip=1.0)
    model = trainer.model
    model.head.weight.register_hook(lambda gradient: torch.full_like(gradient, math.inf))
    memory = model.memory.clone()
    step, figures = moved(trainer, batches[:1])
    assert figures["loss_error"].isfinite()
    assert figures["grad_norm"] == math.inf
    assert not step.any()
    assert torch.equal(model.memory, memory)


def test_a_run_in_which_nothing_learns_is_warned_of_once(miniature, tmp_path):
    trainer = miniature.make_trainer(tmp_path, length=120, epochs=1)
    for parameter in trainer.model.parameters():
        parameter.register_hook(torch.zeros_like)
    trainer.run()
    text = (tmp_path / "train.log").read_text()
    assert trainer.step == 60
    assert text.count("nothing is learned, the gradient of 25 steps in a row was exactly 0") == 1


def test_a_run_that_learns_now_and_then_is_not_warned_of(miniature, tmp_path):
    trainer = miniature.make_trainer(tmp_path, length=120, epochs=1)
    for parameter in trainer.model.parameters():
        parameter.register_hook(lambda gradient: gradient * (trainer.step % 20 == 0))
    trainer.run()
    assert "nothing is learned" not in (tmp_path / "train.log").read_text()
