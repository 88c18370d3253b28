"""TensorBoard: event files in the work dir. A resumed run drops what was written after its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from mmdet.engine.training.logs.sinks import TENSORBOARD, LoggedRun
from mmdet.evaluation.ap.thresholds import ScoreCurve
from mmdet.visualization.scene import Picture

THRESHOLDS = 101  # of a curve: 0, 0.01, ..., 1


class TensorBoardSink:
    """Writes event files."""

    def __init__(self, run: LoggedRun) -> None:
        # A new run names a step, too: readers drop nothing at the first start that they see.
        purge_step = run.first_step + 1 if run.first_step else 0
        self._writer = SummaryWriter(str(run.folder / TENSORBOARD), purge_step=purge_step)

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Write figures as scalars."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def curve(self, step: int, name: str, curve: ScoreCurve) -> None:
        """Write the curve at evenly spaced thresholds. Where no track is kept, precision is 1."""
        at = np.searchsorted(curve.thresholds, np.linspace(0, 1, THRESHOLDS))
        precision, recall = np.append(curve.precision, 1.0)[at], np.append(curve.recall, 0.0)[at]
        kept = np.append(curve.tracks, 0)[at]
        found = np.rint(precision * kept)
        counts = (found, kept - found, np.zeros(THRESHOLDS), curve.objects - found)
        self._writer.add_pr_curve_raw(name, *counts, precision, recall, step, THRESHOLDS)

    def picture(self, step: int, name: str, picture: Picture) -> None:
        """Write a picture as PNG."""
        self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
