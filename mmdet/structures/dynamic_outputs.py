"""The predictions of a head that gives every object a small network of its own, which draws its mask (CondInst).

Axes: F frames, P points of all levels (finest first), K classes, C/D/E channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.export import register_dataclass

from mmdet.structures.head_outputs import PointGrid
from mmdet.structures.short_text import ShortText

FEATURE_STRIDE = 4  # input pixels per pixel of the mask features


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DynamicOutputs(ShortText):
    """Predictions of F frames. In training the first frames of all B clips come first: F = T B."""

    points: PointGrid
    cls_logits: Tensor  # (F, P, K)
    box_ltrb: Tensor  # (F, P, 4) >= 0: distances to the box sides, fractions of (W, H, W, H)
    box_sigma: Tensor  # (F, P, 4) >= 0: mean error of the sides, fractions of (W, H, W, H)
    quality_logits: Tensor  # (F, P): of the IoU of the object's mask
    mask_weights: Tensor  # (F, P, D): the weights of each object's mask network
    embeddings: Tensor  # (F, P, E) for association
    mask_features: Tensor  # (F, C, H/4, W/4)
    memory_query: Tensor  # (F, P, C'): the query for the memory, without gradient
    reach: Tensor  # (P,): unit of positions in a point's mask network, input pixels

    @property
    def boxes(self) -> Tensor:
        """(F, P, 4) decoded xyxy boxes, input pixels, with gradient."""
        return self.points.decode(self.box_ltrb)


register_dataclass(DynamicOutputs, serialized_type_name="mmdet.DynamicOutputs")  # see HeadOutputs
