"""What is stored in an exported file beside the network: all that a program needs to use it without this package."""

from __future__ import annotations

import inspect
import json
from typing import Any

import torch
from torch import Tensor

import mmdet
from mmdet.config import RunConfig
from mmdet.engine.exporting.deployed import MASK_RULES, DeployedModel
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.models.detectors.plus_model import PlusModel

DIGITS = 4  # of means and deviations, which the model keeps in float32


def describe(predictor: VideoPredictor, deployed: DeployedModel, config: RunConfig) -> dict[str, str]:
    """Return texts by name: each value is JSON. docs/export.md lists them."""
    model = deployed.model
    stride, threshold = MASK_RULES[isinstance(model, PlusModel)]
    facts: dict[str, Any] = {
        "class_names": predictor.class_names,
        "category_ids": predictor.category_ids,
        "size": deployed.size,
        "transforms": config.data.test.dataset.get("transforms", []),
        "normalisation": {
            "mean": _rounded(model.pixel_mean),
            "std": _rounded(model.pixel_std),
            "inside": True,  # images go in as uint8
        },
        "masks": {"drawn": deployed.masks, "stride": stride, "threshold": threshold},
        "tracker": tracker_settings(predictor, config),
        "score_threshold": predictor.score_threshold,
        "model": type(model).__name__,
        "versions": {"memcnp_vis": mmdet.__version__, "torch": torch.__version__},
    }
    return {name: json.dumps(value) for name, value in facts.items()}


def _rounded(values: Tensor) -> list[float]:
    return [round(value, DIGITS) for value in values.flatten().tolist()]


def tracker_settings(predictor: VideoPredictor, config: RunConfig) -> dict[str, Any]:
    """Return the tracker's type and all its settings, defaults included, as the tracker took them."""
    parameters = inspect.signature(type(predictor.tracker).__init__).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    given = {"type": config.tracker["type"], **defaults, **config.tracker}
    return {name: getattr(predictor.tracker, name, value) for name, value in given.items()}


def resized_to(size: tuple[int, int], config: RunConfig) -> list[str]:
    """Return a line if the config's transforms of testing make no frame of this size (height, width)."""
    for step in config.data.test.dataset.get("transforms", []):
        if step.get("type") != "ResizeKeepRatio":
            continue
        edges = step["long_edge"], step["short_edge"]
        if max(size) > edges[0] or min(size) > edges[1] or (max(size) < edges[0] and min(size) < edges[1]):
            rule = f"a long edge of {edges[0]} or a short edge of {edges[1]} pixels, whichever is reached first"
            return [f"no frame gets the size {size[0]} x {size[1]}: the config resizes frames to {rule}"]
    return []
