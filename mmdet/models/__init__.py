"""The model and its parts; importing the package registers them."""

from mmdet.models import assigners, backbones, heads, losses, necks
from mmdet.models.postprocess import PostProcess
from mmdet.models.vis_model import VISModel

__all__ = ["PostProcess", "VISModel", "assigners", "backbones", "heads", "losses", "necks"]
