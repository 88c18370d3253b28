"""A loss: the usual terms and one more. What is named `loss_*` is summed and logged, everything else only logged."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mmdet.config.ranges import Amount
from mmdet.models.losses.criterion import Criterion
from mmdet.registry import CRITERIA
from mmdet.structures import ClipBatch, HeadOutputs


@CRITERIA.register_module()
class CalmCriterion(nn.Module):
    """Also keeps the uncertainty of boxes small, with the weight `calm`; `usual` are other arguments of Criterion."""

    def __init__(self, assigner: dict[str, Any], calm: Amount = 0.01, usual: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.usual, self.calm = Criterion(assigner, **(usual or {})), calm

    def forward(self, outputs: HeadOutputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the terms of a batch: scalars with a gradient, a mean over images, as DDP takes means over ranks."""
        losses = self.usual(outputs, batch)
        losses["loss_calm"] = self.calm * outputs.box_sigma.float().mean()
        losses["sigma"] = outputs.box_sigma.detach().float().mean()
        return losses
