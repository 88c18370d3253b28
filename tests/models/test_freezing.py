"""Parts of a model that do not learn: by stages of the backbone and by names."""

import pytest
import torch
from torch import nn

from mmdet.errors import UserError
from mmdet.models.backbones import TimmBackbone, ViTMAE
from mmdet.models.freezing import freeze, matching, rest_frozen_parts


def learning(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def small_vit(**options):
    return ViTMAE(embed_dim=16, depth=3, num_heads=2, out_blocks=(0, 1, 2), reset_blocks=(), **options)


def test_patterns_name_parameters_and_parts():
    names = ["backbone.stem.weight", "backbone.layer1.weight", "head.weight"]
    assert matching("backbone", names, "w") == names[:2]
    assert matching("backbone.*", names, "w") == names[:2]
    assert matching("*.layer?.*", names, "w") == [names[1]]
    assert matching("head.weight", names, "w") == [names[2]]
    with pytest.raises(UserError, match=r"w: 'back' matches no parameter of the model"):
        matching("back", names, "w")


def test_a_pattern_that_is_near_nothing_does_not_fill_the_screen_with_names():
    names = [f"backbone.layer{index}.weight" for index in range(200)]
    with pytest.raises(UserError, match=r"known: backbone, .*, \.\.\. \(401 in all\)$") as error:
        matching("?", names, "w")
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(("stages", "blocks"), [(0, []), (1, [0]), (3, [0, 1, 2])])
def test_the_embedding_and_the_first_blocks_of_a_vit_are_frozen(stages, blocks):
    free, frozen = learning(small_vit()), learning(small_vit(frozen_stages=stages))
    assert "cls_token" in free
    expected = ("cls_token", "patch_embed.", *(f"blocks.{block}." for block in blocks))
    assert free - frozen == {name for name in free if name.startswith(expected)}


def test_a_vit_with_frozen_blocks_learns_the_others():
    vit = small_vit(frozen_stages=1, checkpointing=True)
    sum(level.sum() for level in vit(torch.randn(1, 3, 32, 32))).backward()
    with_gradient = {name for name, parameter in vit.named_parameters() if parameter.grad is not None}
    assert with_gradient == learning(vit)


@pytest.mark.parametrize(
    ("name", "stages", "expected"),
    [
        ("resnet10t", 0, ("conv1.", "bn1.")),
        ("resnet10t", 2, ("conv1.", "bn1.", "layer1.", "layer2.")),
        ("tf_efficientnet_lite0", 0, ("conv_stem.", "bn1.", "blocks.0.")),
        ("tf_efficientnet_lite0", 3, ("conv_stem.", "bn1.", *(f"blocks.{index}." for index in range(5)))),
        ("convnext_atto", 0, ("stem_0.", "stem_1.", "stages_0.")),
    ],
)
def test_a_timm_backbone_is_frozen_up_to_one_of_its_maps(name, stages, expected):
    free = learning(TimmBackbone(name, frozen_bn=False))
    backbone = TimmBackbone(name, frozen_bn=False, frozen_stages=stages)
    assert free - learning(backbone) == {key for key in free if key.startswith(tuple(f"body.{k}" for k in expected))}


def test_batch_norms_of_frozen_stages_keep_their_statistics_and_the_others_learn():
    backbone = TimmBackbone("resnet10t", frozen_bn=False, frozen_stages=1).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items() if key.endswith("running_mean")}
    backbone(torch.randn(2, 3, 64, 64))
    changed = {key for key, value in before.items() if not torch.equal(backbone.state_dict()[key], value)}
    assert changed
    assert changed == {key for key in before if key.startswith(("body.layer2", "body.layer3", "body.layer4"))}


@pytest.mark.parametrize("stages", [-2, 9, 1.0, "1"])
def test_stages_that_are_not_there_are_refused(stages):
    with pytest.raises(UserError, match=r"frozen_stages is .*, expected -1 to 4"):
        TimmBackbone("resnet10t", frozen_stages=stages)
    with pytest.raises(ValueError, match=r"frozen_stages is .*, expected -1 to 3"):
        small_vit(frozen_stages=stages)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
        self.head = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def test_frozen_parts_rest_and_the_others_train():
    net = Net()
    freeze(net, ["stem", "head.0.weight"], "config.model.frozen")
    assert learning(net) == {"head.0.bias", "head.1.weight", "head.1.bias"}
    net.train()
    rest_frozen_parts(net)
    assert not any(module.training for module in net.stem.modules())
    assert all(module.training for module in net.head.modules())


def test_a_pattern_to_freeze_that_matches_nothing_is_named():
    with pytest.raises(
        UserError, match=r"config\.model\.frozen\.1: 'hed\.\*' matches no parameter .*did you mean head"
    ):
        freeze(Net(), ["stem", "hed.*"], "config.model.frozen")
    with pytest.raises(UserError, match="expected a list of patterns"):
        freeze(Net(), "stem", "config.model.frozen")


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto"])
def test_a_backbone_that_is_frozen_as_a_whole_rests_and_the_model_trains(name):
    model = nn.ModuleDict({"backbone": TimmBackbone(name, frozen_bn=False), "head": nn.Linear(2, 2)})
    freeze(model, ["backbone"], "config.model.frozen")
    model.train()
    assert model["head"].training
    assert not any(module.training for module in model["backbone"].modules())
