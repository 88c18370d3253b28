"""What all captures of CUDA graphs share: who else may use the GPU meanwhile, and why one failed.

Knows nothing of what is captured. Source: torch's notes on CUDA graphs.
"""

from __future__ import annotations

from typing import Any

import torch


def capture(graph: torch.cuda.CUDAGraph, **place: Any) -> torch.cuda.graph:
    """Return the context in which everything that this thread launches goes into the graph; `place`: pool, stream.

    What other threads do meanwhile is theirs: the loader's may pin memory, and NCCL's ask for events.
    """
    return torch.cuda.graph(graph, capture_error_mode="thread_local", **place)


def why_it_failed(error: RuntimeError) -> str:
    """Return the first line of what went wrong first: ending a capture that failed fails, too."""
    return str(error.__context__ or error).partition("\n")[0]
