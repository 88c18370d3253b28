"""Data of single frames: origin, truth, detections, tracks.

Boxes are half-open xyxy everywhere: a box covers x1 <= x < x2. Masks are bool. N is the number of objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from mmdet.structures.short_text import ShortText

Size = tuple[int, int]  # (height, width), always in this order
Rows = TypeVar("Rows", bound="_Rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMeta:
    """Where a frame comes from and how it was resized.

    `input_size` is the size after resizing and before padding. `scale` is the nominal keep-ratio factor from original
    to input pixels, which differs from new_width / width because sizes are rounded (MODEL.md 9).
    """

    video_id: int
    frame_index: int  # 0-based
    original_size: Size
    input_size: Size
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Rows(ShortText):
    """Tensors that share their first dimension N. Indexing takes the same rows of all of them."""

    def __len__(self) -> int:
        first = next(iter(self.__dataclass_fields__))
        return len(getattr(self, first))

    def __getitem__(self: Rows, rows: Tensor | slice | list[int]) -> Rows:
        """Return the rows that an index tensor, a bool mask, a slice or a list of indices selects."""
        return self._mapped(lambda tensor: tensor[rows])

    def to(self: Rows, device: torch.device | str, non_blocking: bool = False) -> Rows:
        """Return a copy on `device`."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self: Rows) -> Rows:
        """Return a copy in page-locked memory."""
        return self._mapped(Tensor.pin_memory)

    def _mapped(self: Rows, change: Callable[[Tensor], Tensor]) -> Rows:
        """Return a copy with the function applied to all tensors; what is None stays None."""
        own = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(self, **{name: change(value) for name, value in own.items() if value is not None})

    def _check(self, **shapes: tuple[int | None, ...]) -> None:
        """Raise ValueError unless every named tensor has N rows and the given further sizes (None: any)."""
        count = len(self)
        for name, shape in shapes.items():
            found, expected = getattr(self, name).shape, (count, *shape)
            if found == expected:  # this comparison is fast, and there are dozens per frame
                continue
            if len(found) != len(expected) or any(
                want is not None and want != got for want, got in zip(expected, found, strict=True)
            ):
                shown = ", ".join("any" if size is None else str(size) for size in expected)
                raise ValueError(f"{type(self).__name__}.{name} has shape {tuple(found)}, expected ({shown})")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FrameTruth(_Rows):
    """The annotated objects of one frame, in pixels of the network input.

    Crowd regions are rows too, marked by `is_crowd`. `instance_ids` are unique within a video; an object has the same
    id in every frame.
    """

    boxes: Tensor  # (N, 4) float32
    labels: Tensor  # (N,) int64, 0-based
    masks: Tensor  # (N, H, W) bool; (N, 0, 0) if they are left out, as for reference frames
    instance_ids: Tensor  # (N,) int64
    is_crowd: Tensor  # (N,) bool

    def __post_init__(self) -> None:
        self._check(boxes=(4,), labels=(), masks=(None, None), instance_ids=(), is_crowd=())

    @staticmethod
    def empty(size: Size) -> FrameTruth:
        """Return the truth of a frame of `size` without objects."""
        return FrameTruth(
            boxes=torch.zeros(0, 4),
            labels=torch.zeros(0, dtype=torch.int64),
            masks=torch.zeros(0, *size, dtype=torch.bool),
            instance_ids=torch.zeros(0, dtype=torch.int64),
            is_crowd=torch.zeros(0, dtype=torch.bool),
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FrameObjects(_Rows):
    """The detections of one frame without their masks, in pixels of the original image, highest score first."""

    boxes: Tensor  # (N, 4) float32
    labels: Tensor  # (N,) int64, 0-based
    scores: Tensor  # (N,) in [0, 1]: class probability times centerness
    box_sigma: Tensor  # (N, 4) predicted std of the box sides, min(sigma, 1)
    centerness: Tensor  # (N,) in [0, 1]
    embeddings: Tensor  # (N, E) for association
    class_scores: Tensor | None = field(default=None, repr=False)  # (N, K) in [0, 1], where a model gives them

    def __post_init__(self) -> None:
        self._check(boxes=(4,), labels=(), scores=(), box_sigma=(4,), centerness=(), embeddings=(None,))
        if self.class_scores is not None:
            self._check(class_scores=(None,))

    def _named(self) -> dict[str, Tensor]:
        return {part.name: getattr(self, part.name) for part in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FrameDetections(FrameObjects):
    """The detections of one frame with their masks, which may be on another device than the rest.

    >>> detections
    FrameDetections(boxes=float32 (2, 4), labels=int64 (2), ..., masks=bool (2, 20, 40))
    >>> len(detections[detections.scores > 0.45])
    1
    """

    masks: Tensor  # (N, H, W) bool

    def __post_init__(self) -> None:
        FrameObjects.__post_init__(self)
        self._check(masks=(None, None))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FrameTracks(FrameDetections):
    """Detections with identities: `track_ids` (N,) int64 >= 0, unique in the frame.

    An object keeps its id in all frames.

    >>> tracks.objects.track_ids.tolist(), tracks.objects[[2, 0]].track_ids.tolist()
    ([0, 2, 5], [5, 0])
    """

    track_ids: Tensor

    def __post_init__(self) -> None:
        FrameDetections.__post_init__(self)
        self._check(track_ids=())

    @staticmethod
    def from_objects(objects: FrameObjects, masks: Tensor, track_ids: Tensor) -> FrameTracks:
        """Return the tracks made of detections, masks and ids."""
        return FrameTracks(**objects._named(), masks=masks, track_ids=track_ids)
