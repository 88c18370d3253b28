"""The saved state of an optimiser: fitted by names, and refused where it is of another run."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mmdet.engine.training.optimization.optimizer_state import restore_optimizer
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.errors import UserError

SOURCE = Path("epoch_1.pth")
SGD = {"type": "SGD", "lr": 0.1}
ADAM = {"type": "AdamW", "lr": 0.1}


class Two(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.head = nn.Linear(2, 2), nn.Linear(2, width)


def stepped(model, settings, steps=2):
    """An optimiser that has made some steps with a gradient of its own for every parameter."""
    optimizer = build_optimizer(model, settings)
    for _ in range(steps):
        for index, parameter in enumerate(model.parameters()):
            parameter.grad = torch.full_like(parameter, index + 1.0)
        optimizer.step()
    return optimizer


def saved(model, settings):
    return stepped(model, settings).state_dict()


@pytest.mark.parametrize("settings", [SGD, ADAM])
def test_a_state_comes_back_by_name_into_other_groups(settings):
    before, after = Two(), Two()
    old = stepped(before, settings)
    parts = [{"pattern": "head.weight", "lr_mult": 0.1}, {"pattern": "backbone.bias", "weight_decay": 0.3}]
    optimizer = build_optimizer(after, {**settings, "paramwise": parts})
    assert len(optimizer.param_groups) != len(old.param_groups)
    restore_optimizer(optimizer, old.state_dict(), SOURCE)
    for one, two in zip(before.parameters(), after.parameters(), strict=True):
        assert old.state[one].keys() == optimizer.state[two].keys()
        assert all(torch.equal(old.state[one][key], optimizer.state[two][key]) for key in old.state[one])
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rate[id(after.head.weight)] == pytest.approx(0.01)


@pytest.mark.parametrize("named", [True, False])
def test_rates_and_decays_are_the_configs_and_not_the_saved_ones(named):
    state = saved(Two(), {**SGD, "weight_decay": 0.5})
    if not named:  # as older versions of torch saved it
        del state["param_groups"][0]["param_names"]
    optimizer = build_optimizer(Two(), {"type": "SGD", "lr": 0.02, "momentum": 0.8})
    restore_optimizer(optimizer, state, SOURCE)
    (group,) = optimizer.param_groups
    assert [group[key] for key in ("lr", "initial_lr", "momentum", "weight_decay")] == [0.02, 0.02, 0.8, 0.0]


def test_a_state_of_other_shapes_is_refused_in_one_line():
    state = saved(Two(width=3), SGD)
    with pytest.raises(UserError, match=r"momentum_buffer of head\.weight has the shape \(3, 2\), not .*\(2, 2\)"):
        restore_optimizer(build_optimizer(Two(), SGD), state, SOURCE)


def test_a_state_of_another_kind_of_optimizer_is_refused():
    with pytest.raises(UserError, match="epoch_1.pth was trained with another optimizer than this config's AdamW"):
        restore_optimizer(build_optimizer(Two(), ADAM), saved(Two(), SGD), SOURCE)


def test_a_run_in_which_other_parameters_learn_is_not_resumed():
    model = Two()
    model.backbone.requires_grad_(False)
    with pytest.raises(UserError, match=r"now frozen or gone: backbone\.bias, backbone\.weight"):
        restore_optimizer(build_optimizer(model, SGD), saved(Two(), SGD), SOURCE)
    frozen = saved(model, SGD)
    with pytest.raises(UserError, match=r"now trained: backbone\.bias, backbone\.weight"):
        restore_optimizer(build_optimizer(Two(), SGD), frozen, SOURCE)


def test_a_state_that_is_not_finite_is_named():
    state = saved(Two(), ADAM)
    state["state"][0]["exp_avg"][0] = float("inf")
    with pytest.raises(UserError, match=r"the optimizer's exp_avg of backbone\.weight has inf"):
        restore_optimizer(build_optimizer(Two(), ADAM), state, SOURCE)


def test_a_state_written_without_names_fits_by_position():
    state = saved(Two(), SGD)
    for group in state["param_groups"]:
        del group["param_names"]
    model = Two()
    optimizer = build_optimizer(model, SGD)
    restore_optimizer(optimizer, state, SOURCE)
    assert torch.equal(optimizer.state[model.head.bias]["momentum_buffer"], state["state"][3]["momentum_buffer"])


def test_a_state_of_no_step_stays_empty():
    optimizer = build_optimizer(Two(), SGD)
    restore_optimizer(optimizer, build_optimizer(Two(), SGD).state_dict(), SOURCE)
    assert optimizer.state_dict()["state"] == {}
