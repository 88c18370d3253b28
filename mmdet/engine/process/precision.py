"""What a GPU computes in: the types of mixed precision by name, and how it multiplies what stays in float32.

That is exactly, or as TensorFloat-32 (10 bits of mantissa), which is several times faster. Published numbers are
float32's, so tests run exactly. Training in bfloat16 or float16 may use TF32: it is as fine as float16 and finer than
bfloat16. Settled where a model computes, in `Detector` and `TrainStep`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

AMP_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "off": torch.float32}


def reduced_type(amp: str, device: torch.device) -> torch.dtype | None:
    """Return the type of autocast, or None for full precision, as with "off" and on the CPU."""
    return AMP_TYPES.get(amp) if device.type == "cuda" and amp != "off" else None


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
