"""Heads of two-stage models: proposals, and from regions of the pyramid to classes, boxes, masks and track features."""

from mmdet.models.heads.two_stage.roi_heads import RoIHeads
from mmdet.models.heads.two_stage.rpn_head import RPNHead

__all__ = ["RPNHead", "RoIHeads"]
