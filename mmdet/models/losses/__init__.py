"""The training losses. Importing the package registers the criterion."""

from mmdet.models.losses.aligned_criterion import AlignedCriterion
from mmdet.models.losses.criterion import Criterion
from mmdet.models.losses.dense import DenseCriterion
from mmdet.models.losses.sipmask_vis.criterion import SipMaskVISCriterion
from mmdet.models.losses.two_stage import TwoStageCriterion

__all__ = ["AlignedCriterion", "Criterion", "DenseCriterion", "SipMaskVISCriterion", "TwoStageCriterion"]
