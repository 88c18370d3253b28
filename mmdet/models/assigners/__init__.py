"""Assigners choose the points that learn each object. Importing the package registers them."""

from mmdet.models.assigners.by_range import RangeAssigner
from mmdet.models.assigners.center import CenterAssigner
from mmdet.models.assigners.task_aligned import TaskAlignedAssigner
from mmdet.models.assigners.uncertainty import UncertaintyAssigner

__all__ = ["CenterAssigner", "RangeAssigner", "TaskAlignedAssigner", "UncertaintyAssigner"]
