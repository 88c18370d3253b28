"""What a model is made of: parameters, operations and activations against counts by hand, and what levels see."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from programs import load_program
from torch import nn

from mmdet.benchmark.model_info.counting import count_parameters, count_work
from mmdet.benchmark.model_info.describe import describe_model, format_info
from mmdet.benchmark.model_info.receptive import receptive_sizes
from mmdet.config import load_config
from mmdet.engine.process.endings import run_command_line
from mmdet.errors import UserError
from mmdet.models.build import build_model

DEMO, PLUS = "configs/demo/memcnp_demo.py", "configs/demo/memcnp_plus_demo.py"


class Made(nn.Module):
    """A network whose counts can be done by hand: two convolutions in a list, attention, and a tied layer."""

    def __init__(self, looks=False):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 8, 1, groups=2)])
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.ModuleDict({"one": nn.Linear(8, 8, bias=False), "two": nn.Linear(8, 8, bias=False)})
        self.head["two"].weight = self.head["one"].weight
        self.head["one"].weight.requires_grad_(False)
        self.looks = looks

    def forward(self, images, valid):
        x = images[:, 0]
        for conv in self.convs:
            x = conv(x)
        rows = self.norm(x).flatten(2).transpose(1, 2)
        rows = self.head["two"](self.head["one"](rows))
        nn.functional.scaled_dot_product_attention(rows[:, None], rows[:, None], rows[:, None])
        if self.looks and rows.sum() > 1e9:
            raise AssertionError
        return SimpleNamespace(points=SimpleNamespace(strides=(2,), level_sizes=(tuple(x.shape[2:]),)))


@pytest.mark.parametrize("looks", [False, True])
def test_operations_and_activations_are_those_counted_by_hand(looks):
    work = count_work(lambda: Made(looks), (16, 24))
    points = 8 * 12
    first, second = 2 * points * 4 * 3 * 9, 2 * points * 8 * 2
    linear, attention = 2 * points * 8 * 8, 2 * 2 * points * points * 8
    assert work.of("convs") == (first + second, points * (4 + 8))
    assert work.of("convs.1") == (second, points * 8)
    assert work.of("head") == (2 * linear, 2 * points * 8)
    assert work.of("norm") == (0, 0)
    assert work.of("") == (first + second + 2 * linear + attention, points * (4 + 8 + 8 + 8 + points + 8))
    assert work.maps == [(2, (8, 12))]


def test_parameters_are_counted_once_and_by_whether_they_learn():
    whole, convs, norm, head = count_parameters(Made(), 1)
    assert (whole.name, whole.parameters, whole.trainable) == ("", 112 + 24 + 16 + 64, 112 + 24 + 16)
    assert (convs.name, convs.parameters, convs.trainable) == ("convs", 112 + 24, 112 + 24)
    assert (norm.name, norm.parameters, norm.buffers) == ("norm", 16, 17)
    assert (head.name, head.parameters, head.trainable) == ("head", 64, 0)
    assert [part.name for part in count_parameters(Made(), 2)][:4] == ["", "convs", "convs.0", "convs.1"]


@pytest.mark.parametrize("config", [DEMO, PLUS])
def test_parts_of_both_models_add_up_to_the_whole(config):
    info = describe_model(load_config(config), [(96, 160)])
    whole, *parts = info.parts
    assert [part.name for part in parts] == ["backbone", "neck", "head"]
    assert whole.parameters == sum(part.parameters for part in parts)
    assert whole.parameters == sum(value.numel() for value in build_model(load_config(config)).parameters())
    (work,) = info.works
    for kind in (0, 1):
        assert work.of("")[kind] == sum(work.of(part.name)[kind] for part in parts) > 0
    assert work.maps == [(8, (12, 20)), (16, (6, 10)), (32, (3, 5)), (64, (2, 3))]


def test_a_resnet_has_the_operations_that_are_published():
    # 4.1 billion multiply-adds at 224 x 224 (timm's table), without the classifier
    info = describe_model(load_config("configs/r50_cnp_contrast_ms_1x.py"), [(224, 224)])
    assert info.works[0].of("backbone")[0] / 2e9 == pytest.approx(4.1, abs=0.05)
    assert info.parts[1].parameters == 23_508_032


class Stack(nn.Module):
    """A backbone and a neck in one: maps of strides 2 and 4, the second behind a branch that starts at zero."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())
        self.deeper = nn.Sequential(nn.Conv2d(4, 4, 5, stride=2, padding=2), nn.BatchNorm2d(4))
        nn.init.zeros_(self.deeper[1].weight)

    def neck(self, x):
        return [x, torch.relu(self.deeper(x))]


def test_levels_see_what_kernels_and_strides_say_though_a_branch_starts_at_zero():
    assert receptive_sizes(Stack(), (64, 96)) == [(3, 3), (3 + 4 * 2, 3 + 4 * 2)]
    assert receptive_sizes(Stack(), (8, 96)) == [(3, 3), (8, 11)]


class Saturated(nn.Module):
    """Sums that grow beyond what a bounded activation lets through, and a gate by the mean of all pixels."""

    def __init__(self, gated):
        super().__init__()
        self.backbone, self.conv, self.gated = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), gated

    def neck(self, x):
        x = torch.nn.functional.relu6(self.conv(100 * x))
        return [x * torch.sigmoid(1000 * x.mean(dim=(2, 3), keepdim=True)) if self.gated else x]


@pytest.mark.parametrize(("gated", "seen"), [(False, (5, 5)), (True, (32, 48))])
def test_an_activation_that_is_flat_closes_no_path(gated, seen):
    assert receptive_sizes(Saturated(gated), (32, 48)) == [seen]


def test_the_levels_of_the_demo_model_see_as_far_as_its_layers_reach():
    # 199 pixels of the last stage; one 3x3 convolution of the neck on each level adds twice its stride
    info = describe_model(load_config(DEMO), [(384, 384)], receptive=True)
    assert list(info.receptive[0]) == [(231, 231), (231, 231), (263, 263), (327, 327)]


def test_the_table_has_parts_shares_and_levels(monkeypatch):
    text = format_info(describe_model(load_config(PLUS), [(90, 160), (96, 96)], depth=2, receptive=True))
    lines = text.splitlines()
    assert lines[0].startswith("PlusModel: 1,824,975 parameters, all trainable; 2,950 saved numbers")
    assert "90 x 160, padded to 96 x 160" in lines
    assert "96 x 96" in lines
    assert any(line.startswith("  cls_tower") for line in lines)
    assert any(line.startswith("whole model") and "100.0%" in line for line in lines)
    assert any(line.startswith("3 ") and line.endswith("the whole frame") for line in lines)


def test_a_frame_that_is_too_small_is_refused():
    with pytest.raises(UserError, match=r"--size 16 300: a frame needs at least 32 pixels a side"):
        describe_model(load_config(DEMO), [(16, 300)])


def test_the_command_prints_and_writes_the_counts(tmp_path, monkeypatch, capsys):
    out = tmp_path / "info.json"
    monkeypatch.setattr(sys, "argv", ["model_info.py", DEMO, "--size", "64", "96", "--json", str(out)])
    run_command_line(load_program("tools/model_info").main)
    assert "VISModel: 1,827,342 parameters, 1,827,338 of them trainable" in capsys.readouterr().out
    plain = json.loads(out.read_text())
    assert plain["works"][0]["size"] == [64, 96]
    assert plain["parts"][0]["parameters"] == 1_827_342
