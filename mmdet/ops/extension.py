"""The library of compiled ops, `mmdet/_C*.so`: find it, check that it fits this torch, load it.

Without the library ops run in plain torch; `compile.sh` and setup.py build it.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path

import torch

PACKAGE = Path(__file__).resolve().parents[1]
REMEDY = (
    "`bash compile.sh` in the checkout, or `pip install --no-build-isolation` of the sources, builds it anew; "
    "until then the slower pure-Python ops run"
)
NEWEST_OP = "rle_encode"  # a library without it was built from older sources
# csrc/build_info.cpp puts this into the library, so that it can be read without loading it.
BUILT_FOR = re.compile(rb"memcnp ops built for torch (\d+\.\d+)")

logger = logging.getLogger(__name__)


def path() -> Path | None:
    """Return the library's file, the newest if there are several."""
    found = sorted(PACKAGE.glob("_C*.so"), key=lambda file: file.stat().st_mtime)
    return found[-1] if found else None


@cache
def load() -> bool:
    """Load the library once and return whether its ops are available.

    A library that does not fit is reported and not loaded.
    """
    library = path()
    if library is None:
        return False
    fault = misfit(library)
    if not fault:
        try:
            torch.ops.load_library(str(library))
            fault = "" if hasattr(torch.ops.memcnp, NEWEST_OP) else f"it was built before there was {NEWEST_OP}"
        except (OSError, RuntimeError) as error:
            fault = str(error).splitlines()[0]
    if fault:
        logger.warning("%s cannot be used: %s. %s", library, fault, REMEDY)
    return not fault


def misfit(library: Path) -> str:
    """Return why a library must not be loaded into this torch, "" if it may. One built for another torch may crash."""
    built_for = BUILT_FOR.search(library.read_bytes())
    running = ".".join(torch.__version__.split(".")[:2])
    if built_for is None:
        return "it does not say which torch it was built for"
    if built_for.group(1).decode() != running:
        return f"it was built for torch {built_for.group(1).decode()}, this is {torch.__version__}"
    return ""


def has_cuda_kernels() -> bool:
    """Return whether the library exists and was built with its CUDA part."""
    return load() and torch._C._dispatch_has_kernel_for_dispatch_key("memcnp::correlation", "CUDA")
