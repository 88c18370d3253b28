"""The detections of a chunk of frames after post-processing: tensors of fixed sizes, still on the device.

Each of B frames has N slots, filled from the first on, highest score first. The host does not know how many are filled,
so it need not wait for the device. All values that the host reads are copied in one tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from mmdet.structures.frames import FrameObjects
from mmdet.structures.mask_sources import MaskSource
from mmdet.structures.short_text import ShortText

_WIDTHS = {"boxes": 4, "labels": 1, "scores": 1, "box_sigma": 4, "centerness": 1}  # before the embedding
_NAMES = (*_WIDTHS, "embeddings")
_ENDS = tuple(accumulate(_WIDTHS.values()))
_VECTORS = ("boxes", "box_sigma", "embeddings")  # the others are one number per slot


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChunkDetections(ShortText):
    """The detections in B frames, and the values from which their masks are computed."""

    rows: Tensor  # (B, N, 12 + S + E) float32: see `pack_rows`
    mask_source: MaskSource  # what the masks are drawn from
    masks: Tensor | None = None  # (B, N, H0, W0) bool, original pixels, if all slots are already drawn
    num_class_scores: int = 0  # S, of the rows: all classes, or none

    def __post_init__(self) -> None:
        frames, slots = self.rows.shape[:2]
        source = self.mask_source
        held = {f"mask_source.{field.name}": getattr(source, field.name) for field in fields(source)}
        for name, value in {**held, "masks": self.masks}.items():
            if value is None:
                continue
            shape = tuple(value.shape)
            of_frame = name.endswith((".basis", ".features"))
            if shape[0] != frames or not (of_frame or shape[1] == slots):
                raise ValueError(f"ChunkDetections.{name} has shape {shape}, rows {tuple(self.rows.shape)}")


def pack_rows(
    filled: Tensor,
    boxes: Tensor,
    labels: Tensor,
    scores: Tensor,
    box_sigma: Tensor,
    centerness: Tensor,
    embeddings: Tensor,
    class_scores: Tensor | None = None,
) -> Tensor:
    """Pack the values of every slot, (B, N) or (B, N, D) each, into one tensor (B, N, 12 + S + E).

    `filled` (B, N) bool marks the slots that hold a detection; the other arguments are the fields of FrameObjects.
    Labels are exact in float32 up to 2^24.
    """
    known = () if class_scores is None else (class_scores,)
    columns = (filled, boxes, labels, scores, box_sigma, centerness, *known, embeddings)
    return torch.cat([column.float() if column.dim() == 3 else column.float()[..., None] for column in columns], dim=2)


def split_rows(rows: Tensor, num_class_scores: int = 0) -> dict[str, Tensor]:
    """Return packed rows by name, all slots of all frames: `filled` (B, N) bool and the fields of FrameObjects.

    `num_class_scores`: as in ChunkDetections; 0: there are no `class_scores`
    """
    last = rows.shape[2] - 1 - _ENDS[-1] - num_class_scores
    widths = {"filled": 1, **_WIDTHS, "class_scores": num_class_scores, "embeddings": last}
    parts = rows.split(list(widths.values()), dim=2)
    named = {name: part for name, part in zip(widths, parts, strict=True) if widths[name] or name != "class_scores"}
    flat = {name: part if name in (*_VECTORS, "class_scores") else part[..., 0] for name, part in named.items()}
    return flat | {"filled": flat["filled"] > 0, "labels": flat["labels"].long()}


def unpack_rows(rows: Tensor, num_class_scores: int = 0) -> list[FrameObjects]:
    """Return the detections of every frame from packed rows. Waits for the device of the rows.

    `num_class_scores`: as in ChunkDetections

    If the rows are on the CPU, the results are views of them, except the labels.
    """
    frames = []
    for row in rows.numpy(force=True):  # taking a column costs a tenth of the time in torch
        filled = row[: np.count_nonzero(row[:, 0] > 0), 1:]
        parts = np.split(filled, _ENDS, axis=1)
        named = {name: part if name in _VECTORS else part[:, 0] for name, part in zip(_NAMES, parts, strict=True)}
        if num_class_scores:
            named["class_scores"], named["embeddings"] = np.split(named["embeddings"], [num_class_scores], axis=1)
        named["labels"] = named["labels"].astype(np.int64)
        objects = FrameObjects(**{name: torch.from_numpy(part) for name, part in named.items()})
        frames.append(objects.to(rows.device) if rows.is_cuda else objects)
    return frames
