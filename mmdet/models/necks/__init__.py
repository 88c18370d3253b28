"""Necks: three backbone maps to the pyramid that the head reads."""

from mmdet.models.necks.fpn import FPN

__all__ = ["FPN"]
