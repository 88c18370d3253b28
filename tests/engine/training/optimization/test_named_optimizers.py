"""Optimisers of torch and timm by name: every one steps and resumes exactly, and wrong options are named."""

import copy
import inspect
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from mmdet.config import load_config
from mmdet.engine.training.optimization import named_optimizers
from mmdet.engine.training.optimization.optimizer_state import restore_optimizer
from mmdet.engine.training.optimization.optimizers import build_optimizer, step_if
from mmdet.errors import UserError

NEED_MOMENTUM = ("csgdc", "csgdw", "nesterov", "nesterovw", "nlarc", "nlars", "sgd", "sgdc", "sgdw")  # of timm
SLOW = ("kron", "kronc", "kronw")  # they compile first


def of_torch():
    return [{"type": "TorchOptimizer", "name": name} for name in named_optimizers._of_torch()]


def of_timm():
    return [
        {
            "type": "TimmOptimizer",
            "name": name,
            **({"options": {"momentum": 0.9}} if name in NEED_MOMENTUM else {}),
        }
        for name in named_optimizers._of_timm()
        if name not in SLOW
    ]


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 5))


def step(model, optimizer, seed):
    generator = torch.Generator().manual_seed(seed)
    model(torch.randn(4, 3, 4, 4, generator=generator)).square().mean().backward()
    step_if(torch.tensor(True), optimizer)
    optimizer.zero_grad()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings", [*of_torch(), *of_timm()], ids=lambda settings: "-".join(map(str, settings.values()))
)
def test_every_optimizer_steps_and_resumes_bit_for_bit(settings):
    settings = {**settings, "lr": 0.01, "paramwise": [{"pattern": "2", "lr_mult": 0.5}]}
    model = small()
    optimizer = build_optimizer(model, settings)
    before = copy.deepcopy(model.state_dict())
    for seed in range(3):
        step(model, optimizer, seed)
    assert not any(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    resumed = small()
    resumed.load_state_dict(copy.deepcopy(model.state_dict()))
    again = build_optimizer(resumed, settings)
    restore_optimizer(again, copy.deepcopy(optimizer.state_dict()), Path("epoch_1.pth"))
    for seed in (3, 4):
        step(model, optimizer, seed)
        step(resumed, again, seed)
    for name, value in model.state_dict().items():
        assert value.isfinite().all()
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_state_that_counts_steps_in_its_groups_comes_back_into_other_groups():
    settings = {"type": "TimmOptimizer", "name": "lamb", "lr": 0.01}
    model = small()
    optimizer = build_optimizer(model, settings)
    for seed in range(3):
        step(model, optimizer, seed)
    again = build_optimizer(small(), {**settings, "paramwise": [{"pattern": "2", "lr_mult": 0.5}]})
    restore_optimizer(again, optimizer.state_dict(), Path("epoch_1.pth"))
    assert [group["step"] for group in again.param_groups] == [3] * len(again.param_groups)


def test_options_reach_the_optimizer_and_rates_and_decays_its_groups():
    settings = {
        "type": "TorchOptimizer", "name": "RMSprop", "lr": 0.1, "weight_decay": 0.2,
        "options": {"alpha": 0.5, "momentum": 0.3}, "paramwise": [{"pattern": "2", "lr_mult": 0.1}],
    }  # fmt: skip
    groups = build_optimizer(small(), settings).param_groups
    assert {(group["alpha"], group["momentum"]) for group in groups} == {(0.5, 0.3)}
    found = {(round(group["lr"], 6), group["weight_decay"]) for group in groups}
    assert found == {(0.1, 0.2), (0.1, 0.0), (0.01, 0.2), (0.01, 0.0)}
    everywhere = build_optimizer(small(), {**settings, "no_decay_norm": False}).param_groups
    assert {group["weight_decay"] for group in everywhere} == {0.2}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"type": "TorchOptimizer", "name": "Adamm"}, "torch.optim has no 'Adamm' for this; did you mean Adam"),
        ({"type": "TorchOptimizer", "name": "LBFGS"}, "torch.optim has no 'LBFGS' for this"),
        ({"type": "TimmOptimizer", "name": "lionn"}, "timm.optim has no 'lionn' for this; did you mean lion"),
        ({"type": "TimmOptimizer", "name": "adahessian"}, "timm.optim has no 'adahessian' for this"),
        (
            {"type": "TimmOptimizer", "name": "lion", "options": {"betaz": 1}},
            "no option 'betaz' to set: did you mean betas",
        ),
        ({"type": "TorchOptimizer", "name": "Adam", "options": {"fused": True}}, "'fused' to set: is settled by the"),
        ({"type": "TorchOptimizer", "name": "Adam", "options": {"betas": 5}}, "Adam cannot be built: "),
        ({"type": "TorchOptimizer", "name": "Rprop", "weight_decay": 0.1}, "weight_decay: Rprop has none"),
        ({"type": "TimmOptimizer", "name": "sgd"}, "sgd cannot be built: Nesterov momentum requires a momentum"),
    ],
)
def test_what_there_is_not_is_named(settings, said):
    with pytest.raises(UserError, match=said) as caught:
        build_optimizer(small(), {"lr": 0.1, **settings})
    assert str(caught.value).startswith("config.optimizer")
    assert "\n" not in str(caught.value)


def test_a_config_takes_an_optimizer_by_name_on_the_command_line():
    value = "optimizer=dict(type='TimmOptimizer',name='lion',lr=1e-4,options=dict(betas=(0.9,0.99)))"
    optimizer = load_config("configs/demo/memcnp_demo.py", [value]).optimizer
    assert build_optimizer(small(), optimizer).param_groups[0]["betas"] == (0.9, 0.99)
    with pytest.raises(UserError, match=r"config.optimizer: TimmOptimizer needs the key 'name'"):
        load_config("configs/demo/memcnp_demo.py", ["optimizer=dict(type='TimmOptimizer',lr=1e-4)"])


@pytest.mark.cuda
@pytest.mark.parametrize(
    "settings", [*of_torch(), *of_timm()], ids=lambda settings: "-".join(map(str, settings.values()))
)
def test_on_a_gpu_a_refused_step_is_as_if_it_had_not_been(settings):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    ends = []
    for allowed in ([False, True, False, True], [True, True]):
        model = small().cuda()
        optimizer = build_optimizer(model, {"lr": 0.01, **settings})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for finite in allowed:
                for parameter in model.parameters():
                    parameter.grad = torch.full_like(parameter, 0.5 if finite else torch.nan)
                step_if(torch.tensor(finite, device="cuda"), optimizer)
        ends.append(model.state_dict())
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


@pytest.mark.cuda
def test_on_a_gpu_optimizers_that_can_are_fused():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    for kind in named_optimizers.FUSED:
        assert "fused" in inspect.signature(kind).parameters
        settings = {"type": "TorchOptimizer", "name": kind.__name__, "lr": 0.1}
        assert build_optimizer(small().cuda(), settings)._step_supports_amp_scaling
