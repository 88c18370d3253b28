"""Building registered parts from a config, with mistakes reported in the user's terms."""

from __future__ import annotations

from mmdet.config import RunConfig
from mmdet.config.build import build_part
from mmdet.models.detectors.vis_model import VISModel
from mmdet.registry import MODELS


def build_model(config: RunConfig) -> VISModel:
    """Build the model with its initial weights; `pretrained` files are not read."""
    model: VISModel = build_part(MODELS, config.model, "config.model")
    return model
