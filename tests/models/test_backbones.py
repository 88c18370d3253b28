"""Backbones: strides and channels, the class token, pretrained weights, frozen norms, unsuitable names."""

import pytest
import torch
from torch import nn

from mmdet.errors import UserError
from mmdet.models.backbones import TimmBackbone, ViTMAE
from mmdet.models.backbones.vit_mae import resize_positions, sincos_position_table


def vit(**options):
    return ViTMAE(embed_dim=32, depth=12, num_heads=2, **options)


def test_maps_have_strides_8_16_32():
    maps = vit()(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(2, 32, 8, 12), (2, 32, 4, 6), (2, 32, 2, 3)]


@pytest.mark.parametrize("images", [1, 2])
def test_maps_that_are_resized_have_their_channels_last(images):
    backbone = ViTMAE(embed_dim=16, depth=12, num_heads=2)
    first, _, last = backbone(torch.zeros(images, 3, 64, 96))
    for level in (first, last):
        assert level.is_contiguous(memory_format=torch.channels_last)


def test_position_table_and_its_resize_match_the_goldens(recorded_numbers):
    import numpy as np

    parts = np.load(recorded_numbers / "parts" / "parts.npz")
    table = sincos_position_table(16, 14)
    torch.testing.assert_close(table, torch.from_numpy(parts["sincos16_14"]), atol=1e-6, rtol=0)
    resized = resize_positions(table[None, 1:], (10, 13))
    expected = torch.from_numpy(parts["sincos16_to_10x13"])[:, 1:]
    torch.testing.assert_close(resized, expected, atol=1e-5, rtol=0)


def test_the_class_token_is_reset_where_asked():
    images = torch.rand(1, 3, 64, 64)
    torch.manual_seed(0)
    resetting = vit()
    keeping = vit(reset_blocks=())
    keeping.load_state_dict(resetting.state_dict())
    first, second = resetting(images), keeping(images)
    assert not torch.allclose(first[2], second[2])
    only_last = vit(reset_blocks=(11,))  # after the last block nobody reads the token
    only_last.load_state_dict(resetting.state_dict())
    torch.testing.assert_close(only_last(images)[2], second[2])


def test_checkpointing_changes_no_gradient():
    torch.manual_seed(0)
    plain, saving = vit(), vit(checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 32, 64)
    for model in (plain, saving):
        sum(m.square().mean() for m in model(images)).backward()
    saved = dict(saving.named_parameters())
    for name, parameter in plain.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(saved[name].grad, parameter.grad)


def test_layers_count_from_the_embedding_to_the_head():
    model = vit()
    assert model.layer_index("patch_embed.proj.weight") == 0
    assert model.layer_index("blocks.0.attn.qkv.weight") == 1
    assert model.layer_index("blocks.11.mlp.fc1.bias") == 12
    assert model.num_layers == 14


def test_mae_weights_load_and_the_decoder_is_reported():
    source = {**vit().state_dict(), "decoder_embed.weight": torch.zeros(1), "mask_token": torch.zeros(1)}
    model = vit()
    report = model.load_pretrained(source)
    assert "decoder_embed, mask_token" in report
    assert torch.equal(model.state_dict()["blocks.3.attn.qkv.weight"], source["blocks.3.attn.qkv.weight"])


def test_positions_of_another_grid_are_resized_and_that_is_said():
    larger = sincos_position_table(32, 16)[None]
    model = vit()
    report = model.load_pretrained({**vit().state_dict(), "pos_embed": larger})
    assert "positions of 16 x 16 patches resized to 14 x 14" in report
    loaded = model.pos_embed
    assert tuple(loaded.shape) == (1, 197, 32)
    torch.testing.assert_close(loaded[:, :1], larger[:, :1])
    torch.testing.assert_close(loaded[:, 1:], resize_positions(larger[:, 1:], (14, 14)))


@pytest.mark.parametrize("grid", [14, 7])
def test_positions_without_the_class_row_get_one_of_zeros(grid):
    patch_rows = torch.rand(1, grid * grid, 32)
    model = vit()
    report = model.load_pretrained({**vit().state_dict(), "pos_embed": patch_rows})
    assert "no row of the class token: zero" in report
    assert ("resized" in report) == (grid != 14)
    assert not model.pos_embed[:, 0].any()
    torch.testing.assert_close(model.pos_embed[:, 1:], resize_positions(patch_rows, (14, 14)))


