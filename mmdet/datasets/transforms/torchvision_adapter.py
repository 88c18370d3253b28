"""Transforms of torchvision (transforms.v2) by name, applied to pictures, masks and boxes of a clip together.

torchvision draws from torch's global generator. Here that generator is set by the clip's own one for every call and put
back afterwards, so that a sample stays a function of its key.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mmdet.config.ranges import Fraction, Natural
from mmdet.datasets.transforms.affine import MEAN_COLOUR, mask_boxes, size_of
from mmdet.datasets.transforms.geometric import RawFrame
from mmdet.errors import UserError, suggestion
from mmdet.registry import TRANSFORMS

# Of these only pictures change: masks and boxes are not handed over, nor decoded for references.
LOOKS = frozenset(
    {
        *("ColorJitter", "GaussianBlur", "GaussianNoise", "Grayscale", "RandomAdjustSharpness"),
        *("RandomAutocontrast", "RandomChannelPermutation", "RandomEqualize", "RandomGrayscale", "RandomInvert"),
        *("RandomPhotometricDistort", "RandomPosterize", "RandomSolarize"),
    }
)
MOVES = frozenset(
    {
        *("CenterCrop", "ElasticTransform", "Pad", "RandomAffine", "RandomCrop", "RandomHorizontalFlip"),
        *("RandomPerspective", "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "RandomZoomOut"),
    }
)
_SEEDS = 2**63


@TRANSFORMS.register_module()
class TorchVisionTransform:
    """With a `probability` apply torchvision's transform `name`, with its `options`, to the frames of a clip.

    All frames get the same draws; with `per_frame` each its own, whether it is changed included. Names are those of
    LOOKS, which change pictures alone, and of MOVES. Where masks change, boxes become those of the masks, and an object
    with fewer pixels than `least_pixels` counts as hidden. Options are torchvision's, but `fill` is for pictures alone
    and the mean colour unless given, and `interpolation` is a word, such as "bilinear".
    """

    only_in_training = True

    def __init__(
        self,
        name: str,
        probability: Fraction = 1.0,
        per_frame: bool = False,
        least_pixels: Natural = 16,
        **options: Any,
    ) -> None:
        self.name, self.probability, self.per_frame, self.least_pixels = name, probability, per_frame, least_pixels
        self.reads_masks = name not in LOOKS
        self.transform = _build(name, options)

    def __call__(self, frames: list[RawFrame], rng: np.random.Generator) -> list[RawFrame]:
        """Change the frames. Raises UserError if torchvision refuses them, or gives them different sizes."""
        chance, seed = rng.random(), int(rng.integers(_SEEDS))
        changed = []
        for number, frame in enumerate(frames):
            if number and self.per_frame:
                chance, seed = rng.random(), int(rng.integers(_SEEDS))
            changed.append(self._changed(frame, seed) if chance < self.probability else frame)
        sizes = {size_of(frame) for frame in changed}
        if len(sizes) > 1 and self.per_frame:
            raise UserError(f"{self}: per_frame gives the frames of a clip different sizes: leave it out")
        return changed

    def __str__(self) -> str:
        """Return the transform as it is named in errors."""
        return f"TorchVisionTransform {self.name}"

    def _changed(self, frame: RawFrame, seed: int) -> RawFrame:
        from torchvision import tv_tensors  # takes seconds, and few configs need it

        height, width = size_of(frame)
        given = {"image": tv_tensors.Image(torch.from_numpy(np.ascontiguousarray(frame.image.transpose(2, 0, 1))))}
        if self.reads_masks:
            given["masks"] = tv_tensors.Mask(torch.from_numpy(np.ascontiguousarray(frame.masks)))
            boxes, kind = torch.from_numpy(frame.boxes.copy()), tv_tensors.BoundingBoxFormat.XYXY
            given["boxes"] = tv_tensors.BoundingBoxes(boxes, format=kind, canvas_size=(height, width))
        try:
            with _drawing_from(seed):
                made = self.transform(given)
        except (TypeError, ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"{self}: torchvision refuses a frame of {width} x {height} pixels: {reason}") from error
        image = np.ascontiguousarray(made["image"].numpy().transpose(1, 2, 0))
        if image.dtype != np.uint8 or image.shape[2] != 3:
            raise UserError(f"{self} gives pictures of {image.shape[2]} channels in {image.dtype}, expected 3 in uint8")
        if not self.reads_masks:
            return replace(frame, image=image)
        masks = made["masks"].numpy()
        if masks.shape == frame.masks.shape and np.array_equal(masks, frame.masks):
            return replace(frame, image=image)
        return replace(frame, image=image, masks=masks, boxes=mask_boxes(masks, self.least_pixels))


def _build(name: str, options: Mapping[str, Any]) -> Any:
    """Return torchvision's transform. Raises UserError for unknown names and unsuitable options."""
    from torchvision import tv_tensors  # takes seconds, and few configs need it
    from torchvision.transforms import v2

    if name not in LOOKS | MOVES:
        known = sorted(LOOKS | MOVES)
        if hasattr(v2, name):
            raise UserError(f"TorchVisionTransform: {name} is not for clips with masks; known: {', '.join(known)}")
        raise UserError(f"TorchVisionTransform: unknown name {name!r}; {suggestion(name, known)}")
    arguments = dict(options)
    if isinstance(arguments.get("interpolation"), str):
        words = {mode.value: mode for mode in v2.InterpolationMode}
        word = arguments["interpolation"]
        if word not in words:
            raise UserError(f"TorchVisionTransform {name}: interpolation is {word!r}; {suggestion(word, list(words))}")
        arguments["interpolation"] = words[word]
    kind = getattr(v2, name)
    if "fill" in inspect.signature(kind).parameters:  # without a kind it would fill masks, too
        arguments["fill"] = {tv_tensors.Image: arguments.get("fill", MEAN_COLOUR), "others": 0}
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"TorchVisionTransform {name} cannot be built: {str(error).partition(chr(10))[0]}") from error


@contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """Make torch's generator of the CPU draw from a seed inside this context."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
