"""Hide rectangles of a clip, so that objects are seen in part.

Source: Zhong et al., Random Erasing Data Augmentation (AAAI 2020); here masks and boxes lose what is hidden, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from mmdet.config.ranges import Count, Fraction, Length, Natural
from mmdet.datasets.transforms.affine import MEAN_COLOUR, Colour, mask_boxes, rising, size_of
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.registry import TRANSFORMS

_LONGEST = 3.0  # a side in terms of the other


@TRANSFORMS.register_module()
class RandomErasing:
    """With a `probability` hide 1 to `most` rectangles, at the same place in all frames of a clip.

    `area`: (least, most) share of the frame that one hides; `fill`: its colour
    `per_frame`: each frame has draws of its own. An object with fewer visible pixels than `least_pixels` counts as
    hidden. Crowd regions stay as they are.
    """

    only_in_training = True

    def __init__(
        self,
        area: Annotated[tuple[Fraction, Fraction], Length(2)] = (0.02, 0.15),
        most: Count = 1,
        probability: Fraction = 0.3,
        per_frame: bool = False,
        fill: Colour = MEAN_COLOUR,
        least_pixels: Natural = 16,
    ) -> None:
        self.area, self.most, self.probability = rising(area, "RandomErasing: area"), most, probability
        self.per_frame, self.fill, self.least_pixels = per_frame, fill, least_pixels

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Hide parts of the frames, or nothing."""
        rectangles = self._draw(rng)
        erased = []
        for number, frame in enumerate(frames):
            if number and self.per_frame:
                rectangles = self._draw(rng)
            erased.append(self._erased(frame, rectangles) if len(rectangles) else frame)
        return erased

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return rectangles (n, 4) as fractions of the frame, xyxy; none with the probability of none."""
        if rng.random() >= self.probability:
            return np.zeros((0, 4))
        count = int(rng.integers(1, self.most, endpoint=True))
        area, shape = rng.uniform(*self.area, count), np.exp(rng.uniform(-np.log(_LONGEST), np.log(_LONGEST), count))
        sides = np.minimum(np.sqrt(np.stack([area * shape, area / shape], axis=1)), 1)
        corners = rng.random((count, 2)) * (1 - sides)
        return np.concatenate([corners, corners + sides], axis=1)

    def _erased(self, frame: RawFrame, rectangles: np.ndarray) -> RawFrame:
        height, width = size_of(frame)
        image, masks, boxes = frame.image.copy(), frame.masks.copy(), frame.boxes.copy()
        objects = np.arange(len(masks)) if frame.is_crowd is None else np.flatnonzero(~frame.is_crowd)
        cut = np.zeros(len(masks), bool)
        for x1, y1, x2, y2 in np.rint(rectangles * [width, height, width, height]).astype(int):
            image[y1:y2, x1:x2] = self.fill
            cut[objects] |= masks[objects, y1:y2, x1:x2].any(axis=(1, 2))
            masks[objects, y1:y2, x1:x2] = 0
        boxes[cut] = mask_boxes(masks[cut], self.least_pixels)
        return replace(frame, image=image, masks=masks, boxes=boxes)
