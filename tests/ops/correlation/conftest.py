"""The compiled implementation of a device, or a skip that says what is missing."""

import pytest
import torch

from mmdet.ops.correlation import kernels


@pytest.fixture(params=[pytest.param("cpu", marks=pytest.mark.compiled), pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request):
    """A device whose kernel was built."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    if request.param not in kernels.COMPILED_FOR:
        pytest.skip(f"the compiled ops for {request.param} are not built: bash compile.sh")
    return request.param
