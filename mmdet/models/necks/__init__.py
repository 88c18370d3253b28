"""Necks: from backbone maps to the pyramid that the head reads."""

from mmdet.models.necks.fpn import FPN
from mmdet.models.necks.temporal_calibration import TemporalCalibration, TemporalContext

__all__ = ["FPN", "TemporalCalibration", "TemporalContext"]
