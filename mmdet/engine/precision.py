"""How a GPU multiplies float32: exactly, or as TensorFloat-32 (10 bits of mantissa), which is several times faster.

Published numbers are float32's, so tests run exactly. Training in bfloat16 or float16 may use TF32 for what stays in
float32: it is as fine as float16 and finer than bfloat16. Knows nothing of autocast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def float32_products(exact: bool) -> Iterator[None]:
    """Multiply matrices and convolve float32 exactly, or by TF32, as long as this lasts; the CPU is always exact."""
    places = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee" if exact else "tf32"
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value
