"""The training losses. Importing the package registers the criterion."""

from mmdet.models.losses.aligned_criterion import AlignedCriterion
from mmdet.models.losses.criterion import Criterion

__all__ = ["AlignedCriterion", "Criterion"]
