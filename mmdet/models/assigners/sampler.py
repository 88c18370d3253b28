"""The random sampler of two-stage models: of the assigned boxes a fixed number of slots, with few positives.

Source: Ren et al., Faster R-CNN (2015); BASELINES.md 3.2 and 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.config.ranges import Count, Fraction
from mmdet.registry import ASSIGNERS
from mmdet.structures.two_stage_outputs import BoxAssignment, Samples

NOT_DRAWN = 2.0  # after every random number of [0, 1)


@ASSIGNERS.register_module()
class RandomSampler:
    """Draws at most `num * positive_fraction` positives, and negatives up to `num` boxes an image.

    Slots without a box, of images with few negatives, are not valid. The host does not wait for the device.
    """

    def __init__(self, num: Count = 64, positive_fraction: Fraction = 0.5) -> None:
        self.num, self.most_positive = num, int(num * positive_fraction)

    @torch.no_grad()
    def __call__(self, assigned: BoxAssignment, generator: torch.Generator | None = None) -> Samples:
        """Sample with a generator of the boxes' device; None: torch's own for the device."""
        draws = torch.rand(assigned.positive.shape, generator=generator, device=assigned.positive.device)
        positive, is_positive = _first_drawn(draws, assigned.positive, self.most_positive)
        negative, is_negative = _first_drawn(draws, assigned.negative, self.num)
        room = self.num - is_positive.sum(dim=1, keepdim=True)
        is_negative &= torch.arange(is_negative.shape[1], device=draws.device) < room
        return self._in_order(positive, is_positive, negative, is_negative, draws.shape[1])

    def replay(self, positives: Sequence[Tensor], negatives: Sequence[Tensor], count: int) -> Samples:
        """Return the sample of given indices of positive and of negative boxes, for every image, of `count` boxes."""
        rows = zip(positives, negatives, strict=True)
        padded = [self._in_order(*_row(more), *_row(less), count) for more, less in rows]
        return Samples(
            index=torch.cat([row.index for row in padded]),
            positive=torch.cat([row.positive for row in padded]),
            valid=torch.cat([row.valid for row in padded]),
        )

    def _in_order(
        self, positive: Tensor, is_positive: Tensor, negative: Tensor, is_negative: Tensor, count: int
    ) -> Samples:
        """Return `num` slots: positives by index below `count`, negatives by index, then slots that are not valid."""
        ranks = torch.cat((positive.where(is_positive, 2 * count), (negative + count).where(is_negative, 2 * count)), 1)
        ranks = F.pad(ranks, (0, max(0, self.num - ranks.shape[1])), value=2 * count).sort(dim=1).values[:, : self.num]
        valid, taken = ranks < 2 * count, ranks < count
        return Samples(index=(ranks % count).where(valid, 0), positive=taken, valid=valid)


def _first_drawn(draws: Tensor, candidates: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Return the candidates (B, N) of the smallest draws (B, n), in their order, and whether the row is one."""
    smallest, index = draws.where(candidates, NOT_DRAWN).topk(min(most, draws.shape[1]), dim=1, largest=False)
    return index, smallest < NOT_DRAWN


def _row(index: Tensor) -> tuple[Tensor, Tensor]:
    return index[None], torch.ones_like(index[None], dtype=torch.bool)
