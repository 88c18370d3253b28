"""The network and its post-processing as one module of tensors alone: frames in, fixed slots of detections out.

Nothing in it depends on the number of frames. Boxes and masks are in input pixels. docs/export.md lists the outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.errors import UserError
from mmdet.models.detectors.plus_model import PlusModel
from mmdet.models.detectors.vis_model import VISModel
from mmdet.models.postprocess.detections import PostProcess
from mmdet.models.postprocess.dynamic import DynamicPostProcess
from mmdet.models.postprocess.masks import THRESHOLD, crop_to_boxes
from mmdet.ops.masks.dynamic import dynamic_masks
from mmdet.structures import Size
from mmdet.structures.chunk_detections import split_rows
from mmdet.structures.dynamic_outputs import FEATURE_STRIDE
from mmdet.structures.head_outputs import BASIS_STRIDE
from mmdet.structures.mask_sources import BasisMasks, NetworkMasks

# Input pixels per pixel of a mask, and its threshold, by whether objects draw them with networks of their own.
MASK_RULES = {False: (BASIS_STRIDE, THRESHOLD), True: (FEATURE_STRIDE, 0.0)}


class DeployedModel(nn.Module):
    """A model in evaluation mode.

    `size`: of the frames, (height, width); the network sees them padded to multiples of 32
    `masks`: masks are drawn here; without, what they are drawn from is returned
    Raises UserError for a model that cannot be exported.
    """

    def __init__(self, model: VISModel | PlusModel, size: Size, masks: bool = False) -> None:
        super().__init__()
        if not isinstance(model, VISModel | PlusModel):
            raise UserError(f"{type(model).__name__} cannot be exported: expected VISModel or PlusModel")
        if not isinstance(model.postprocess, PostProcess | DynamicPostProcess):
            known = "PostProcess (MemCNP-VIS) or DynamicPostProcess (MemCNP plus)"
            raise UserError(f"a model with {type(model.postprocess).__name__} cannot be exported: expected {known}")
        if model.temporal_neck is not None:
            raise UserError("a model with a temporal neck cannot be exported: each of its frames needs the one before")
        self.model: Any = model.eval()
        self.size, self.masks = size, masks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return named tensors of images (B, 3, H, W) uint8 RGB."""
        valid = torch.ones_like(images[:, None, 0], dtype=torch.bool)
        outputs, _ = self.model.continue_video(images[:, None], valid, None)
        found = self.model.postprocess.detect(outputs, None)
        source: BasisMasks | NetworkMasks = found.mask_source
        named = split_rows(found.rows, found.num_class_scores)
        named["scores"] = named["scores"].where(named["filled"], 0.0)
        if self.masks:
            named["masks"] = self._draw(source)
        elif isinstance(source, BasisMasks):
            named |= {"coefficients": source.coefficients, "mask_basis": source.basis}
        else:
            named |= {"mask_weights": source.weights, "mask_places": source.places, "mask_features": source.features}
        return named

    def _draw(self, source: BasisMasks | NetworkMasks) -> Tensor:
        """Return the masks (B, N, H, W) bool of all slots, as `draw_all` draws them."""
        height, width = self.size
        if isinstance(source, NetworkMasks):
            stride, threshold = MASK_RULES[True]
            places, reach = source.places[..., :2], source.places[..., 2]
            soft = dynamic_masks(source.features, source.weights, places, reach, stride)
        else:
            stride, threshold = MASK_RULES[False]
            soft = torch.einsum("bne,behw->bnhw", source.coefficients, source.basis).sigmoid()
            soft = crop_to_boxes(soft.flatten(0, 1), source.boxes.flatten(0, 1) / stride).view_as(soft)
        resized = F.interpolate(soft, scale_factor=float(stride), mode="bilinear", align_corners=False)
        return resized[..., :height, :width] > threshold
