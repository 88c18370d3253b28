"""Temporal calibration: against a slow form, its references in training and in videos, gradients, a real step."""

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

from mmdet.config.build import build_part
from mmdet.datasets.items import ItemKey
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.errors import UserError
from mmdet.models import VISModel
from mmdet.models.necks import TemporalCalibration
from mmdet.ops.correlation.geometry import make_geometry
from mmdet.ops.correlation.reference import reference_correlation
from mmdet.registry import MODELS, NECKS
from mmdet.structures import collate_clips

CHANNELS, PATCH, DILATION = 16, 4, 2
NECK = {"type": "TemporalCalibration", "patch_size": PATCH, "dilation_patch": DILATION, "hidden_channels": 8}


def make_neck(levels=(0,), moving=True):
    """Return a stage; `moving`: as if trained, with offsets of some cells and weights of the usual size."""
    torch.manual_seed(0)
    neck = NECKS.build({**NECK, "channels": CHANNELS, "strides": (8, 16, 32, 64), "levels": levels})
    for level in neck.calibrations if moving else ():
        torch.nn.init.normal_(level.offset_conv.weight, std=1.0)
        torch.nn.init.normal_(level.offset_conv.bias, std=1.0)
        torch.nn.init.normal_(level.weight, std=0.1)
    return neck


def make_pyramid(frames, requires_grad=False):
    generator = torch.Generator().manual_seed(1)
    sizes = ((12, 10), (6, 5), (3, 3), (2, 2))
    return [torch.randn(frames, CHANNELS, *size, generator=generator).requires_grad_(requires_grad) for size in sizes]


def slowly(level, current, reference):
    """Calibrate as the paper says it, by the slow forms of its parts."""
    geometry = make_geometry(1, PATCH, 1, 0, 1, DILATION)
    hidden = reference_correlation(current, reference, geometry).reshape(len(current), PATCH**2, *current.shape[2:])
    hidden = F.leaky_relu(hidden / CHANNELS, 0.1)
    for conv in level.convs:
        hidden = F.conv2d(hidden, conv.weight, conv.bias, padding=1).clamp(min=0)
    offsets = F.conv2d(hidden, level.offset_conv.weight, level.offset_conv.bias, padding=1)
    return current + deform_conv2d(reference, offsets, level.weight, padding=1)


def test_frames_of_a_video_are_calibrated_by_the_one_before_as_by_the_slow_form():
    neck, pyramid = make_neck(), make_pyramid(4)
    calibrated, _ = neck(pyramid, None)
    finest = pyramid[0]
    expected = slowly(neck.calibrations[0], finest, finest[[0, 0, 1, 2]])
    torch.testing.assert_close(calibrated[0], expected, atol=1e-4, rtol=1e-4)
    assert (expected - finest).abs().max() > 0.1


def test_keys_are_calibrated_by_their_references_and_these_by_themselves():
    neck, pyramid = make_neck(), make_pyramid(4)
    expected = slowly(neck.calibrations[0], pyramid[0], pyramid[0][[2, 3, 2, 3]])
    torch.testing.assert_close(neck.calibrate_pairs(pyramid)[0], expected, atol=1e-4, rtol=1e-4)


def test_offsets_move_what_the_reference_adds():
    level, pyramid = make_neck(moving=False).calibrations[0], make_pyramid(1)
    with torch.no_grad():
        level.weight.zero_()[range(CHANNELS), range(CHANNELS), 1, 1] = 1.0  # passes on the centre tap
        level.offset_conv.bias[8], level.offset_conv.bias[9] = 2.0, -1.0  # and takes it 2 cells below, 1 to the left
        added = level(pyramid[0], pyramid[0]) - pyramid[0]
    torch.testing.assert_close(added[:, :, :-2, 1:], pyramid[0][:, :, 2:, :-1], atol=1e-5, rtol=1e-5)


def test_at_the_start_a_frame_by_itself_is_its_features_and_a_small_plain_convolution_of_them():
    neck = TemporalCalibration(256, (8,), patch_size=2, hidden_channels=4)
    features = torch.randn(1, 256, 6, 6)
    (calibrated,), _ = neck([features], None)
    expected = features + F.conv2d(features, neck.calibrations[0].weight, padding=1)
    torch.testing.assert_close(calibrated, expected, atol=1e-5, rtol=1e-5)
    assert 0.02 < ((calibrated - features).std() / features.std()).item() < 0.1


