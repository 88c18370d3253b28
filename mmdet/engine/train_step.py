"""One optimiser step: forward, loss, backward, clipping, update, memory.

float32 on the CPU, autocast on a GPU, DDP among several processes, gradients averaged over the batches of a step. A
step that is not finite changes nothing. Knows nothing of epochs, files or logs, and reads nothing back to the host.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from mmdet.config import UserError
from mmdet.engine.distributed import Ranks
from mmdet.engine.optim import step_if
from mmdet.structures import ClipBatch, HeadOutputs

if TYPE_CHECKING:
    from mmdet.models.vis_model import VISModel

# what every forward would copy from rank 0; later torch calls it by another name
_PARAMETERS = inspect.signature(DistributedDataParallel).parameters
_SYNC_BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in _PARAMETERS else "broadcast_buffers"
AMP_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "off": torch.float32}


class TrainStep:
    """Makes steps of `model`, which is on the device of `ranks`. `amp` (bf16, fp16, off) counts on a GPU only."""

    def __init__(
        self, model: VISModel, optimizer: torch.optim.Optimizer, ranks: Ranks, amp: str, grad_clip: float | None
    ) -> None:
        if amp not in AMP_TYPES:
            raise UserError(f"config.runtime.amp is {amp!r}, expected one of {', '.join(AMP_TYPES)}")
        self.model, self.optimizer, self.device, self.grad_clip = model, optimizer, ranks.device, grad_clip
        self.on_gpu = ranks.device.type == "cuda"
        self.dtype = AMP_TYPES[amp] if self.on_gpu else torch.float32
        # float16 gradients underflow without a loss scale; steps that overflow are part of finding it
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.dtype == torch.float16)
        self.network: nn.Module = model
        if ranks.world_size > 1:
            device_ids = [ranks.device] if self.on_gpu else None
            options: dict[str, Any] = {_SYNC_BUFFERS: False, "gradient_as_bucket_view": True}
            self.network = DistributedDataParallel(model, device_ids=device_ids, **options)

    def __call__(self, batches: Sequence[ClipBatch]) -> dict[str, Tensor]:
        """Step along the batches' mean gradient; return their mean figures and its norm, scalars on the device."""
        batches = [batch.to(self.device, non_blocking=True) for batch in batches]
        outputs: list[HeadOutputs] = []
        figures: dict[str, Tensor] = {}
        for index, batch in enumerate(batches, start=1):
            with self._averaged_over_processes(index == len(batches)):
                output, losses = self._forward(batch)
                self._backward(losses, 1 / len(batches))
            outputs.append(output)
            for name, value in losses.items():
                figures[name] = figures.get(name, 0) + value.detach() / len(batches)
        norm = self._update()
        # On a GPU asking would wait for the device; only a float16 run goes on after a step that is not finite.
        if (self.on_gpu and not self.scaler.is_enabled()) or norm.isfinite():
            self.model.update_memory(outputs, batches)
        return {**figures, "grad_norm": norm}

    def _averaged_over_processes(self, last: bool) -> AbstractContextManager[None]:
        """Let DDP average the gradient once a step, in the last batch."""
        if isinstance(self.network, DistributedDataParallel) and not last:
            return self.network.no_sync()
        return nullcontext()

    def _forward(self, batch: ClipBatch) -> tuple[HeadOutputs, dict[str, Tensor]]:
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self.network(batch.images, batch.valid)
            return output, self.model.loss(output, batch)

    def _backward(self, losses: dict[str, Tensor], share: float) -> None:
        """Add the gradient of the summed losses; a sum that is not finite makes it NaN, and so in every process."""
        total = torch.stack([value for name, value in losses.items() if name.startswith("loss")]).sum()
        poison = torch.where(total.detach().isfinite(), 1.0, math.nan)
        self.scaler.scale(total * share * poison).backward()

    def _update(self) -> Tensor:
        """Apply the gradient if it is finite, forget it, and return its norm before clipping."""
        self.scaler.unscale_(self.optimizer)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.grad_clip is not None:
            clip_grads_with_norm_(parameters, self.grad_clip, norm)
        step_if(norm.isfinite(), self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return norm
