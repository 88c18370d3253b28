"""The compiled kernels against the reference, which tests/ops/correlation/test_reference.py pins to literal numbers."""

import itertools

import pytest
import torch
from torch import library

from mmdet.ops.correlation.geometry import make_geometry
from mmdet.ops.correlation.kernels import compiled_correlation
from mmdet.ops.correlation.reference import reference_correlation

# Distance to the reference over the reference's size; half types round inputs the same and outputs once.
TOLERANCES = {torch.float64: 1e-13, torch.float32: 2e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}

# A shape, and kernel_size, patch_size, stride, padding, dilation, dilation_patch.
CASES = {
    "one_offset": ((2, 3, 5, 7), (1, 1, 1, 0, 1, 1)),
    "odd_patch": ((2, 20, 9, 11), (1, 5, 1, 0, 1, 1)),
    "even_patch": ((1, 17, 11, 37), (1, 16, 1, 0, 1, 2)),
    "even_patch_odd_dilation": ((1, 8, 12, 19), (1, (4, 6), 1, 0, 1, (3, 1))),
    "patch_21": ((1, 33, 13, 40), (1, 21, 1, 0, 1, 2)),
    "patch_9_wide": ((1, 70, 6, 70), (1, 9, 1, 0, 1, (1, 2))),
    "patch_beyond_the_map": ((1, 4, 3, 5), (1, (9, 16), 1, 0, 1, 3)),
    "padding": ((2, 6, 7, 6), (1, (3, 2), 1, (2, 3), 1, 2)),
    "many_channels": ((1, 270, 5, 6), (1, 3, 1, 0, 1, 1)),
    "three_chunks_of_channels": ((1, 150, 5, 18), (1, 4, 1, 0, 1, 1)),
    "window": ((2, 5, 9, 13), (3, 3, 1, 1, 1, 1)),
    "stride": ((1, 5, 9, 13), (1, 4, (2, 3), 0, 1, 2)),
    "everything": ((2, 5, 12, 17), ((2, 3), (3, 4), (3, 2), (1, 4), (2, 1), (2, 3))),
    "odd_width": ((1, 40, 7, 45), (1, (3, 8), 1, 0, 1, (1, 2))),
    "width_of_half_a_vector": ((2, 36, 9, 52), (1, (4, 9), 1, 0, 1, 2)),
    "padding_beyond_a_tile": ((1, 33, 6, 20), (1, (2, 5), 1, (1, 19), 1, 2)),
    "many_rows": ((2, 9, 37, 24), (1, (9, 3), 1, 0, 1, (2, 1))),
    "more_classes_than_lie_together": ((1, 24, 8, 61), (1, (3, 5), 1, 0, 1, (2, 7))),
    "classes_of_one_member": ((1, 12, 7, 18), (1, (3, 5), 1, 0, 1, (9, 50))),
    "one_row": ((1, 3, 1, 9), (1, (1, 5), 1, 0, 1, 1)),
}
LAYOUTS = ["contiguous", "channels_last", "every_second", "odd_address"]


