"""Models and their parts. Importing the package registers them."""

from mmdet.models import assigners, backbones, heads, losses, necks
from mmdet.models.detectors.vis_model import VISModel
from mmdet.models.postprocess.detections import PostProcess

__all__ = ["PostProcess", "VISModel", "assigners", "backbones", "heads", "losses", "necks"]
