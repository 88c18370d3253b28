"""Optimisers: what is optimised, at which rate, and steps that are refused."""

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmdet.config import DataSection, RunConfig, RuntimeSection, ScheduleSection, TestData, TrainData
from mmdet.engine.optim import build_optimizer, scale_learning_rate, step_if
from mmdet.errors import UserError


class Layered(nn.Module):
    """A model whose backbone has layers."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.ModuleDict({"embed": nn.Linear(2, 2), "block": nn.Linear(2, 2)})
        self.backbone.num_layers = 3
        self.backbone.layer_index = lambda name: 0 if name.startswith("embed.") else 1
        self.head = nn.Linear(2, 2)
        self.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)


def rates(optimizer, key="lr"):
    return {id(parameter): group[key] for group in optimizer.param_groups for parameter in group["params"]}


def test_sgd_takes_every_trainable_parameter():
    model = Layered()
    optimizer = build_optimizer(model, {"type": "SGD", "lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-4})
    assert set(rates(optimizer)) == {id(p) for p in model.parameters() if p is not model.frozen}
    assert set(rates(optimizer, "weight_decay").values()) == {1e-4}
    assert set(rates(optimizer, "initial_lr").values()) == {1e-3}


def test_layer_decay_falls_towards_the_first_layer():
    model = Layered()
    found = rates(build_optimizer(model, {"type": "AdamW", "lr": 1.0, "layer_decay": 0.5}), "initial_lr")
    expected = {model.head: 1.0, model.backbone["block"]: 0.5, model.backbone["embed"]: 0.25}
    for module, rate in expected.items():
        assert {found[id(parameter)] for parameter in module.parameters()} == {rate}


def test_adamw_spares_biases_and_norms_weight_decay():
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    decays = rates(build_optimizer(model, {"type": "AdamW", "lr": 1.0, "weight_decay": 0.1}), "weight_decay")
    assert [decays[id(p)] for p in model.parameters()] == [0.1, 0, 0, 0]
    everywhere = build_optimizer(model, {"type": "AdamW", "lr": 1.0, "weight_decay": 0.1, "no_decay_norm": False})
    assert set(rates(everywhere, "weight_decay").values()) == {0.1}


def test_layer_decay_needs_a_backbone_with_layers():
    with pytest.raises(UserError, match="layer_decay"):
        build_optimizer(nn.Linear(2, 2), {"type": "AdamW", "lr": 1.0, "layer_decay": 0.5})


@pytest.mark.parametrize("settings", [{"type": "SGD"}, {"type": "SGD", "lr": -1.0}])
def test_bad_settings_name_the_config_key(settings):
    with pytest.raises(UserError, match="config.optimizer: .*(lr|learning rate)"):
        build_optimizer(nn.Linear(2, 2), settings)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("settings", [{"type": "SGD", "lr": 0.1}, {"type": "AdamW", "lr": 0.1}])
def test_a_refused_step_is_as_if_it_had_not_been(device, settings):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    torch.manual_seed(0)
    refused, plain = nn.Linear(2, 2).to(device), nn.Linear(2, 2).to(device)
    plain.load_state_dict(refused.state_dict())
    for model, finite in ((refused, [False, True, False, True]), (plain, [True, True])):
        optimizer = build_optimizer(model, settings)
        for allowed in finite:
            for parameter in model.parameters():
                parameter.grad = torch.full_like(parameter, 0.5 if allowed else torch.nan)
            step_if(torch.tensor(allowed, device=device), optimizer)
    assert torch.equal(refused.weight, plain.weight)
    assert torch.equal(refused.bias, plain.bias)


def config_for(base_batch_size, **optimizer):
    return RunConfig(
        model={},
        tracker={},
        data=DataSection(train=TrainData(datasets=[{}], batch_size=2), test=TestData(dataset={})),
        optimizer={"type": "SGD", "momentum": 0.8, **optimizer},
        schedule=ScheduleSection(epochs=1, base_batch_size=base_batch_size),
        runtime=RuntimeSection(accumulate=3),
        source=Config(),
    )


def test_the_learning_rate_is_scaled_by_the_pairs_a_step_and_both_rates_are_told():
    config = config_for(16, lr=0.01)
    scaled, note = scale_learning_rate(config, processes=4)
    assert scaled.optimizer == {"type": "SGD", "momentum": 0.8, "lr": pytest.approx(0.015)}
    assert config.optimizer["lr"] == 0.01
    assert "learning rate 0.01 for 16 pairs a step -> 0.015 for 24" in note
    assert "processes 4 x batch size 2 x accumulate 3" in note


@pytest.mark.parametrize(("base", "optimizer"), [(None, {"lr": 0.1}), (0, {"lr": 0.1}), (16, {})])
def test_a_learning_rate_meant_for_nobody_knows_how_many_pairs_is_not_scaled(base, optimizer):
    with pytest.raises(UserError, match="schedule.base_batch_size=16"):
        scale_learning_rate(config_for(base, **optimizer), processes=1)
