"""The losses of two-stage models, over sampled boxes."""

from mmdet.models.losses.two_stage.criterion import TwoStageCriterion
from mmdet.models.losses.two_stage.rpn import rpn_losses

__all__ = ["TwoStageCriterion", "rpn_losses"]
