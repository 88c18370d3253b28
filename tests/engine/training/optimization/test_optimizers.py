"""Optimisers: what is optimised, at which rate, and steps that are refused."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmdet.config import DataSection, EvalData, RunConfig, RuntimeSection, ScheduleSection, TrainData, load_config
from mmdet.engine.training.optimization.optimizers import build_optimizer, scale_learning_rate, step_if
from mmdet.errors import UserError
from mmdet.models.build import build_model


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


def test_what_a_config_leaves_out_is_as_published():
    sgd, adamw = (build_optimizer(nn.Linear(2, 2), {"type": kind, "lr": 0.1}) for kind in ("SGD", "AdamW"))
    (group,) = sgd.param_groups
    assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.9, 0.0, False)
    assert {group["weight_decay"] for group in adamw.param_groups} == {0.05, 0.0}  # 0 of biases and norms
    assert {group["betas"] for group in adamw.param_groups} == {(0.9, 0.999)}


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
        data=DataSection(train=TrainData(datasets=[{}], batch_size=2), test=EvalData(dataset={})),
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
    assert "learning rate 0.01 for 16 pairs per step -> 0.015 for 24" in note
    assert "processes 4 x batch size 2 x accumulate 3" in note


@pytest.mark.parametrize(("base", "optimizer"), [(None, {"lr": 0.1}), (0, {"lr": 0.1}), (16, {})])
def test_a_learning_rate_meant_for_nobody_knows_how_many_pairs_is_not_scaled(base, optimizer):
    with pytest.raises(UserError, match="schedule.base_batch_size=16"):
        scale_learning_rate(config_for(base, **optimizer), processes=1)


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_rates_and_decays_follow_patterns_of_names_and_the_last_match_counts(kind):
    model = Layered()
    settings = {
        "type": kind, "lr": 1.0, "weight_decay": 0.1,
        "paramwise": [
            {"pattern": "backbone", "lr_mult": 0.1, "weight_decay": 0.0},
            {"pattern": "backbone.block.*", "lr_mult": 0.5},
            {"pattern": "*.weight", "weight_decay": 0.2},
        ],
    }  # fmt: skip
    optimizer = build_optimizer(model, settings)
    lr, decay = rates(optimizer, "initial_lr"), rates(optimizer, "weight_decay")
    expected = {"embed": (0.1, 0.2), "block": (0.5, 0.2), "head": (1.0, 0.2)}
    for name, module in (*model.backbone.items(), ("head", model.head)):
        assert (lr[id(module.weight)], decay[id(module.weight)]) == expected[name]
    assert decay[id(model.backbone["block"].bias)] == 0.0
    assert decay[id(model.head.bias)] == (0.1 if kind == "SGD" else 0.0)  # AdamW spares biases


def test_layer_decay_and_a_pattern_multiply():
    model = Layered()
    settings = {"type": "AdamW", "lr": 1.0, "layer_decay": 0.5, "paramwise": [{"pattern": "backbone", "lr_mult": 0.1}]}
    found = rates(build_optimizer(model, settings), "initial_lr")
    assert found[id(model.backbone["embed"].weight)] == pytest.approx(0.025)
    assert found[id(model.head.weight)] == 1.0


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            {"pattern": "backbon.*", "lr_mult": 0.1},
            "'backbon.*' matches no parameter of the model; did you mean backbone",
        ),
        ({"pattern": "", "lr_mult": 0.1}, "matches no parameter"),
        ({"pattern": ["a"], "lr_mult": 0.1}, "expected a pattern of parameters' names"),
        ({"lr_mult": 0.1}, "expected dict"),
        ("backbone", "expected dict"),
        ({"pattern": "head", "lr": 0.1}, "unknown key 'lr'"),
        ({"pattern": "head", "lr_mult": -1.0}, "paramwise.0.lr_mult is -1.0"),
        ({"pattern": "head", "weight_decay": "0"}, "paramwise.0.weight_decay is '0'"),
    ],
)
def test_an_entry_of_paramwise_that_cannot_be_followed_is_named(entry, reason):
    with pytest.raises(UserError, match=r"config\.optimizer\.paramwise\.0") as caught:
        build_optimizer(Layered(), {"type": "SGD", "lr": 1.0, "paramwise": [entry]})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_a_model_in_which_nothing_learns_is_refused(kind):
    with pytest.raises(UserError, match="no parameter to train"):
        build_optimizer(Layered().requires_grad_(False), {"type": kind, "lr": 1.0})


def test_the_advice_of_the_config_for_own_data_is_followed():
    config = load_config(Path(__file__).parents[4] / "configs" / "own_data.py")
    model = build_model(config)
    found = rates(build_optimizer(model, config.optimizer), "initial_lr")
    backbone = {found[id(p)] for p in model.backbone.parameters() if p.requires_grad}
    assert len(backbone) == 1
    assert backbone.pop() == pytest.approx(1e-5)
    assert {found[id(p)] for name, p in model.named_parameters() if name.startswith("head.cls")} == {1e-4}