@pytest.mark.parametrize("levels", [(0,), (0, 2), (1,)])
def test_only_the_chosen_levels_change_and_each_has_its_weights(levels):
    neck, pyramid = make_neck(levels), make_pyramid(2)
    calibrated, context = neck(pyramid, None)
    assert tuple(index for index in range(4) if calibrated[index] is not pyramid[index]) == levels
    assert len(context.maps) == len(neck.calibrations) == len(levels)
    for index, level in zip(levels, neck.calibrations, strict=True):
        expected = slowly(level, pyramid[index], pyramid[index][[0, 0]])
        torch.testing.assert_close(calibrated[index], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("sizes", [[1] * 5, [2, 3], [4, 1]])
def test_chunks_of_any_size_are_calibrated_alike(sizes):
    neck, pyramid = make_neck((0, 1)), make_pyramid(5)
    whole, _ = neck(pyramid, None)
    context, parts = None, []
    for chunk in zip(*(level.split(sizes) for level in pyramid), strict=True):
        part, context = neck(chunk, context)
        parts.append(part)
    for level in range(4):
        torch.testing.assert_close(torch.cat([part[level] for part in parts]), whole[level], atol=1e-5, rtol=1e-5)


def test_the_context_is_the_last_frames_features_and_keeps_nothing_else_alive():
    pyramid = make_pyramid(3, requires_grad=True)
    _, context = make_neck()(pyramid, None)
    (left,) = context.maps
    assert torch.equal(left, pyramid[0][2:])
    assert not left.requires_grad
    assert left.untyped_storage().nbytes() == left.numel() * left.element_size()


def test_gradients_flow_to_both_maps_and_to_the_offsets():
    level = make_neck().calibrations[0]
    current, reference = make_pyramid(1, requires_grad=True)[0], (make_pyramid(1)[0] + 1).requires_grad_()
    added = level(current, reference) - current  # depends on the current map through the offsets alone
    added.square().sum().backward()
    for maps in (current, reference, *level.parameters()):
        assert maps.grad.abs().max() > 0


def test_at_the_start_the_offsets_have_a_gradient():
    level, pyramid = make_neck(moving=False).calibrations[0], make_pyramid(2)
    level(pyramid[0][:1], pyramid[0][1:]).square().sum().backward()
    assert level.offset_conv.weight.grad.abs().max() > 0
    assert level.weight.grad.abs().max() > 0


def test_under_autocast_only_the_convolutions_between_are_in_bfloat16():
    level, pyramid = make_neck().calibrations[0], make_pyramid(2)
    kinds = []
    for module in (level.correlation, *level.convs, level.offset_conv):
        module.register_forward_hook(lambda _module, _inputs, output: kinds.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        out = level(pyramid[0][:1].bfloat16(), pyramid[0][1:].bfloat16())
    assert kinds == [torch.float32, torch.bfloat16, torch.bfloat16, torch.bfloat16, torch.float32]
    assert out.dtype == torch.bfloat16


@pytest.mark.parametrize("levels", [[4], [-1], [0, 0], []])
def test_levels_that_the_pyramid_does_not_have_are_named(tiny_vis, levels):
    parts = {
        "type": "VISModel",
        "backbone": tiny_vis.BACKBONE,
        **tiny_vis.MODEL,
        "temporal_neck": {**NECK, "levels": levels},
    }
    with pytest.raises(UserError, match=r"config.model: VISModel cannot be built.*name some of .* 0 to 3, each once"):
        build_part(MODELS, parts, "config.model")


def make_model(tiny_vis, temporal_neck=NECK):
    torch.manual_seed(0)
    return VISModel({**tiny_vis.BACKBONE, "checkpointing": True}, **tiny_vis.MODEL, temporal_neck=temporal_neck)


def make_batch(tiny_vis, items):
    dataset = tiny_vis.AwkwardDataset()
    return collate_clips([dataset[ItemKey(epoch=0, index=index)] for index in items])


def test_a_model_without_it_has_the_parameters_it_had_and_one_with_it_starts_from_the_same(tiny_vis):
    plain, calibrated = make_model(tiny_vis, None).state_dict(), make_model(tiny_vis).state_dict()
    assert not any("temporal" in name for name in plain)
    assert {name for name in calibrated if not name.startswith("temporal_neck.calibrations.0.")} == set(plain)
    assert all(torch.equal(calibrated[name], value) for name, value in plain.items())


@pytest.mark.parametrize("items", [(0, 2), (1, 0), (1, 7)])
def test_every_trainable_parameter_gets_a_gradient_with_and_without_objects(tiny_vis, items):
    model, batch = make_model(tiny_vis), make_batch(tiny_vis, items)
    losses = model.loss(model(batch.images, batch.valid), batch)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    assert not [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


def test_steps_train_it_with_the_backbone_checkpointed(tiny_vis):
    model = make_model(tiny_vis)
    step = TrainStep(model, build_optimizer(model, {"type": "AdamW", "lr": 1e-3}), tiny_vis.ALONE, "bf16", 35.0)
    before = {name: p.clone() for name, p in model.temporal_neck.named_parameters()}
    figures = [step([make_batch(tiny_vis, (0, 6))]) for _ in range(3)]
    assert all(value.isfinite() for step_figures in figures for value in step_figures.values())
    for name, parameter in model.temporal_neck.named_parameters():
        assert not torch.equal(parameter, before[name]), name


def test_a_key_depends_on_its_reference(tiny_vis):
    model, batch = make_model(tiny_vis), make_batch(tiny_vis, (0,))
    other = batch.images.clone()
    other[:, 1] = 255 - other[:, 1]
    with torch.no_grad():
        first, second = model(batch.images, batch.valid), model(other, batch.valid)
    assert not torch.equal(first.mask_basis, second.mask_basis)


def test_one_frame_is_the_beginning_of_a_video(tiny_vis):
    model, batch = make_model(tiny_vis), make_batch(tiny_vis, (0, 2, 6))
    images, valid = batch.images[:, :1], batch.valid[:, :1]
    with torch.no_grad():
        outputs, context = model.continue_video(images, valid, None)
        assert torch.equal(model(images, valid).cls_logits, outputs.cls_logits)
        later, _ = model.continue_video(images, valid, context)
    assert not torch.equal(later.mask_basis[0], outputs.mask_basis[0])
    torch.testing.assert_close(later.mask_basis[1:], outputs.mask_basis[1:])
