"""The precision of a GPU: the types of mixed precision by name, and how float32 values are multiplied.

A GPU multiplies float32 values exactly or as TensorFloat-32 (10 bits of mantissa), which is several times faster.
Published numbers are measured in float32, so tests are exact. Training in bfloat16 or float16 may use TF32, which is as
precise as float16 and more precise than bfloat16. Only `Detector` and `TrainStep` decide this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

AMP_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "off": torch.float32}


def reduced_type(amp: str, device: torch.device) -> torch.dtype | None:
    """Return the type of autocast, or None for full precision: for "off" and on the CPU."""
    return AMP_TYPES.get(amp) if device.type == "cuda" and amp != "off" else None


@contextmanager
def float32_products(exact: bool) -> Iterator[None]:
    """Inside this context float32 matrix products and convolutions are exact, or use TF32. The CPU is always exact."""
    places = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee" if exact else "tf32"
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value
