"""A tensor on its way to the host, which goes on working meanwhile."""

from __future__ import annotations

import torch
from torch import Tensor


class HostCopy:
    """Starts to copy a tensor to the host when made: from a GPU through page-locked memory, behind what is queued."""

    def __init__(self, tensor: Tensor) -> None:
        self._host = tensor
        self._copied: torch.cuda.Event | None = None
        if tensor.is_cuda:
            self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(torch.cuda.current_stream(tensor.device))

    def wait(self) -> Tensor:
        """Return the tensor on the host as soon as it has arrived; one that was there already is itself, no copy."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._host
