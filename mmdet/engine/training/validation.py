"""Validation during training: test the model on the validation data, and say what was found."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from mmdet.config import RunConfig
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.testing.dataset import build_test_dataset, predict_dataset, validation_classes
from mmdet.engine.training.bad_frames import describe_bad_frames
from mmdet.engine.training.logs.shown_videos import shown_videos
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.evaluation.ap.thresholds import ScoreCurve
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.models.detectors.vis_model import VISModel
from mmdet.ops.collectives import rank
from mmdet.visualization.scene import Picture

SELECTED_BY = "AP"  # the figure that selects the best checkpoint
ALL_CLASSES = "all classes"
SHOWN_SCORE = 0.2  # of drawn predictions, where no threshold is the best


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What a validation has found."""

    figures: Mapping[str, float] = field(default_factory=dict)  # in [0, 1], AP first; -1: nothing to measure
    by_class: Mapping[str, float] = field(default_factory=dict)  # AP by class name
    score_threshold: float | None = None  # of the best F1 over tracks; None: no track matches an object
    curves: Mapping[str, ScoreCurve] = field(default_factory=dict)  # of all classes together, then by class name
    pictures: Mapping[str, Picture] = field(default_factory=dict)  # by name of the video; the main process has them

    @property
    def tracks(self) -> dict[str, float]:
        """The best F1 over tracks, its precision and recall, and the score from which on they are reached."""
        curve = self.curves.get(ALL_CLASSES)
        if curve is None or self.score_threshold is None:
            return {}
        place = int(np.searchsorted(curve.thresholds, self.score_threshold))
        reached = {"F1": curve.f1, "F1_precision": curve.precision, "F1_recall": curve.recall}
        return {
            **{name: float(values[place]) for name, values in reached.items()},
            "score_threshold": self.score_threshold,
        }


def validate_model(model: VISModel, config: RunConfig, device: torch.device, class_names: Sequence[str]) -> Validation:
    """Test a model on the validation data and return what is found, on every rank.

    The model's mode is restored. `class_names` are the model's, in the order of its labels; the data may list them in
    another order, or have others that `map_categories` matches.
    """
    section = config.data.valid or config.data.test
    dataset = build_test_dataset(section, "config.data.valid")
    classes = validation_classes(config, class_names, dataset)
    was_training = model.training
    predictor = VideoPredictor.from_model(model, config, device)
    try:
        results = predict_dataset(predictor, dataset, section)
    finally:
        model.train(was_training)
    if rank() == 0 and (bad := describe_bad_frames(results)):
        tqdm.write(f"validation: {bad[-1]}; first: {bad[0]}", file=sys.stderr)
    found = evaluate(classes.truth(load_ground_truth(dataset.ann_file)), classes.entries(results))
    names = {category_id: row["name"] for category_id, row in found.per_category.items()}
    threshold, shown = found.score_curve.best, config.runtime.shown_videos if config.runtime.loggers else 0
    pictures: Mapping[str, Picture] = {}
    if rank() == 0 and shown:
        least = SHOWN_SCORE if threshold is None else threshold
        pictures = shown_videos(dataset, results, class_names, least, shown)
    return Validation(
        figures=found.stats,
        by_class={names[category_id]: row["AP"] for category_id, row in found.per_category.items()},
        score_threshold=threshold,
        curves={ALL_CLASSES: found.score_curve, **{names[key]: curve for key, curve in found.class_curves.items()}},
        pictures=pictures,
    )
