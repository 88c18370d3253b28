import logging

import pytest
import torch

from mmdet.ops.correlation import SpatialCorrelationSampler, functional, kernels, spatial_correlation_sample
from mmdet.ops.correlation.geometry import make_geometry
from mmdet.ops.correlation.reference import reference_correlation


@pytest.fixture(params=[pytest.param("compiled", marks=pytest.mark.compiled), "plain torch"])
def implementation(request, monkeypatch):
    """The function with the library, and as if there were none."""
    if request.param == "plain torch":
        monkeypatch.setattr(kernels, "COMPILED_FOR", frozenset())
    elif "cpu" not in kernels.COMPILED_FOR:
        pytest.skip("the compiled ops for cpu are not built: bash compile.sh")
    torch.compiler.reset()
    return request.param


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 4, 6, 7, generator=generator).requires_grad_() for _ in range(2)]


def test_the_function_takes_ints_and_pairs(implementation, inputs):
    expected = reference_correlation(*inputs, make_geometry((1, 1), (3, 3), (1, 1), (0, 0), (1, 1), (2, 2)))
    torch.testing.assert_close(spatial_correlation_sample(*inputs, patch_size=3, dilation_patch=(2, 2)), expected)


def test_the_module_is_the_function_with_its_parameters_bound(implementation, inputs):
    module = SpatialCorrelationSampler(3, (2, 3), 2, 1, 1, 2)
    assert torch.equal(module(*inputs), spatial_correlation_sample(*inputs, 3, (2, 3), 2, 1, 1, 2))
    assert "patch_size=(2, 3)" in repr(module)
    assert not list(module.parameters())


def test_it_compiles_as_one_graph(implementation, inputs):
    compiled = torch.compile(
        lambda a, b: spatial_correlation_sample(a, b, 1, 3) * 2, fullgraph=True, backend="aot_eager"
    )
    expected = spatial_correlation_sample(*inputs, 1, 3) * 2
    result = compiled(*inputs)
    torch.testing.assert_close(result, expected)
    grad = torch.randn_like(expected)
    for a, b in zip(
        torch.autograd.grad(result, inputs, grad), torch.autograd.grad(expected, inputs, grad), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_autocast_computes_in_its_dtype(implementation, inputs):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = spatial_correlation_sample(inputs[0], inputs[1].bfloat16(), 1, 3)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, spatial_correlation_sample(*(tensor.bfloat16() for tensor in inputs), 1, 3))
    grad = torch.autograd.grad(out.float().sum(), inputs[0])[0]
    assert grad.dtype == torch.float32


def test_autocast_leaves_double_alone(implementation, inputs):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert spatial_correlation_sample(*(tensor.double() for tensor in inputs)).dtype == torch.float64


def test_the_slow_implementation_says_so_once(monkeypatch, inputs, caplog):
    monkeypatch.setattr(kernels, "COMPILED_FOR", frozenset())
    functional.announce_plain_torch.cache_clear()
    with caplog.at_level(logging.WARNING):
        spatial_correlation_sample(*inputs)
        spatial_correlation_sample(*inputs)
    assert [record.getMessage() for record in caplog.records] == [
        "spatial correlation on cpu runs in plain torch, slowly: `bash compile.sh` builds kernels"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: (a[0], a[0]), r"got \(4, 6, 7\) and \(4, 6, 7\)"),
        (lambda a: (a, a[..., 1:]), r"got \(2, 4, 6, 7\) and \(2, 4, 6, 6\)"),
        (lambda a: (a, a.double()), r"got torch.float32 and torch.float64"),
        (lambda a: (a.int(), a.int()), r"got torch.int32 and torch.int32"),
        (lambda a: (a, a.to("meta")), r"got cpu and meta"),
    ],
    ids=["rank", "shape", "dtypes", "integers", "devices"],
)
def test_maps_that_do_not_fit_are_named(change, message, inputs):
    with pytest.raises(ValueError, match=message):
        spatial_correlation_sample(*change(inputs[0]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kernel_size": 0}, "kernel_size is 0; it must be an int >= 1 or a pair"),
        ({"patch_size": (3, 0)}, r"patch_size is \(3, 0\)"),
        ({"stride": -1}, "stride is -1"),
        ({"padding": -1}, "padding is -1; it must be an int >= 0"),
        ({"dilation": 1.5}, "dilation is 1.5"),
        ({"dilation_patch": (1, 2, 3)}, r"dilation_patch is \(1, 2, 3\)"),
        ({"stride": True}, "stride is True"),
        (
            {"kernel_size": 4, "dilation": (2, 1)},
            r"kernel_size \(4, 4\) with dilation \(2, 1\) is larger than the map \(6, 7\)",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_named(parameters, message, inputs):
    with pytest.raises(ValueError, match=message):
        spatial_correlation_sample(*inputs, **parameters)
