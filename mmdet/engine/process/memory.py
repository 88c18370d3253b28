"""The memory of this process, and what it holds on a GPU."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None

GIB = 2**30
_STATUS = Path("/proc/self/status")
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def resident_bytes() -> int:
    """Return this process's resident memory.

    Where the system does not tell it as Linux does it is the largest so far, 0 where it tells nothing.
    """
    with suppress(OSError):
        found = re.search(r"^VmRSS:\s+(\d+)", _STATUS.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """Return the largest resident memory that this process has had, 0 where the system does not tell it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT if resource else 0


def memory_figures(device: torch.device) -> dict[str, float]:
    """Return the resident memory in GiB, and on a GPU what tensors take of it and what torch has reserved.

    Nobody waits for the device.
    """
    figures = {"rss_gib": resident_bytes() / GIB}
    if device.type == "cuda":
        figures["allocated_gib"] = torch.cuda.memory_allocated(device) / GIB
        figures["reserved_gib"] = torch.cuda.memory_reserved(device) / GIB
    return figures
