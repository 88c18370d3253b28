"""The head of SipMask-VIS: FCOS with mask coefficients for each quarter of a box, a mask basis and a track map.

Source: BASELINES.md 2.1. All predictions are flattened once, here, to (B, P, ...).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.config.ranges import Count
from mmdet.models.heads.feature_align import FeatureAlign
from mmdet.models.heads.levels import FUSED_LEVELS, flatten_levels
from mmdet.models.heads.predictors import PRIOR_BIAS, predictor, tower
from mmdet.ops.masks.crop_split import QUARTERS
from mmdet.registry import HEADS
from mmdet.structures.dense_outputs import DenseOutputs
from mmdet.structures.head_outputs import PointGrid


@HEADS.register_module()
class SipMaskVISHead(nn.Module):
    """The head; all levels share its weights but for `scales`, one number per level.

    `num_classes`: foreground classes
    `num_bases`: maps of the mask basis
    `fused_channels`: of the track map, and between the two convolutions that make the basis
    `tower_depth`: of the box tower; those of classes and of tracks have one layer less
    """

    class_tensors = ("cls_conv.weight", "cls_conv.bias")  # one row per class

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        num_classes: Count,
        num_bases: Count = 32,
        fused_channels: Count = 512,
        tower_depth: Count = 3,
        norm_groups: Count = 32,
    ) -> None:
        super().__init__()
        self.num_classes, self.strides = num_classes, tuple(strides)
        self.cls_tower = tower(channels, tower_depth - 1, norm_groups)
        self.box_tower = tower(channels, tower_depth, norm_groups)
        self.track_tower = tower(channels, tower_depth - 1, norm_groups)
        self.cls_align = FeatureAlign(channels, channels, norm_groups)
        nn.init.zeros_(self.cls_align.offset_conv.weight)
        self.cls_conv = predictor(channels, num_classes, 3, bias=PRIOR_BIAS)
        self.box_conv = predictor(channels, 4, 3)
        self.centerness_conv = predictor(channels, 1, 3)
        self.coefficient_conv = predictor(channels, QUARTERS * num_bases, 3)
        self.basis_fuse = predictor(FUSED_LEVELS * channels, fused_channels, 1)
        self.basis_conv = predictor(fused_channels, num_bases, 3)
        self.track_fuse = nn.Conv2d(FUSED_LEVELS * channels, fused_channels, 1)  # torch's initial weights
        self.scales = nn.Parameter(torch.ones(len(self.strides)))

    def forward(self, pyramid: Sequence[Tensor], reference_pyramid: Sequence[Tensor] | None) -> DenseOutputs:
        """Predict from the pyramids (B, C, H/s, W/s) of the key and, in training, of the reference frames."""
        sizes = tuple((level.shape[-2], level.shape[-1]) for level in pyramid)
        image_size = (sizes[0][0] * self.strides[0], sizes[0][1] * self.strides[0])
        box_features = [self.box_tower(level) for level in pyramid]
        cells = [scale * self.box_conv(level).float() for scale, level in zip(self.scales, box_features, strict=True)]
        aligned = [
            self.cls_align(self.cls_tower(level), own_cells) for level, own_cells in zip(pyramid, cells, strict=True)
        ]
        distances = [own_cells * stride for own_cells, stride in zip(cells, self.strides, strict=True)]
        coefficients = flatten_levels([self.coefficient_conv(level) for level in aligned]).float()
        centerness = flatten_levels([self.centerness_conv(level) for level in box_features])
        return DenseOutputs(
            points=PointGrid.make(image_size, sizes, self.strides, pyramid[0].device),
            cls_logits=flatten_levels([self.cls_conv(level) for level in aligned]).float(),
            distances=flatten_levels(distances),
            centerness_logits=centerness.squeeze(2).float(),
            coefficients=coefficients.unflatten(2, (QUARTERS, -1)),
            mask_basis=self._mask_basis(box_features),
            track_map=self._track_map(pyramid),
            reference_track_map=None if reference_pyramid is None else self._track_map(reference_pyramid),
        )

    def _mask_basis(self, box_features: Sequence[Tensor]) -> Tensor:
        """Return (B, E, H/2, W/2), rectified before it is enlarged.

        Under autocast it uses float32 in training, because the gradient of the resize is summed in this type, and the
        reduced type in testing.
        """
        basis: Tensor = F.relu(self.basis_conv(F.relu(self.basis_fuse(_at_finest(box_features)))))
        if torch.is_grad_enabled():
            basis = basis.float()
        return F.interpolate(basis, scale_factor=4.0, mode="bilinear", align_corners=False)

    def _track_map(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Return (B, C, H/8, W/8), without activation."""
        fused: Tensor = self.track_fuse(_at_finest([self.track_tower(level) for level in pyramid[:FUSED_LEVELS]]))
        return fused


def _at_finest(maps: Sequence[Tensor]) -> Tensor:
    """Resize levels 0..2 to the size of the finest and concatenate them."""
    levels = maps[:FUSED_LEVELS]
    finest = [F.interpolate(m, size=levels[0].shape[-2:], mode="bilinear", align_corners=False) for m in levels[1:]]
    return torch.cat([levels[0], *finest], dim=1)
