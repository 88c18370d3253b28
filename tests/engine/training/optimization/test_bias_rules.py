"""The published learning-rate rules of the FCOS family: convolutions' biases learn twice as fast and do not decay."""

import pytest
from torch import nn

from mmdet.config import load_config
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.models import VISModel
from mmdet.models.heads.feature_align import FeatureAlign

RATE, DECAY = 0.005, 1e-4
# Biases of norms are as all others, but for the norm of an aligning branch (BASELINES.md 2.6).
RULES = [
    {"pattern": "*.bias", "lr_mult": 2.0, "weight_decay": 0.0},
    {"pattern": "*_tower.*.norm.bias", "lr_mult": 1.0, "weight_decay": DECAY},
]


@pytest.fixture
def model():
    return VISModel(
        backbone={"type": "ResNet50", "style": "caffe"},
        neck={"type": "FPN", "channels": 32, "extra": "two"},
        head={"type": "FCOSHead", "num_classes": 3, "norm_groups": 8},
        criterion={"type": "DenseCriterion", "assigner": {"type": "RangeAssigner"}},
        postprocess={"type": "DensePostProcess"},
    )


def learnt(model, settings):
    """The learning rate and decay of every parameter that learns, by its identity."""
    return {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in build_optimizer(model, settings).param_groups
        for parameter in group["params"]
    }


def biases_of_convolutions(model):
    return {id(m.bias) for m in model.modules() if isinstance(m, nn.Conv2d) and m.bias is not None}


def test_the_config_of_fcos_has_the_rules_of_the_release(model):
    settings = load_config("configs/baselines/fcos_r50_1x.py").optimizer
    doubled = biases_of_convolutions(model)
    assert len(doubled) == 8 + 3
    learning = {id(p) for p in model.parameters() if p.requires_grad}
    assert learnt(model, settings) == {key: (0.02, 0.0) if key in doubled else (0.01, DECAY) for key in learning}


def test_the_bias_of_an_aligning_branch_counts_as_that_of_a_convolution(model):
    model.head.cls_align = FeatureAlign(32, 32, 8)
    settings = {"type": "SGD", "lr": RATE, "momentum": 0.9, "weight_decay": DECAY, "paramwise": RULES}
    doubled = biases_of_convolutions(model) | {id(model.head.cls_align.norm.bias)}
    learning = {id(p) for p in model.parameters() if p.requires_grad}
    assert learnt(model, settings) == {key: (2 * RATE, 0.0) if key in doubled else (RATE, DECAY) for key in learning}
