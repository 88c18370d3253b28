"""Build the model that a config names."""

from __future__ import annotations

from mmdet.config import RunConfig
from mmdet.config.build import build_part
from mmdet.models.detectors.vis_model import VISModel
from mmdet.registry import MODELS


def build_model(config: RunConfig) -> VISModel:
    """Build the model with its initial weights. Does not read `pretrained` files."""
    model: VISModel = build_part(MODELS, config.model, "config.model")
    return model
