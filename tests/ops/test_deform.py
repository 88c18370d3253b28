"""Deformable convolution: the sampled form against torchvision's kernel."""

import pytest
import torch
from torchvision.ops import deform_conv2d

from mmdet.ops.deform import deform_conv, sampled_deform_conv


def inputs(batch=2, channels=8, out_channels=6, size=(5, 7), groups=4, dtype=torch.float64, spread=2.0):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, channels, *size, dtype=dtype, generator=generator)
    offsets = torch.randn(batch, groups * 18, *size, dtype=dtype, generator=generator) * spread
    weight = torch.randn(out_channels, channels, 3, 3, dtype=dtype, generator=generator)
    return tuple(tensor.requires_grad_() for tensor in (features, offsets, weight))


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 6), (2, 2)])
@pytest.mark.parametrize("groups", [1, 4])
def test_values_and_gradients_equal_torchvisions(size, groups):
    arguments = inputs(size=size, groups=groups)
    expected = deform_conv2d(*arguments, padding=1)
    upstream = torch.randn_like(expected)
    expected_gradients = torch.autograd.grad(expected, arguments, upstream)
    actual = sampled_deform_conv(*arguments)
    torch.testing.assert_close(actual, expected)
    for mine, theirs in zip(torch.autograd.grad(actual, arguments, upstream), expected_gradients, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_taps_far_outside_read_zero():
    features, offsets, weight = inputs(spread=1.0)
    assert torch.equal(sampled_deform_conv(features, offsets + 100, weight), torch.zeros(2, 6, 5, 7).double())


def test_without_offsets_it_is_a_convolution():
    features, offsets, weight = inputs(dtype=torch.float32, spread=0.0)
    torch.testing.assert_close(deform_conv(features, offsets, weight), torch.conv2d(features, weight, padding=1))


def test_gradients_are_those_of_finite_differences():
    assert torch.autograd.gradcheck(sampled_deform_conv, inputs(batch=1, channels=4, out_channels=2, size=(3, 4)))
