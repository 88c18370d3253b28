"""A transform: the frames of one clip to others. Here all frames of a clip become darker or brighter alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmdet.config.ranges import Positive
from mmdet.datasets import RawFrame
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomBrightness:
    """Multiply colours by a factor that is drawn once per clip from `low` to `high`."""

    only_in_training = True  # a test set refuses it
    reads_masks = False  # neither its draws nor the boxes depend on masks

    def __init__(self, low: Positive = 0.8, high: Positive = 1.2) -> None:
        self.low, self.high = low, high

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Return new frames; every row of boxes and masks stays, and all chance comes from `rng`."""
        factor = rng.uniform(self.low, self.high)
        return [replace(frame, image=(frame.image * factor).clip(0, 255).astype(np.uint8)) for frame in frames]