def test_positions_of_no_square_are_refused():
    with pytest.raises(ValueError, match="pos_embed has 150 rows, expected those of a square"):
        vit().load_pretrained({**vit().state_dict(), "pos_embed": torch.rand(1, 150, 32)})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "not used: head"),
        ({"global_pool": "avg", "num_classes": 3}, "not used: fc_norm, head"),
        ({"img_size": 256}, "positions of 16 x 16 patches resized"),
        ({"no_embed_class": True}, "no row of the class token"),
    ],
)
def test_timm_vit_weights_load(options, said):
    import timm

    tiny = {"embed_dim": 32, "depth": 12, "num_heads": 2}
    state = timm.create_model("vit_base_patch16_224", **tiny, **options).state_dict()
    model = vit()
    assert said in model.load_pretrained(state)
    loaded = model.state_dict()
    for key in ("blocks.11.mlp.fc2.bias", "blocks.0.attn.qkv.weight", "cls_token", "patch_embed.proj.weight"):
        assert torch.equal(loaded[key], state[key])


def test_pretrained_weights_of_another_shape_or_without_a_key_are_refused():
    state = vit().state_dict()
    with pytest.raises(ValueError, match=r"cls_token \(1, 1, 8\) instead of \(1, 1, 32\)"):
        vit().load_pretrained({**state, "cls_token": torch.zeros(1, 1, 8)})
    del state["cls_token"]
    with pytest.raises(ValueError, match="1 keys missing .*cls_token"):
        vit().load_pretrained(state)


@pytest.mark.parametrize("name", ["blocks.0.ls1.gamma", "blocks.12.norm1.weight"])
def test_weights_of_another_kind_of_vit_are_refused(name):
    with pytest.raises(ValueError, match=f"1 tensors of blocks that this ViT does not have: {name}"):
        vit().load_pretrained({**vit().state_dict(), name: torch.zeros(32)})


def test_timm_maps_have_strides_8_16_32():
    model = TimmBackbone("resnet10t")
    maps = model(torch.rand(1, 3, 64, 64))
    assert [m.shape[-1] for m in maps] == [8, 4, 2]
    assert tuple(m.shape[1] for m in maps) == model.channels


def test_timm_maps_begin_at_the_stride_that_is_asked_for():
    model = TimmBackbone("resnet10t", out_strides=(4, 8, 16, 32))
    maps = model(torch.rand(1, 3, 64, 64))
    assert [m.shape[-1] for m in maps] == [16, 8, 4, 2]
    assert model.strides == (4, 8, 16, 32)
    assert tuple(m.shape[1] for m in maps) == model.channels


@pytest.mark.parametrize("strides", [(), (4, 16, 32), (32, 16, 8)])
def test_timm_strides_that_no_pyramid_takes_are_refused(strides):
    with pytest.raises(UserError, match="expected strides of which each is half the next"):
        TimmBackbone("resnet10t", out_strides=strides)


def test_timm_batch_norms_stay_frozen_in_training():
    model = TimmBackbone("resnet10t").train()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(not norm.training and not norm.weight.requires_grad for norm in norms)
    before = norms[0].running_mean.clone()
    model(torch.rand(2, 3, 64, 64))
    assert torch.equal(norms[0].running_mean, before)


def test_timm_batch_norms_train_when_asked():
    model = TimmBackbone("resnet10t", frozen_bn=False).train()
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert any(isinstance(module, nn.BatchNorm2d) and module.training for module in model.modules())


@pytest.mark.parametrize(
    ("name", "message"),
    [("resnet5O", "no model 'resnet5O'; did you mean resnet50"), ("vit_tiny_patch16_224", "has maps at strides")],
)
def test_unsuitable_timm_models_are_refused_by_name(name, message):
    with pytest.raises(UserError, match=message):
        TimmBackbone(name)


def test_timm_weights_load_from_a_state_dict_with_its_classifier():
    import timm

    whole = timm.create_model("resnet10t").state_dict()
    model = TimmBackbone("resnet10t")
    assert "not used: fc" in model.load_pretrained(whole)
    assert torch.equal(model.body.state_dict()["layer1.0.conv1.weight"], whole["layer1.0.conv1.weight"])
