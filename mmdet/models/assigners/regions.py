"""What the regions of the second stage learn: the proposals, with the objects themselves put in front of them.

Source: BASELINES.md 3.4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.models.assigners.max_iou import MaxIoUAssigner
from mmdet.structures import PaddedTruth
from mmdet.structures.two_stage_outputs import BoxAssignment, Proposals


@torch.no_grad()
def assign_regions(proposals: Proposals, truth: PaddedTruth, assigner: MaxIoUAssigner) -> tuple[Tensor, BoxAssignment]:
    """Return regions (B, G + R, 4) and what they learn: row k < G is object k, which learns itself; then R proposals.

    Rows of the truth's padding and of crowd regions, and proposals that are not valid, are ignored.
    """
    found = assigner(proposals.boxes, proposals.valid, truth)
    rows = torch.arange(truth.valid.shape[1], device=truth.valid.device).expand_as(truth.valid)
    return torch.cat((truth.boxes, proposals.boxes), dim=1), BoxAssignment(
        owner=torch.cat((rows, found.owner), dim=1),
        positive=torch.cat((truth.valid, found.positive), dim=1),
        negative=torch.cat((torch.zeros_like(truth.valid), found.negative), dim=1),
    )
