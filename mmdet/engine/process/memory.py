"""The memory of this process, and what it holds on a GPU."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

GIB = 2**30
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def resident_bytes() -> int:
    """Return this process's resident memory; where the system does not tell it as Linux does, the largest so far."""
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        for line in lines:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT


def memory_figures(device: torch.device) -> dict[str, float]:
    """Return the resident memory in GiB, and on a GPU what tensors take of it and what torch has reserved.

    Nobody waits for the device.
    """
    figures = {"rss_gib": resident_bytes() / GIB}
    if device.type == "cuda":
        figures["allocated_gib"] = torch.cuda.memory_allocated(device) / GIB
        figures["reserved_gib"] = torch.cuda.memory_reserved(device) / GIB
    return figures
