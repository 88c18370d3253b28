"""Validation during training: test the model on the validation data, and say what was found."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from tqdm import tqdm

from mmdet.config import RunConfig
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.testing.dataset import build_test_dataset, category_ids_of, predict_dataset
from mmdet.engine.training.bad_frames import describe_bad_frames
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.models.detectors.vis_model import VISModel
from mmdet.ops.collectives import rank
from mmdet.structures import results_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What a validation has found."""

    figures: Mapping[str, float] = field(default_factory=dict)  # in [0, 1], AP first; -1: nothing to measure
    score_threshold: float | None = None  # of the best F1 over tracks; None: no track matches an object


def validate_model(model: VISModel, config: RunConfig, device: torch.device, class_names: Sequence[str]) -> Validation:
    """Test a model on the validation data and return what is found, on every rank.

    The model's mode is restored. `class_names` are the model's, in the order of its labels; the data may list them in
    another order.
    """
    section = config.data.valid or config.data.test
    dataset = build_test_dataset(section, "config.data.valid")
    category_ids = category_ids_of(class_names, dataset)
    was_training = model.training
    predictor = VideoPredictor.from_model(model, config, device)
    try:
        results = predict_dataset(predictor, dataset, section)
    finally:
        model.train(was_training)
    if rank() == 0 and (bad := describe_bad_frames(results)):
        tqdm.write(f"validation: {bad[-1]}; first: {bad[0]}", file=sys.stderr)
    found = evaluate(load_ground_truth(dataset.ann_file), results_to_json(results, category_ids))
    return Validation(figures=found.stats, score_threshold=found.score_curve.best)
