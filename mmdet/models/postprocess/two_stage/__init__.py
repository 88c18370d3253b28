"""From the proposals and heads of two-stage models to detections and their masks."""

from mmdet.models.postprocess.two_stage.detections import TwoStagePostProcess
from mmdet.models.postprocess.two_stage.pasted import draw_pasted

__all__ = ["TwoStagePostProcess", "draw_pasted"]
