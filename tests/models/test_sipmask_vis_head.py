"""The head of SipMask-VIS: shapes, what it starts as, what aligns, which outputs teach which parts."""

import math

import pytest
import torch
from torch import nn

from mmdet.models.heads import SipMaskVISHead

STRIDES = (8, 16, 32, 64, 128)
CHANNELS, CLASSES, BASES, FUSED = 16, 3, 4, 12


def make_head(seed=0):
    torch.manual_seed(seed)
    return SipMaskVISHead(CHANNELS, STRIDES, CLASSES, num_bases=BASES, fused_channels=FUSED, norm_groups=4)


def pyramid(size=(64, 96), clips=1, seed=0):
    source = torch.Generator().manual_seed(seed)
    sizes = [(-(-size[0] // stride), -(-size[1] // stride)) for stride in STRIDES]
    return [torch.rand(clips, CHANNELS, *level, generator=source) for level in sizes]


@pytest.mark.parametrize("size", [(64, 96), (32, 32), (160, 224)])
def test_outputs_are_flattened_over_all_levels(size):
    out = make_head()(pyramid(size, clips=2), None)
    points = sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in STRIDES)
    assert out.cls_logits.shape == (2, points, CLASSES)
    assert out.distances.shape == (2, points, 4)
    assert out.centerness_logits.shape == (2, points)
    assert out.coefficients.shape == (2, points, 4, BASES)
    assert out.mask_basis.shape == (2, BASES, size[0] // 2, size[1] // 2)
    assert out.track_map.shape == (2, FUSED, size[0] // 8, size[1] // 8)
    assert out.reference_track_map is None


def test_it_starts_as_published():
    """BASELINES.md 2.1: small weights, a rare class, no offsets, scales of 1, torch's own start of the track map."""
    torch.manual_seed(0)
    head = SipMaskVISHead(64, STRIDES, 40)
    assert not head.cls_align.offset_conv.weight.any()
    assert torch.equal(head.scales, torch.ones(5))
    torch.testing.assert_close(head.cls_conv.bias, torch.full((40,), -math.log(99)))
    for conv in (head.box_conv, head.centerness_conv, head.coefficient_conv, head.basis_fuse, head.basis_conv):
        assert not conv.bias.any()
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.1)
    for conv in (head.cls_tower[0].conv, head.box_tower[2].conv, head.track_tower[1].conv):
        assert conv.bias is None
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert head.cls_align.weight.std().item() == pytest.approx(0.01, rel=0.1)
    bound = 1 / math.sqrt(3 * 64)  # He uniform with a = sqrt(5), as torch starts convolutions
    assert head.track_fuse.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert head.track_fuse.bias.any()
    assert [len(tower) for tower in (head.cls_tower, head.box_tower, head.track_tower)] == [2, 3, 2]


def test_distances_are_cells_times_the_stride_and_may_be_negative():
    """B3: neither an exponential nor a ReLU."""
    head, maps = make_head(), pyramid()
    nn.init.normal_(head.box_conv.weight)
    with torch.no_grad():
        head.scales.copy_(torch.tensor([0.5, 1.0, 1.5, 2.0, 2.5]))
        out, start = head(maps, None), 0
        for level, features in enumerate(maps):
            cells = head.scales[level] * head.box_conv(head.box_tower(features))
            own = out.distances[0, start : start + features[0, 0].numel()]
            torch.testing.assert_close(own, STRIDES[level] * cells[0].flatten(1).T)
            start += len(own)
    assert (out.distances < 0).any()
    assert (out.distances > 0).any()


def test_features_of_classes_are_aligned_with_the_boxes_in_cells():
    head, maps = make_head(), pyramid()
    nn.init.normal_(head.cls_align.offset_conv.weight, std=0.5)
    nn.init.normal_(head.box_conv.weight)
    with torch.no_grad():
        out = head(maps, None)
        features = maps[0]
        cells = head.scales[0] * head.box_conv(head.box_tower(features))
        aligned = head.cls_align(head.cls_tower(features), cells)
        count = features[0, 0].numel()
        torch.testing.assert_close(out.cls_logits[0, :count], head.cls_conv(aligned)[0].flatten(1).T)
        rows = head.coefficient_conv(aligned)[0].flatten(1).T
        torch.testing.assert_close(out.coefficients[0, :count].flatten(1), rows)
        torch.testing.assert_close(out.coefficients[0, :count, 2], rows[:, 2 * BASES : 3 * BASES])


def test_no_gradient_reaches_the_boxes_through_the_alignment():
    head = make_head()
    nn.init.normal_(head.cls_align.offset_conv.weight, std=0.5)
    head(pyramid(), None).cls_logits.sum().backward()
    assert head.box_conv.weight.grad is None
    assert head.cls_align.offset_conv.weight.grad.any()


def test_the_basis_is_rectified_before_it_is_enlarged():
    head, maps = make_head(), pyramid()
    for conv in (head.basis_fuse, head.basis_conv):
        nn.init.normal_(conv.weight)
    with torch.no_grad():
        basis = head(maps, None).mask_basis
        levels = [head.box_tower(level) for level in maps[:3]]
        finest = [nn.functional.interpolate(m, size=(8, 12), mode="bilinear", align_corners=False) for m in levels]
        small = head.basis_conv(head.basis_fuse(torch.cat(finest, 1)).relu()).relu()
        expected = nn.functional.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(basis, expected)
    assert (small == 0).any()


def test_keys_and_references_share_the_track_branch():
    head, keys, references = make_head(), pyramid(seed=1), pyramid(seed=2)
    with torch.no_grad():
        pair, alone = head(keys, references), head(references, None)
    torch.testing.assert_close(pair.reference_track_map, alone.track_map)
    assert not torch.equal(pair.track_map, pair.reference_track_map)


def test_every_parameter_gets_a_gradient():
    head = make_head()
    out = head(pyramid(), pyramid(seed=1))
    parts = (out.cls_logits, out.distances, out.centerness_logits, out.coefficients, out.mask_basis, out.track_map)
    sum((part * torch.rand_like(part)).sum() for part in parts).backward()
    assert [name for name, parameter in head.named_parameters() if parameter.grad is None] == []
