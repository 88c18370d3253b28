"""Heads: from pyramid maps to the predictions of every point."""

from mmdet.models.heads.cnp_memory import CNPMemory
from mmdet.models.heads.dynamic_mask_head import DynamicMaskHead
from mmdet.models.heads.fcos_head import FCOSHead
from mmdet.models.heads.sipmask_head import SipMaskHead
from mmdet.models.heads.sipmask_vis_head import SipMaskVISHead
from mmdet.models.heads.two_stage import RoIHeads, RPNHead

__all__ = ["CNPMemory", "DynamicMaskHead", "FCOSHead", "RPNHead", "RoIHeads", "SipMaskHead", "SipMaskVISHead"]
