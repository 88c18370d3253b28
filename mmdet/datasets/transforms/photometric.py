"""Change the colours of all frames of a clip alike, so that an object keeps its look from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mmdet.config.ranges import Amount, Fraction
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.registry import TRANSFORMS

_HUES = 180  # of a circle in OpenCV's 8-bit HSV


@TRANSFORMS.register_module()
class ColorJitter:
    """With a `probability` change brightness, contrast, saturation and hue by factors drawn once per clip.

    Each is drawn uniformly from minus to plus its argument: `brightness` as a fraction of 255 that is added,
    `contrast` and `saturation` as a factor around 1, `hue` as a fraction of the circle. With the probability `grey` a
    changed clip loses its colours.
    """

    reads_masks = False
    only_in_training = True

    def __init__(
        self,
        brightness: Fraction = 0.25,
        contrast: Fraction = 0.25,
        saturation: Amount = 0.3,
        hue: Fraction = 0.03,
        grey: Fraction = 0.05,
        probability: Fraction = 0.8,
    ) -> None:
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue
        self.grey, self.probability = grey, probability

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Change all frames or none of them."""
        if rng.random() >= self.probability:
            return frames
        offset = 255 * rng.uniform(-self.brightness, self.brightness)
        contrast = 1 + rng.uniform(-self.contrast, self.contrast)
        saturation = max(1 + rng.uniform(-self.saturation, self.saturation), 0.0)
        turn = round(rng.uniform(-self.hue, self.hue) * _HUES)
        saturation = 0.0 if rng.random() < self.grey else saturation
        levels = np.arange(256)
        light = np.clip((levels - 127.5) * contrast + 127.5 + offset, 0, 255).round().astype(np.uint8)
        colour = np.clip(levels * saturation, 0, 255).round().astype(np.uint8)
        turned = ((levels + turn) % _HUES).astype(np.uint8)
        tables = np.stack([turned, colour, levels.astype(np.uint8)], axis=1)[None]  # hue, saturation, value
        return [replace(frame, image=_changed(frame.image, tables, light)) for frame in frames]


def _changed(image: np.ndarray, tables: np.ndarray, light: np.ndarray) -> np.ndarray:
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables)
    return cv2.LUT(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), light)
