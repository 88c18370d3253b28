"""Worse pictures, as of a moving or badly focused camera or of much compression. Boxes and masks stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, TypeVar

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from mmdet.config.ranges import Count, Fraction, Length, Positive, Range
from mmdet.datasets.transforms.affine import rising
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.registry import TRANSFORMS

Drawn = TypeVar("Drawn")
Quality = Annotated[int, Range(1, 100)]
_FINE = 8  # samples of a blurred line per pixel


@TRANSFORMS.register_module()
class GaussianBlur:
    """With a `probability` blur all frames of a clip by a Gaussian of a drawn width.

    `sigma`: (least, most) pixels. With `per_frame` each frame has draws of its own, whether it is blurred included.
    """

    reads_masks = False
    only_in_training = True

    def __init__(
        self,
        sigma: Annotated[tuple[Positive, Positive], Length(2)] = (0.1, 2.0),
        probability: Fraction = 0.3,
        per_frame: bool = False,
    ) -> None:
        self.sigma = rising(sigma, "GaussianBlur: sigma")
        self.probability, self.per_frame = probability, per_frame

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Blur frames or leave them."""

        def draw() -> float | None:
            return float(rng.uniform(*self.sigma)) if rng.random() < self.probability else None

        return _changed(frames, draw, lambda image, sigma: cv2.GaussianBlur(image, (0, 0), sigma), self.per_frame)


@TRANSFORMS.register_module()
class MotionBlur:
    """With a `probability` blur all frames of a clip along a line of a drawn direction.

    `length`: (least, most) pixels of the line. With `per_frame` each frame has draws of its own.
    """

    reads_masks = False
    only_in_training = True

    def __init__(
        self,
        length: Annotated[tuple[Count, Count], Length(2)] = (3, 11),
        probability: Fraction = 0.3,
        per_frame: bool = False,
    ) -> None:
        self.length = rising(length, "MotionBlur: length")
        self.probability, self.per_frame = probability, per_frame

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Blur frames or leave them."""

        def draw() -> NDArray[np.float32] | None:
            if rng.random() >= self.probability:
                return None
            return line_kernel(rng.uniform(*self.length), rng.uniform(0, np.pi))

        return _changed(frames, draw, _filtered, self.per_frame)


@TRANSFORMS.register_module()
class JPEGNoise:
    """With a `probability` compress all frames of a clip as JPEG of a drawn quality, and read them again.

    `quality`: (least, most), from 1 to 100. With `per_frame` each frame has draws of its own.
    """

    reads_masks = False
    only_in_training = True

    def __init__(
        self,
        quality: Annotated[tuple[Quality, Quality], Length(2)] = (20, 90),
        probability: Fraction = 0.3,
        per_frame: bool = False,
    ) -> None:
        low, high = rising(quality, "JPEGNoise: quality")
        self.quality, self.probability, self.per_frame = (int(low), int(high)), probability, per_frame

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Compress frames or leave them."""

        def draw() -> int | None:
            return int(rng.integers(*self.quality, endpoint=True)) if rng.random() < self.probability else None

        return _changed(frames, draw, _compressed, self.per_frame)


def line_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Return a square kernel of odd sides that sums to 1: a line through its middle, `angle` clockwise from level."""
    reach = int(np.ceil((length - 1) / 2))
    along = np.linspace(-(length - 1) / 2, (length - 1) / 2, max(int(length * _FINE), 1))
    x, y = along * np.cos(angle) + reach, along * np.sin(angle) + reach
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    np.add.at(kernel, (np.rint(y).astype(int), np.rint(x).astype(int)), 1)
    return kernel / kernel.sum()


def _changed(
    frames: Sequence[RawFrame],
    draw: Callable[[], Drawn | None],
    change: Callable[[np.ndarray, Drawn], np.ndarray],
    per_frame: bool,
) -> list[RawFrame]:
    """Return frames with changed pictures, by one draw for all or one for each; a draw of None changes nothing."""
    drawn = draw()
    made = []
    for number, frame in enumerate(frames):
        drawn = draw() if number and per_frame else drawn
        made.append(frame if drawn is None else replace(frame, image=change(frame.image, drawn)))
    return made


def _filtered(image: np.ndarray, kernel: NDArray[np.float32]) -> np.ndarray:
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    code = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality, "RGB", "420")
    return np.asarray(simplejpeg.decode_jpeg(code, "RGB"))
