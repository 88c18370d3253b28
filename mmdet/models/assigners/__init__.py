"""Assigners choose the points or boxes that learn each object. Importing the package registers them."""

from mmdet.models.assigners.by_range import RangeAssigner
from mmdet.models.assigners.center import CenterAssigner
from mmdet.models.assigners.max_iou import MaxIoUAssigner
from mmdet.models.assigners.regions import assign_regions
from mmdet.models.assigners.sampler import RandomSampler
from mmdet.models.assigners.task_aligned import TaskAlignedAssigner
from mmdet.models.assigners.uncertainty import UncertaintyAssigner

__all__ = [
    "CenterAssigner",
    "MaxIoUAssigner",
    "RandomSampler",
    "RangeAssigner",
    "TaskAlignedAssigner",
    "UncertaintyAssigner",
    "assign_regions",
]
