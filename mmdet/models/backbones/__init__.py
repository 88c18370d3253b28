"""Backbones: images (N, 3, H, W) to three feature maps at strides 8, 16 and 32."""

from mmdet.models.backbones.timm_backbone import TimmBackbone
from mmdet.models.backbones.vit_mae import ViTMAE

__all__ = ["TimmBackbone", "ViTMAE"]
