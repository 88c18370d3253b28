"""Exact and fast products of float32 on a GPU."""

import pytest
import torch

from mmdet.engine.precision import float32_products

PLACES = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)


@pytest.mark.parametrize(("exact", "expected"), [(True, "ieee"), (False, "tf32")])
def test_products_are_as_told_and_afterwards_as_before(exact, expected):
    before = [place.fp32_precision for place in PLACES]
    seen = []

    def fail():
        with float32_products(exact):
            seen.extend(place.fp32_precision for place in PLACES)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert seen == [expected, expected]
    assert [place.fp32_precision for place in PLACES] == before


@pytest.mark.cuda
def test_exact_products_are_finer_than_fast_ones():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    a, b = torch.rand(2, 256, 256, dtype=torch.float64).unbind()
    errors = []
    for exact in (True, False):
        with float32_products(exact):
            errors.append((a.float().cuda() @ b.float().cuda() - (a @ b).cuda()).abs().max().item())
    assert errors[0] < 1e-4 < errors[1]