def maps(shape, dtype, device, layout="contiguous", seed=0):
    """Two random maps; every_second: a view into a larger tensor, transposed in memory; odd_address: one number on."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(2):
        values = torch.randn(shape, generator=generator, dtype=torch.float64).to(device, dtype)
        if layout == "channels_last":
            values = values.contiguous(memory_format=torch.channels_last)
        elif layout == "every_second":
            batch, channels, height, width = shape
            larger = torch.full((batch, 2 * channels, width, height + 1), float("nan"), dtype=dtype, device=device)
            larger[:, ::2, :, 1:] = values.transpose(2, 3)
            values = larger[:, ::2, :, 1:].transpose(2, 3)
        elif layout == "odd_address":
            values = torch.cat([values.new_zeros(1), values.flatten()])[1:].view(shape)
        made.append(values.detach().requires_grad_())
    return made


def run(implementation, inputs, geometry, seed=1):
    """Return the output and the gradients of both maps for a random gradient of the output."""
    out = implementation(*inputs, geometry)
    grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return out.detach(), *torch.autograd.grad(out, inputs, grad.to(out))


def check(result, expected, dtype):
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    scale = expected.double().norm().clamp(min=1)
    assert (result.double() - expected.double()).norm() / scale < TOLERANCES[dtype]


@pytest.mark.parametrize("dtype", TOLERANCES, ids=lambda dtype: str(dtype).removeprefix("torch."))
@pytest.mark.parametrize(("shape", "parameters"), CASES.values(), ids=CASES)
def test_forward_and_both_gradients_are_those_of_the_reference(device, shape, parameters, dtype):
    inputs, geometry = maps(shape, dtype, device), make_geometry(*parameters)
    for result, expected in zip(
        run(compiled_correlation, inputs, geometry), run(reference_correlation, inputs, geometry), strict=True
    ):
        check(result, expected, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("layout", LAYOUTS[1:])
@pytest.mark.parametrize("name", ["odd_patch", "everything", "many_channels", "width_of_half_a_vector"])
def test_strides_do_not_matter(device, name, layout, dtype):
    shape, parameters = CASES[name]
    geometry = make_geometry(*parameters)
    expected = run(compiled_correlation, maps(shape, dtype, device), geometry)
    for result, plain in zip(
        run(compiled_correlation, maps(shape, dtype, device, layout), geometry), expected, strict=True
    ):
        assert torch.equal(result, plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
@pytest.mark.parametrize(("layout1", "layout2"), list(itertools.permutations(LAYOUTS, 2)))
def test_each_map_may_lie_in_memory_in_its_own_way(device, layout1, layout2, dtype):
    shape, parameters = CASES["width_of_half_a_vector"]
    one, two = maps(shape, dtype, device, layout1)[0], maps(shape, dtype, device, layout2)[1]
    expected = compiled_correlation(*maps(shape, dtype, device), make_geometry(*parameters))
    assert torch.equal(compiled_correlation(one, two, make_geometry(*parameters)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
def test_sizes_that_take_turns_do_not_mix(device, dtype):
    """More of them than the CUDA kernels remember plans for."""
    for size in [*range(3, 25), *range(3, 25)]:
        inputs, geometry = maps((1, 4, 3, size), dtype, device), make_geometry(1, (1, 4), 1, 0, 1, 2)
        check(compiled_correlation(*inputs, geometry), reference_correlation(*inputs, geometry), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
def test_the_gradient_of_the_output_may_have_any_strides(device, dtype):
    shape, parameters = CASES["odd_patch"]
    one, two = maps(shape, dtype, device)
    out = compiled_correlation(one, two, make_geometry(*parameters))
    grad = torch.randn_like(out)
    scattered = grad.permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0)
    for result, expected in zip(
        torch.autograd.grad(out, (one, two), scattered, retain_graph=True),
        torch.autograd.grad(out, (one, two), grad),
        strict=True,
    ):
        assert torch.equal(result, expected)


@pytest.mark.parametrize(("patch", "dilation"), list(itertools.product([2, 4, (2, 3)], [1, 2, 3])))
def test_even_patches_use_the_same_offsets_in_the_backward_as_in_the_forward(device, patch, dilation):
    """The floor in the offset of cell 0 belongs to even patches with odd dilation; gradcheck compares both passes."""
    one, two = maps((1, 2, 6, 7), torch.float64, device)
    geometry = make_geometry(1, patch, 1, 0, 1, dilation)
    assert torch.autograd.gradcheck(lambda a, b: compiled_correlation(a, b, geometry), (one, two))


@pytest.mark.parametrize("name", ["window", "everything"])
def test_gradcheck(device, name):
    _, parameters = CASES[name]
    one, two = maps((1, 2, 7, 8), torch.float64, device)
    geometry = make_geometry(*parameters)
    assert torch.autograd.gradcheck(lambda a, b: compiled_correlation(a, b, geometry), (one, two))


@pytest.mark.parametrize("shape", [(0, 3, 5, 6), (2, 0, 5, 6)], ids=["no_images", "no_channels"])
def test_empty_maps_give_empty_or_zero_results(device, shape):
    inputs, geometry = maps(shape, torch.float32, device), make_geometry(1, 3, 1, 0, 1, 1)
    out, *grads = run(compiled_correlation, inputs, geometry)
    assert out.shape == (shape[0], 3, 3, 5, 6)
    assert not out.any()
    assert all(grad.shape == shape for grad in grads)


def check_kinds(result, expected, dtype):
    """Compare what is finite as ever, and where NaN and infinities stand exactly."""
    for kind in (torch.isnan, torch.isposinf, torch.isneginf):
        assert torch.equal(kind(result), kind(expected))
    check(result.nan_to_num(0, 0, 0), expected.nan_to_num(0, 0, 0), dtype)


SPOILT = ["odd_patch", "padding", "patch_9_wide", "everything", "odd_width", "padding_beyond_a_tile", "window"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=["f32", "f16", "bf16"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_finite_shows_where_it_is_met_and_nowhere_else(device, name, number, dtype):
    """Not where the other map ends, which counts zero there, whatever stands in this one."""
    shape, parameters = CASES[name]
    geometry = make_geometry(*parameters)
    for spoilt in (0, 1):
        inputs = maps(shape, dtype, device)
        with torch.no_grad():
            inputs[spoilt][0, 1, :3, 1:3] = inputs[spoilt][-1, 0, -1, -1] = number
        results = run(compiled_correlation, inputs, geometry)
        expected = run(reference_correlation, inputs, geometry)
        assert not expected[0].isfinite().all()
        for result, right in zip(results, expected, strict=True):
            check_kinds(result, right, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
@pytest.mark.parametrize("name", SPOILT)
def test_a_gradient_that_is_not_finite_reaches_what_made_its_output_alone(device, name, dtype):
    shape, parameters = CASES[name]
    geometry = make_geometry(*parameters)
    gradients = []
    for implementation in (compiled_correlation, reference_correlation):
        inputs = maps(shape, dtype, device)
        out = implementation(*inputs, geometry)
        grad = torch.ones_like(out)
        grad[0, 0, 0, 0, 0] = grad[-1, -1, -1, -1, -1] = float("nan")
        gradients.append(torch.autograd.grad(out, inputs, grad))
    for result, right in zip(*gradients, strict=True):
        check_kinds(result, right, dtype)


def test_results_are_the_same_every_time(device):
    shape, parameters = CASES["patch_21"]
    inputs, geometry = maps(shape, torch.float32, device), make_geometry(*parameters)
    first, second = run(compiled_correlation, inputs, geometry), run(compiled_correlation, inputs, geometry)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("needs", [(True, False), (False, True)])
def test_only_the_gradients_that_are_asked_for_are_computed(device, needs):
    one, two = (
        tensor.detach().requires_grad_(need)
        for tensor, need in zip(maps((1, 2, 4, 5), torch.float32, device), needs, strict=True)
    )
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        compiled_correlation(one, two, make_geometry(1, 3, 1, 0, 1, 1)).sum().backward()
    calls = [event.count for event in profile.key_averages() if event.key == "memcnp::correlation_backward"]
    assert calls == [1]
    assert [tensor.grad is not None for tensor in (one, two)] == list(needs)


def test_a_second_derivative_is_refused(device):
    one, two = maps((1, 2, 4, 5), torch.float64, device)
    out = compiled_correlation(one, two, make_geometry(1, 3, 1, 0, 1, 1))
    (grad,) = torch.autograd.grad(out.sum(), one, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        grad.sum().backward()


@pytest.mark.parametrize("name", ["odd_patch", "everything"])
def test_opcheck(device, name):
    shape, parameters = CASES[name]
    geometry = make_geometry(*parameters)
    one, two = maps(shape, torch.float32, device)
    library.opcheck(torch.ops.memcnp.correlation.default, (one, two, *geometry))
    grad = torch.randn(geometry.output_shape(shape), device=device)
    library.opcheck(
        torch.ops.memcnp.correlation_backward.default, (grad, two.detach(), *geometry, True), test_utils="test_schema"
    )
    library.opcheck(
        torch.ops.memcnp.correlation_backward.default,
        (grad, two.detach(), *geometry, True),
        test_utils="test_faketensor",
    )


def test_the_op_itself_refuses_what_does_not_fit(device):
    one, two = maps((1, 2, 4, 5), torch.float32, device)
    with pytest.raises(RuntimeError, match="maps of"):
        compiled_correlation(one, two[..., :4], make_geometry(1, 3, 1, 0, 1, 1))
    with pytest.raises(RuntimeError, match="gradient of"):
        torch.ops.memcnp.correlation_backward(one, two, *make_geometry(1, 3, 1, 0, 1, 1), False)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=["f32", "f16", "bf16"])
@pytest.mark.parametrize("patch", [9, 16, 21, 40])
def test_the_gpu_gives_the_numbers_of_the_cpu_at_real_sizes(patch, dtype):
    geometry = make_geometry(1, patch, 1, 0, 1, 2)
    inputs = maps((2, 256, 30, 54), dtype, "cpu")
    expected = run(compiled_correlation, inputs, geometry)
    results = run(compiled_correlation, [tensor.detach().cuda().requires_grad_() for tensor in inputs], geometry)
    for result, plain in zip(results, expected, strict=True):
        check(result.cpu(), plain, dtype)
