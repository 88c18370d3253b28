"""The GPU's deformable convolution: its kernels by Triton's interpreter on the CPU, and as they are on a GPU."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.ops import deform_conv2d

from mmdet.ops.deform.functional import deform_conv

pytest.importorskip("triton", reason="torch for this platform comes without Triton")


def inputs(batch=1, channels=8, out_channels=3, size=(3, 5), groups=1, spread=2.0, device="cpu"):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, channels, *size, generator=generator)
    offsets = torch.randn(batch, groups * 18, *size, generator=generator) * spread
    weight = torch.randn(out_channels, channels, 3, 3, generator=generator)
    upstream = torch.randn(batch, out_channels, *size, generator=generator)
    return [tensor.to(device) for tensor in (features, offsets, weight, upstream)]


def torchvisions(features, offsets, weight, upstream):
    """Values and gradients of torchvision's deformable convolution."""
    leaves = [tensor.detach().float().requires_grad_() for tensor in (features, offsets, weight)]
    output = deform_conv2d(*leaves, padding=1)
    return [output.detach(), *torch.autograd.grad(output, leaves, upstream.float())]


def assert_near(found, wanted, tolerance):
    for mine, theirs in zip(found, wanted, strict=True):
        assert (mine.float() - theirs).abs().max() <= tolerance * theirs.abs().max()


features, offsets, weight, upstream = inputs(size=(2, 3), spread=1.0)
CASES = {
    "batch and groups": inputs(batch=2, groups=2),
    "point": inputs(size=(1, 1)),
    "points beyond one block's": inputs(size=(3, 11), channels=6),
    "channels beyond one block's": inputs(size=(1, 2), channels=130),
    "far": [features, offsets + 100, weight, upstream],
    "farthest": [features, offsets - 1e30, weight, upstream],
    "nowhere": [features, offsets + torch.nan, weight, upstream],
    "bfloat16": [features.bfloat16(), offsets * 8, weight, upstream.bfloat16()],
}


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    """What the kernels make of each case."""
    folder = tmp_path_factory.mktemp("interpreted")
    torch.save(list(CASES.values()), folder / "cases.pt")
    program = Path(__file__).parents[2] / "helpers" / "interpreted_deform.py"
    subprocess.run([sys.executable, program, folder / "cases.pt", folder / "results.pt"], check=True, timeout=200)
    return dict(zip(CASES, torch.load(folder / "results.pt"), strict=True))


@pytest.mark.parametrize("case", [name for name in CASES if "b" in name and name != "bfloat16"] + ["point"])
def test_values_and_gradients_equal_torchvisions(interpreted, case):
    assert_near(interpreted[case], torchvisions(*CASES[case]), tolerance=1e-5)


@pytest.mark.parametrize("case", ["far", "farthest"])
def test_taps_far_outside_read_zero(interpreted, case):
    output, grad_features, *_ = interpreted[case]
    assert not output.any()
    assert not grad_features.any()


def test_taps_nowhere_give_nan_and_touch_no_memory(interpreted):
    output, grad_features, *_ = interpreted["nowhere"]
    assert output.isnan().all()
    assert not grad_features.any()


def test_products_are_in_the_features_type_and_places_in_float32(interpreted):
    found = interpreted["bfloat16"]
    assert [tensor.dtype for tensor in found] == [torch.bfloat16, torch.bfloat16, torch.float32, torch.float32]
    assert_near(found, torchvisions(*CASES["bfloat16"]), tolerance=0.02)


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("channels", "groups"), [(512, 4), (256, 4), (256, 1), (24, 4)])
def test_on_a_gpu_values_and_gradients_equal_torchvisions(dtype, channels, groups):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    case = inputs(channels=channels, out_channels=64, size=(30, 54), groups=groups, spread=5.0, device="cuda")
    case = [case[0].to(dtype), *case[1:3], case[3].to(dtype)]
    leaves = [tensor.requires_grad_() for tensor in case[:3]]
    output = deform_conv(*leaves)
    found = [output.detach(), *torch.autograd.grad(output, leaves, case[3])]
    # rounding of a sum over channels of differences, where the dtype is coarse
    assert_near(found, torchvisions(*case), tolerance=1e-4 if dtype == torch.float32 else 3e-2)
