"""The losses of the second stage: class, box, identity and mask of sampled regions, summed for each image.

Source: BASELINES.md 3.4 to 3.6. Axes: B images, S sampled regions, P of them that may be positive, G and R objects of
key and reference frames.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.models.assigners.sampled_regions import SampledRegions
from mmdet.ops.box_coding import encode_boxes
from mmdet.ops.masks.stretching import crop_masks
from mmdet.ops.sampling import rows_at

BACKGROUND = 0  # its row in what the heads predict; class k has row k + 1


def class_loss(logits: Tensor, samples: SampledRegions) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of logits (B, S, 1 + K) and the number of right classes, (B,) each."""
    wanted = torch.where(samples.positive, samples.labels + 1, BACKGROUND)
    loss = F.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
    right = (logits.argmax(dim=2) == wanted) & samples.valid
    return (loss * samples.valid).sum(dim=1), right.sum(dim=1)


def box_loss(deltas: Tensor, samples: SampledRegions, boxes: Tensor, stds: tuple[float, float, float, float]) -> Tensor:
    """Return the smooth L1 loss (B,) of the deltas (B, S, 1 + K, 4) of the positives' classes.

    `boxes` (B, G, 4): of the objects; `stds`: the deltas' unit
    """
    own = (samples.labels + 1)[..., None, None].expand(-1, -1, 1, 4)
    found = deltas.gather(2, own)[:, :, 0]
    positive = samples.positive[..., None]
    # objects without meaning may be padding without an area
    owners = torch.where(positive, rows_at(boxes, samples.owner), samples.boxes)
    wanted = encode_boxes(samples.boxes, owners, stds)
    loss = F.smooth_l1_loss(found, wanted, reduction="none", beta=1.0)
    return torch.where(positive, loss, 0.0).sum(dim=(1, 2))


def identity_loss(
    vectors: Tensor, reference: Tensor, reference_valid: Tensor, match: Tensor, samples: SampledRegions
) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy over the positives of each image, and the number of right choices, (B,) each.

    A region chooses between "new" and the objects of the reference frame by inner products of its vector (B, S, E) with
    theirs (B, R, E). `match` (B, G): the row of each object in the reference frame, -1 if it is new. An image with one
    positive counts as all others; the release leaves it out (BASELINES.md 6, B7).
    """
    likeness = vectors @ reference.transpose(1, 2)
    logits = F.pad(likeness.masked_fill(~reference_valid[:, None], -torch.inf), (1, 0))
    wanted = torch.where(samples.positive, match.gather(1, samples.owner) + 1, 0)
    loss = F.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
    count = samples.positive.sum(dim=1)
    right = (logits.argmax(dim=2) == wanted) & samples.positive
    return (loss * samples.positive).sum(dim=1) / count.clamp(min=1), right.sum(dim=1)


def mask_loss(logits: Tensor, samples: SampledRegions, masks: Tensor) -> Tensor:
    """Return (B,): the binary cross-entropy of logits (B, P, 1 + K, s, s), the mean over pixels summed over positives.

    `samples`: P of each image; `masks` (B, G, H, W) bool, whose parts in the regions are the targets
    """
    side = logits.shape[-1]
    own = (samples.labels + 1)[..., None, None, None].expand(-1, -1, 1, side, side)
    found = logits.gather(2, own)[:, :, 0]
    wanted = crop_masks(masks, samples.owner, samples.boxes, side)
    loss = F.binary_cross_entropy_with_logits(found, wanted.to(found.dtype), reduction="none").mean(dim=(2, 3))
    return (loss * samples.positive).sum(dim=1)
