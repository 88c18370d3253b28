"""One optimiser step: forward, loss, backward, clipping, update, memory.

It uses float32 on the CPU and autocast on a GPU. Gradients are averaged over the batches of a step and over processes,
by DDP or, with CUDA graphs, after the backward pass. A step that is not finite changes nothing.
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

from mmdet.engine.process.precision import AMP_TYPES, float32_products
from mmdet.engine.process.processes import Ranks
from mmdet.engine.training.optimization.optimizers import step_if
from mmdet.engine.training.steps.cuda_graphs import TrainingGraphs
from mmdet.engine.training.steps.memory_use import READ_ENTROPY, MemoryUse, ReadsMemory
from mmdet.errors import UserError
from mmdet.ops.collectives import average_over_ranks
from mmdet.structures import ClipBatch, HeadOutputs

if TYPE_CHECKING:
    from mmdet.models.detectors.vis_model import VISModel

# DDP copies buffers from rank 0 in every forward pass; later torch versions use another name
_PARAMETERS = inspect.signature(DistributedDataParallel).parameters
_SYNC_BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in _PARAMETERS else "broadcast_buffers"


class TrainStep:
    """Makes steps of `model`, which is on the device of `ranks`.

    `amp` (bf16, fp16, off) has an effect only on a GPU. With `off` float32 products are exact; with a reduced type they
    use TF32 (see mmdet.engine.process.precision). `cuda_graphs` runs the network by graphs (see cuda_graphs.py), on a
    GPU and in steps of one batch; there are none for models with parts that learn outside of their network
    (`network_is_whole` is false: two-stage models).
    """

    def __init__(
        self,
        model: VISModel,
        optimizer: torch.optim.Optimizer,
        ranks: Ranks,
        amp: str,
        grad_clip: float | None,
        cuda_graphs: bool = False,
    ) -> None:
        if amp not in AMP_TYPES:
            raise UserError(f"config.runtime.amp is {amp!r}, expected one of {', '.join(AMP_TYPES)}")
        self.model, self.optimizer, self.device, self.grad_clip = model, optimizer, ranks.device, grad_clip
        self.on_gpu = ranks.device.type == "cuda"
        self.memory_use = MemoryUse()
        self.dtype = AMP_TYPES[amp] if self.on_gpu else torch.float32
        # float16 gradients underflow without a loss scale; steps that overflow are part of finding it
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.dtype == torch.float16)
        self.graphs: TrainingGraphs | None = None
        if cuda_graphs and self.on_gpu and getattr(model, "network_is_whole", True):
            alone = ranks.world_size == 1 and not self.scaler.is_enabled()  # a loss scale varies
            self.graphs = TrainingGraphs(model, self.dtype, self._weigh, with_losses=alone)
        self.network: nn.Module = model
        if ranks.world_size > 1 and self.graphs is None:
            device_ids = [ranks.device] if self.on_gpu else None
            options: dict[str, Any] = {_SYNC_BUFFERS: False, "gradient_as_bucket_view": True}
            self.network = DistributedDataParallel(model, device_ids=device_ids, **options)

    def __call__(self, batches: Sequence[ClipBatch], measure: bool = False) -> dict[str, Tensor]:
        """Make a step with the batches' mean gradient.

        Return their mean figures, the gradient's norm and the memory's use, scalars on the device. `measure`: also the
        figures that cost something; all processes must then ask for them.
        """
        with float32_products(exact=self.dtype == torch.float32):
            return self._step(batches, measure)

    def _step(self, batches: Sequence[ClipBatch], measure: bool) -> dict[str, Tensor]:
        batches = [batch.to(self.device, non_blocking=True) for batch in batches]
        outputs: list[HeadOutputs] = []
        figures: dict[str, Tensor] = {}
        for index, batch in enumerate(batches, start=1):
            with self._averaged_over_processes(index == len(batches)):
                done = self.graphs.run(batch) if self.graphs is not None and len(batches) == 1 else None
                output, losses = done or self._run(batch, 1 / len(batches))
            outputs.append(output)
            for name, value in losses.items():
                figures[name] = figures.get(name, 0) + value.detach() / len(batches)
        norm = self._update()
        if measure and isinstance(self.model, ReadsMemory):
            entropy = self.model.read_entropy(outputs, batches)
            figures |= {} if entropy is None else {READ_ENTROPY: entropy}
        written = self.model.update_memory(outputs, batches, norm.isfinite())
        return {**figures, "grad_norm": norm, **self.memory_use.meet(written, measure)}

    def _averaged_over_processes(self, last: bool) -> AbstractContextManager[None]:
        """Make DDP average the gradient once per step, in the last batch."""
        if isinstance(self.network, DistributedDataParallel) and not last:
            return self.network.no_sync()
        return nullcontext()

    def _run(self, batch: ClipBatch, share: float) -> tuple[HeadOutputs, dict[str, Tensor]]:
        """Add the batch's share to the parameters' gradients. Return its outputs and losses."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self.network(batch.images, batch.valid)
        losses, total = self._weigh(output, batch)
        (total * share).backward()
        return output, losses

    def _weigh(self, output: HeadOutputs, batch: ClipBatch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the losses and their scaled sum. If the sum is not finite, gradients become NaN in every process."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            losses = self.model.loss(output, batch)
        total = torch.stack([value for name, value in losses.items() if name.startswith("loss")]).sum()
        poison = torch.where(total.detach().isfinite(), 1.0, math.nan)
        return losses, self.scaler.scale(total * poison)

    def _update(self) -> Tensor:
        """Apply the gradient if it is finite, then clear it. Return its norm before clipping."""
        parameters: list[Tensor] = [p for group in self.optimizer.param_groups for p in group["params"]]
        parameters = [parameter for parameter in parameters if parameter.grad is not None]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.graphs is not None:
            average_over_ranks(gradients)
        self.scaler.unscale_(self.optimizer)
        norm = get_total_norm(gradients)
        if self.grad_clip is not None:
            clip_grads_with_norm_(parameters, self.grad_clip, norm)
        step_if(norm.isfinite(), self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return norm
