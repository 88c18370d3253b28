"""Evaluation: from the tracks of a data set to figures."""

from mmdet.evaluation.ap.evaluate import Figures, evaluate
from mmdet.evaluation.ap.tables import format_figures

__all__ = ["Figures", "evaluate", "format_figures"]
