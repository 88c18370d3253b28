"""The boxes that the second stage looks at: the best anchors of every level, decoded and thinned out by greedy NMS.

Their number is fixed, and the host does not wait for the device. Source: BASELINES.md 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.box_coding import decode_boxes
from mmdet.ops.nms import kept_by_nms_inclusive
from mmdet.ops.sampling import rows_at
from mmdet.structures.two_stage_outputs import Proposals, RPNOutputs

NEVER_TAKEN = -1.0  # a score below all others


@torch.no_grad()
def propose(
    outputs: RPNOutputs, image_sizes: Tensor, num_per_level: int, num_proposals: int, iou_threshold: float
) -> Proposals:
    """Return `num_proposals` boxes of B images of (height, width) `image_sizes` (B, 2) without their padding.

    A level has its `num_per_level` best anchors or, if it is smaller, all; boxes compete within their level.
    """
    index, scores = _best_of_levels(outputs, num_per_level)  # (B, L, n)
    flat = index.flatten(1)
    boxes = decode_boxes(outputs.anchors[flat], rows_at(outputs.deltas, flat), image_sizes=image_sizes)
    levels = boxes.unflatten(1, index.shape[1:])
    kept = kept_by_nms_inclusive(levels, scores > NEVER_TAKEN, iou_threshold)
    ranked, order = scores.where(kept, NEVER_TAKEN).flatten(1).sort(dim=1, descending=True, stable=True)
    missing = max(0, num_proposals - order.shape[1])  # an image of few anchors: the last rows are not valid
    ranked = F.pad(ranked[:, :num_proposals], (0, missing), value=NEVER_TAKEN)
    order = F.pad(order[:, :num_proposals], (0, missing))
    return Proposals(boxes=rows_at(boxes, order), scores=ranked.clamp(min=0), valid=ranked > NEVER_TAKEN)


def _best_of_levels(outputs: RPNOutputs, most: int) -> tuple[Tensor, Tensor]:
    """Return the anchors (B, L, n) of each level's best scores and these, descending; NEVER_TAKEN where there is none.

    n is `most`, or the largest number of anchors of a level if that is less.
    """
    width, start, indices, scores = min(most, max(outputs.level_counts)), 0, [], []
    for level in outputs.cls_logits.sigmoid().split(outputs.level_counts, dim=1):
        best, index = level.sort(dim=1, descending=True, stable=True)
        best, index = best[:, :width], index[:, :width] + start
        missing = width - best.shape[1]
        scores.append(F.pad(best, (0, missing), value=NEVER_TAKEN))
        indices.append(F.pad(index, (0, missing)))
        start += level.shape[1]
    return torch.stack(indices, dim=1), torch.stack(scores, dim=1)
