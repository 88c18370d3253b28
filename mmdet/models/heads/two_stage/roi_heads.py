"""The second stage of a two-stage model: regions of the pyramid are read and given to the box, track and mask heads.

Source: BASELINES.md 3.3 to 3.6. Regions are inclusive boxes (B, N, 4) in input pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mmdet.config.ranges import Count
from mmdet.models.heads.two_stage.box_head import BoxHead
from mmdet.models.heads.two_stage.mask_head import MaskHead
from mmdet.models.heads.two_stage.track_head import TrackHead
from mmdet.ops.roi_align import pyramid_roi_align
from mmdet.registry import HEADS

NUM_LEVELS = 4  # regions are read from the finest four levels
BOX_STDS = (0.1, 0.1, 0.2, 0.2)  # of the deltas that the box head predicts
BOX_SIZE, MASK_SIZE = 7, 14  # cells of a region, of the box and track heads and of the mask head


@HEADS.register_module()
class RoIHeads(nn.Module):
    """`num_classes`: foreground classes; `width`: of the linear layers and of the vectors for tracking.

    `channels`, `strides`: those of the pyramid, which the model passes on
    """

    class_tensors = (
        *(f"box_head.{name}" for name in BoxHead.class_tensors),
        *(f"mask_head.{name}" for name in MaskHead.class_tensors),
    )

    def __init__(
        self, num_classes: Count, width: Count = 1024, channels: Count = 256, strides: Sequence[int] = (4, 8, 16, 32)
    ) -> None:
        super().__init__()
        self.num_classes, self.strides = num_classes, tuple(strides[:NUM_LEVELS])
        self.box_head = BoxHead(channels, BOX_SIZE, width, num_classes)
        self.track_head = TrackHead(channels, BOX_SIZE, width)
        self.mask_head = MaskHead(channels, num_classes)

    def read(self, pyramid: Sequence[Tensor], boxes: Tensor, size: int = BOX_SIZE) -> Tensor:
        """Return the features (B, N, C, size, size) of regions, float32."""
        return pyramid_roi_align(pyramid[:NUM_LEVELS], self.strides, boxes, size)

    def masks(self, pyramid: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Return the mask logits (B, N, 1 + K, 28, 28) of regions, the background first."""
        regions = self.read(pyramid, boxes, MASK_SIZE)
        logits: Tensor = self.mask_head(regions.flatten(0, 1))
        return logits.unflatten(0, regions.shape[:2])
