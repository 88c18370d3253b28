import pytest
import torch

from mmdet.ops.correlation.geometry import make_geometry
from mmdet.ops.correlation.kernels import COMPILED_FOR, compiled_correlation
from mmdet.ops.correlation.reference import reference_correlation

ONE = [[1.0, 2.0, 3.0]]
TWO = [[10.0, 20.0, 40.0]]
IMPLEMENTATIONS = [
    reference_correlation,
    pytest.param(
        compiled_correlation,
        marks=[
            pytest.mark.compiled,
            pytest.mark.skipif("cpu" not in COMPILED_FOR, reason="the compiled ops for cpu are not built"),
        ],
    ),
]


def correlate(implementation, one, two, **parameters):
    defaults = dict.fromkeys(["kernel_size", "patch_size", "stride", "dilation", "dilation_patch"], 1)
    geometry = make_geometry(**{**defaults, "padding": 0, **parameters})
    return implementation(
        torch.tensor(one).view(1, -1, *torch.tensor(one).shape[-2:]),
        torch.tensor(two).view(1, -1, *torch.tensor(two).shape[-2:]),
        geometry,
    )


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_offsets_of_an_odd_patch_by_hand(implementation):
    out = correlate(implementation, ONE, TWO, patch_size=(1, 3))
    # cell 0 looks one to the left, cell 1 straight on, cell 2 one to the right
    assert out.tolist() == [[[[[0, 20, 60]], [[10, 40, 120]], [[20, 80, 0]]]]]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("dilation_patch", "expected"),
    [
        (1, [[10, 40, 120], [20, 80, 0]]),  # offsets 0 and 1: 1 // 2 = 0
        (2, [[0, 20, 60], [20, 80, 0]]),  # offsets -1 and 1
        (3, [[0, 20, 60], [40, 0, 0]]),  # offsets -1 and 2: 3 // 2 = 1
    ],
)
def test_offsets_of_an_even_patch_by_hand(implementation, dilation_patch, expected):
    out = correlate(implementation, ONE, TWO, patch_size=(1, 2), dilation_patch=dilation_patch)
    assert out[0, 0, :, 0].tolist() == expected


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_vertical_offsets_by_hand(implementation):
    out = correlate(implementation, [[1.0], [2.0], [3.0]], [[10.0], [20.0], [40.0]], patch_size=(3, 1))
    assert out[0, :, 0, :, 0].tolist() == [[0, 20, 60], [10, 40, 120], [20, 80, 0]]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_channels_are_summed(implementation):
    out = correlate(implementation, [[[1.0, 2.0]], [[3.0, 4.0]]], [[[5.0, 6.0]], [[7.0, 8.0]]])
    assert out.flatten().tolist() == [5 + 21, 12 + 32]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_windows_stride_and_padding_by_hand(implementation):
    # Padded by one: 0 1 2 3 0 and 0 10 20 40 0; windows of two taps, two apart, from every second position.
    out = correlate(implementation, ONE, TWO, kernel_size=(1, 2), dilation=(1, 2), padding=(0, 1), stride=(1, 2))
    assert out.flatten().tolist() == [0 + 2 * 20, 2 * 20 + 0]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_gradients_of_an_even_patch_by_hand(implementation):
    one, two = torch.tensor(ONE).view(1, 1, 1, 3).requires_grad_(), torch.tensor(TWO).view(1, 1, 1, 3).requires_grad_()
    out = implementation(one, two, make_geometry(1, (1, 2), 1, 0, 1, 1))  # offsets 0 and 1
    out[0, 0, 1].sum().backward()
    assert one.grad.flatten().tolist() == [20, 40, 0]
    assert two.grad.flatten().tolist() == [0, 1, 2]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_outside_of_a_map_counts_zero_whatever_stands_in_the_other(number):
    one, two = torch.full((1, 1, 1, 3), number), torch.ones(1, 1, 1, 3)
    geometry = make_geometry(1, (1, 3), 1, 0, 1, 1)  # one to the left, here, one to the right
    for inputs, expected in (
        ((one, two), [[0, number, number], [number] * 3, [number, number, 0]]),
        ((two, one), [[0, number, number], [number] * 3, [number, number, 0]]),
    ):
        out = reference_correlation(*inputs, geometry)[0, 0, :, 0]
        torch.testing.assert_close(out, torch.tensor(expected), equal_nan=True)
