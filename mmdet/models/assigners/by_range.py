"""The assigner of the FCOS family: a point learns the smallest object around it whose size suits the point's level.

Source: Tian et al., FCOS (ICCV 2019); BASELINES.md 2.2 (SipMask-VIS) and 4 (FCOS, without the central region).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmdet.config.ranges import Positive
from mmdet.errors import UserError, shown
from mmdet.models.assigners.targets import inside_boxes
from mmdet.ops.boxes import area, centres, points_ltrb
from mmdet.ops.sampling import rows_at
from mmdet.registry import ASSIGNERS
from mmdet.structures import PaddedTruth, PointGrid
from mmdet.structures.dense_outputs import RangeAssignment

RANGES = ((-1, 64), (64, 128), (128, 256), (256, 512), (512, 1e8))
BACKGROUND = -1


@ASSIGNERS.register_module()
class RangeAssigner:
    """Assigns to a point the smallest object that contains it, of those that suit its level.

    `ranges`: of each level, least and largest distance in input pixels from a point to the farthest side of its object
    `center_radius`: a point must lie less than so many strides, in x and in y, from the object's centre; None: anywhere
        inside the object
    """

    def __init__(self, ranges: Sequence[Sequence[float]] = RANGES, center_radius: Positive | None = 1.5) -> None:
        if not ranges or any(len(bounds) != 2 or bounds[0] > bounds[1] for bounds in ranges):
            raise UserError(f"RangeAssigner: ranges is {shown(ranges)}, expected a pair (least, largest) per level")
        self.ranges, self.center_radius = tuple((low, high) for low, high in ranges), center_radius

    @torch.no_grad()
    def __call__(self, points: PointGrid, truth: PaddedTruth) -> RangeAssignment:
        """Assign the points. Raises UserError if the pyramid has another number of levels than there are ranges."""
        if len(self.ranges) != len(points.strides):
            raise UserError(
                f"RangeAssigner: {len(self.ranges)} ranges for {len(points.strides)} levels of the pyramid; set ranges"
            )
        ltrb = points_ltrb(points.xy, truth.boxes)  # (B, G, P, 4)
        farthest = ltrb.amax(dim=3)
        lowest, highest = (_per_point(points, [bounds[end] for bounds in self.ranges]) for end in (0, 1))
        inside = (ltrb.amin(dim=3) > 0) & truth.valid.unsqueeze(2)
        suits = inside & (farthest >= lowest) & (farthest <= highest) & self._central(points, truth.boxes)
        sizes = torch.where(suits, area(truth.boxes, offset=1).unsqueeze(2), torch.inf)
        owner, taken = sizes.argmin(dim=1), suits.any(dim=1)  # of equal sizes the first
        in_crowd = inside_boxes(points, truth.boxes, truth.is_crowd).any(dim=1)
        return RangeAssignment(
            labels=rows_at(truth.labels, owner).where(taken, BACKGROUND),
            owner=owner,
            ltrb=ltrb.gather(1, owner[:, None, :, None].expand(-1, 1, -1, 4)).squeeze(1),
            ignored=in_crowd & ~inside.any(dim=1),
        )

    def _central(self, points: PointGrid, boxes: Tensor) -> Tensor:
        """Return (B, G, P) bool: whether the point lies strictly inside the square around the object's centre."""
        if self.center_radius is None:
            return torch.ones((), dtype=torch.bool, device=boxes.device)
        reach = _per_point(points, [self.center_radius * stride for stride in points.strides])
        centre, reach = centres(boxes).unsqueeze(2), reach[:, None]
        return ((points.xy > centre - reach) & (points.xy < centre + reach)).all(dim=3)


def _per_point(points: PointGrid, values: Sequence[float]) -> Tensor:
    """Return (P,): each level's value at all of its points, filled on the device."""
    counts = zip(points.level_counts, values, strict=True)
    return torch.cat([points.xy.new_full((count,), float(value)) for count, value in counts])
