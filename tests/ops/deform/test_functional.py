"""Deformable convolution: the sampled and the deterministic form against torchvision's kernel."""

import sys

import pytest
import torch
from torchvision.ops import deform_conv2d

from mmdet.ops.deform import functional as deform
from mmdet.ops.deform.functional import (
    deform_conv,
    deterministic_deform_conv,
    pick_bilinear,
    sample_bilinear,
    sampled_deform_conv,
)

FORMS = pytest.mark.parametrize("form", [sampled_deform_conv, deterministic_deform_conv])


def inputs(batch=2, channels=8, out_channels=6, size=(5, 7), groups=4, dtype=torch.float64, spread=2.0):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, channels, *size, dtype=dtype, generator=generator)
    offsets = torch.randn(batch, groups * 18, *size, dtype=dtype, generator=generator) * spread
    weight = torch.randn(out_channels, channels, 3, 3, dtype=dtype, generator=generator)
    return tuple(tensor.requires_grad_() for tensor in (features, offsets, weight))


@FORMS
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 6), (2, 2)])
@pytest.mark.parametrize("groups", [1, 4])
def test_values_and_gradients_equal_torchvisions(form, size, groups):
    arguments = inputs(size=size, groups=groups)
    expected = deform_conv2d(*arguments, padding=1)
    upstream = torch.randn_like(expected)
    expected_gradients = torch.autograd.grad(expected, arguments, upstream)
    actual = form(*arguments)
    torch.testing.assert_close(actual, expected)
    for mine, theirs in zip(torch.autograd.grad(actual, arguments, upstream), expected_gradients, strict=True):
        torch.testing.assert_close(mine, theirs)


@FORMS
def test_taps_far_outside_read_zero(form):
    features, offsets, weight = inputs(spread=1.0)
    for far in (100, -1e30):
        assert torch.equal(form(features, offsets + far, weight), torch.zeros(2, 6, 5, 7).double())


def test_without_offsets_it_is_a_convolution():
    features, offsets, weight = inputs(dtype=torch.float32, spread=0.0)
    torch.testing.assert_close(deform_conv(features, offsets, weight), torch.conv2d(features, weight, padding=1))


@FORMS
def test_gradients_are_those_of_finite_differences(form):
    assert torch.autograd.gradcheck(form, inputs(batch=1, channels=4, out_channels=2, size=(3, 4)))


@pytest.mark.parametrize("sampler", [sample_bilinear, pick_bilinear])
def test_a_position_between_cells_reads_their_weighted_mean_and_has_the_slope_between_them(sampler):
    maps = torch.tensor([[[[1.0, 2.0], [5.0, 10.0]]]])
    y, x = torch.tensor([[0.25, 0.0]], requires_grad=True), torch.tensor([[0.5, 1.0]])
    values = sampler(maps, y, x)
    assert values.tolist() == [[[0.75 * 1.5 + 0.25 * 7.5, 2.0]]]
    values.sum().backward()
    assert y.grad.tolist() == [[6.0, 8.0]]  # in a cell, too: towards the next one


def test_a_position_that_is_not_finite_shows_in_the_values_and_nowhere_else():
    y = torch.tensor([[0.0, float("nan"), float("inf")]])
    values = pick_bilinear(torch.ones(1, 2, 3, 3), y, torch.zeros(1, 3))
    assert values[..., 0].tolist() == [[1.0, 1.0]]
    assert values[..., 1:].isnan().all()


@pytest.mark.parametrize("triton", [True, False])
def test_a_gpu_told_to_be_deterministic_takes_the_deterministic_form(monkeypatch, triton):
    class OnGpu:
        device = torch.device("cuda")
        dtype = torch.float32

        def to(self, dtype):
            return self

    taken = []
    kernels = type(sys)("kernels")
    kernels.gpu_deform_conv = lambda *a: taken.append("kernels")
    monkeypatch.setitem(sys.modules, "mmdet.ops.deform.kernels", kernels)
    monkeypatch.setattr(deform, "_HAS_TRITON", triton)
    monkeypatch.setattr(deform, "deterministic_deform_conv", lambda *a: taken.append("deterministic"))
    monkeypatch.setattr(deform, "sampled_deform_conv", lambda *a: taken.append("sampled"))
    for told in (True, False):
        monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda told=told: told)
        deform_conv(OnGpu(), OnGpu(), OnGpu())
    assert taken == ["deterministic", "kernels" if triton else "sampled"]


def test_the_deterministic_form_picks_image_by_image_and_again_in_the_backward_pass(monkeypatch):
    picked = []
    monkeypatch.setattr(
        deform, "pick_bilinear", lambda maps, y, x: picked.append(len(maps)) or pick_bilinear(maps, y, x)
    )
    arguments = inputs(batch=3, groups=4)
    deterministic_deform_conv(*arguments).sum().backward()
    assert picked == [4] * 6
    with torch.inference_mode():
        deterministic_deform_conv(*arguments)
    assert picked == [4] * 9


@pytest.mark.cuda
def test_a_gpu_without_triton_computes_on_whatever_stream_is_the_current_one(monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    monkeypatch.setattr(deform, "_HAS_TRITON", False)
    arguments = inputs(channels=64, out_channels=64, size=(60, 108), dtype=torch.float32)
    expected = sampled_deform_conv(*arguments)
    expected_gradients = torch.autograd.grad(expected.sum(), arguments)
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(10**8)  # what comes before keeps the stream busy: only this stream's own order counts
        placed = [tensor.detach().cuda().requires_grad_() for tensor in arguments]
        actual = deform_conv(*placed)
        gradients = torch.autograd.grad(actual.sum(), placed)
        torch.testing.assert_close(actual.cpu(), expected, rtol=1e-3, atol=1e-3)
        for mine, theirs in zip(gradients, expected_gradients, strict=True):
            assert (mine.cpu() - theirs).abs().max() <= 2e-3 * theirs.abs().max()
