"""Heads of two-stage models: from regions of the pyramid to classes, boxes, masks and features for tracking."""

from mmdet.models.heads.two_stage.roi_heads import RoIHeads

__all__ = ["RoIHeads"]
