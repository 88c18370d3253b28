"""From tracks of frames to results of videos, and from results to figures."""

from mmdet.evaluation.accumulator import VideoAccumulator
from mmdet.evaluation.results_io import load_ground_truth, load_results, write_results
from mmdet.evaluation.tables import format_figures
from mmdet.evaluation.vis_ap import Figures, evaluate

__all__ = [
    "Figures",
    "VideoAccumulator",
    "evaluate",
    "format_figures",
    "load_ground_truth",
    "load_results",
    "write_results",
]
