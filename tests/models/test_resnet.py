"""ResNet-50: its maps, where the strides stand, what is frozen, and weights from files."""

import pytest
import torch
from torchvision.models import resnet50

from mmdet.errors import UserError
from mmdet.models.backbones import ResNet50


def test_the_chosen_maps_come_finest_first():
    backbone = ResNet50(out_levels=("C2", "C3", "C4", "C5"))
    maps = backbone(torch.zeros(1, 3, 64, 96))
    assert backbone.strides == (4, 8, 16, 32)
    assert [tuple(m.shape) for m in maps] == [(1, 256, 16, 24), (1, 512, 8, 12), (1, 1024, 4, 6), (1, 2048, 2, 3)]


@pytest.mark.parametrize("style", ["pytorch", "caffe"])
def test_the_style_says_which_convolution_of_a_stage_has_the_stride(style):
    backbone = ResNet50(style=style)
    first = [stage[0] for stage in backbone.stages]
    strides = [(block.conv1.stride, block.conv2.stride, block.downsample[0].stride) for block in first]
    one, two = (1, 1), (2, 2)
    later = (one, two, two) if style == "pytorch" else (two, one, two)
    assert strides == [(one, one, one), later, later, later]


def test_norms_use_their_running_statistics_in_training_even_where_they_learn():
    backbone = ResNet50(train_norms=True).train()
    before = backbone.layer4[0].bn1.running_mean.clone()
    backbone(torch.rand(2, 3, 32, 32))[-1].sum().backward()
    assert torch.equal(backbone.layer4[0].bn1.running_mean, before)
    assert backbone.layer4[0].bn1.weight.grad is not None
    assert not backbone.layer1[0].bn1.weight.requires_grad


def test_by_default_the_stem_the_first_stage_and_all_norms_are_frozen():
    learning = {name for name, value in ResNet50().named_parameters() if value.requires_grad}
    assert learning
    assert all(name.startswith(("layer2", "layer3", "layer4")) for name in learning)
    assert not any("bn" in name or "downsample.1" in name for name in learning)


def test_weights_of_torchvision_load_and_those_not_used_are_named():
    state = resnet50().state_dict()
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    backbone = ResNet50()
    assert backbone.load_pretrained(state).endswith("not used: fc")
    assert torch.equal(backbone.layer3[2].conv2.weight, state["layer3.2.conv2.weight"])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"style": "tf"}, "style is 'tf'"),
        ({"out_levels": ("C3", "C2")}, "out_levels is"),
        ({"out_levels": ("C6",)}, "out_levels is"),
        ({"frozen_stages": 5}, "frozen_stages is 5"),
    ],
)
def test_a_wrong_option_is_named(options, named):
    with pytest.raises(UserError, match=named):
        ResNet50(**options)
