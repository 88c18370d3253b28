"""Copy a tensor to the host while the host goes on working."""

from __future__ import annotations

import torch
from torch import Tensor


class HostCopy:
    """A copy of a tensor to the host, started when the object is made.

    A GPU copies into page-locked memory, after all queued work.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._host = tensor
        self._copied: torch.cuda.Event | None = None
        if tensor.is_cuda:
            self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(torch.cuda.current_stream(tensor.device))

    def wait(self) -> Tensor:
        """Wait until the tensor has arrived on the host and return it.

        A tensor that was already there is returned itself.
        """
        if self._copied is not None:
            self._copied.synchronize()
        return self._host
