"""Backbones: images (N, 3, H, W) to feature maps, at strides 8, 16 and 32 unless they say otherwise."""

from mmdet.models.backbones.resnet import ResNet50
from mmdet.models.backbones.timm_backbone import TimmBackbone
from mmdet.models.backbones.vit_mae import ViTMAE

__all__ = ["ResNet50", "TimmBackbone", "ViTMAE"]
