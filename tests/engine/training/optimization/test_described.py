"""What a run says of its optimiser: groups, what patterns have matched, what is frozen."""

from types import SimpleNamespace

import pytest
from torch import nn

from mmdet.engine.training.optimization.described import describe_optimization
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.models.freezing import freeze


def lines(optimizer, frozen=(), depth=1):
    model = nn.Module()
    model.backbone = nn.Sequential(*(nn.Linear(2, 2) for _ in range(depth)))
    model.head = nn.Linear(2, 3)
    freeze(model, frozen, "config.model.frozen")
    config = SimpleNamespace(optimizer=optimizer, model={"frozen": list(frozen)})
    return describe_optimization(model, build_optimizer(model, optimizer), config)


def test_groups_are_told_with_rates_decays_and_sizes():
    (line,) = lines({"type": "AdamW", "lr": 0.1})
    assert line == (
        "optimizer AdamW: 4 tensors of 15 numbers: 2 with learning rate 0.1 and weight decay 0.05, "
        "2 with learning rate 0.1 and weight decay 0"
    )


def test_what_each_pattern_matches_is_told_and_what_later_ones_change():
    paramwise = [{"pattern": "backbone", "lr_mult": 0.1}, {"pattern": "*.bias", "lr_mult": 2, "weight_decay": 0.5}]
    found = lines({"type": "SGD", "lr": 0.1, "paramwise": paramwise})
    assert found[1] == (
        "paramwise.0 'backbone' matches 2 tensors of 6 numbers (backbone.0.weight ... backbone.0.bias): lr_mult 0.1; "
        "later entries change 1 of them"
    )
    assert found[2] == (
        "paramwise.1 '*.bias' matches 2 tensors of 5 numbers (backbone.0.bias ... head.bias): "
        "lr_mult 2, weight_decay 0.5"
    )


def test_many_groups_are_told_by_their_range():
    paramwise = [{"pattern": f"backbone.{index}", "lr_mult": (index + 1) / 10} for index in range(6)]
    (first, *_) = lines({"type": "SGD", "lr": 0.1, "paramwise": paramwise}, depth=6)
    assert first.endswith("in 7 groups, learning rates 0.01 to 0.1, weight decay 0")


def test_what_is_frozen_is_told_by_pattern_and_by_part():
    found = lines({"type": "SGD", "lr": 0.1}, frozen=["backbone", "head.bias"])
    assert found[0].startswith("optimizer SGD: 1 tensor of 6 numbers: 1 with")
    assert found[1:] == [
        "model.frozen 'backbone' matches 2 tensors of 6 numbers (backbone.0.weight ... backbone.0.bias)",
        "model.frozen 'head.bias' matches 1 tensor of 3 numbers (head.bias)",
        "frozen: 3 of 4 tensors (backbone all of 2, head 1 of 2)",
    ]


@pytest.mark.parametrize("frozen", [(), ("head.bias",)])
def test_only_what_is_frozen_is_called_so(frozen):
    assert any(line.startswith("frozen") for line in lines({"type": "SGD", "lr": 1.0}, frozen)) == bool(frozen)
