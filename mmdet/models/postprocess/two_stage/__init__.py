"""From the proposals and heads of two-stage models to detections and their masks."""

from mmdet.models.postprocess.two_stage.pasted import draw_pasted

__all__ = ["draw_pasted"]
