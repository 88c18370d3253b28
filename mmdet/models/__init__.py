"""Models and their parts. Importing the package registers them."""

from mmdet.models import assigners, backbones, heads, losses, necks
from mmdet.models.detectors.plus_model import PlusModel
from mmdet.models.detectors.two_stage_model import TwoStageModel
from mmdet.models.detectors.vis_model import VISModel
from mmdet.models.postprocess.dense import DensePostProcess
from mmdet.models.postprocess.detections import PostProcess
from mmdet.models.postprocess.dynamic import DynamicPostProcess
from mmdet.models.postprocess.sipmask import SipMaskPostProcess
from mmdet.models.postprocess.two_stage import TwoStagePostProcess

__all__ = [
    "DensePostProcess",
    "DynamicPostProcess",
    "PlusModel",
    "PostProcess",
    "SipMaskPostProcess",
    "TwoStageModel",
    "TwoStagePostProcess",
    "VISModel",
    "assigners",
    "backbones",
    "heads",
    "losses",
    "necks",
]
