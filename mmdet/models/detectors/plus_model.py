"""MemCNP plus: a backbone, a neck, and a head whose objects draw their masks with networks of their own.

It holds weights only, no state of videos; frames do not depend on each other. docs/plus.md says what differs from the
published model and what each part is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from mmdet.config.ranges import Length, Positive
from mmdet.models.detectors.frames import memory_rows, stack_frames
from mmdet.models.freezing import freeze, rest_frozen_parts
from mmdet.models.heads.dynamic_mask_head import DynamicMaskHead
from mmdet.models.losses.aligned_criterion import AlignedCriterion
from mmdet.models.postprocess.dynamic import DynamicPostProcess
from mmdet.registry import BACKBONES, CRITERIA, HEADS, MODELS, NECKS, POSTPROCESSORS
from mmdet.structures import ClipBatch
from mmdet.structures.dynamic_outputs import DynamicOutputs
from mmdet.structures.padded_truth import FrameRows


@MODELS.register_module()
class PlusModel(nn.Module):
    """A model built from one config dict per part; the arguments are those of VISModel."""

    pixel_mean: Tensor
    pixel_std: Tensor
    temporal_neck: None = None
    learns_all_frames = True  # so it needs the masks of all frames, whatever their number

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any],
        criterion: dict[str, Any],
        postprocess: dict[str, Any],
        pixel_mean: Annotated[Sequence[float], Length(3)] = (123.675, 116.28, 103.53),
        pixel_std: Annotated[Sequence[Positive], Length(3)] = (58.395, 57.12, 57.375),
        frozen: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.backbone: nn.Module = BACKBONES.build(backbone)
        self.neck: nn.Module = NECKS.build({**neck, "in_channels": self.backbone.channels})
        levels = {"channels": self.neck.channels, "strides": self.neck.strides}
        self.head: DynamicMaskHead = HEADS.build({**head, **levels})
        self.criterion: AlignedCriterion = CRITERIA.build(criterion)
        self.postprocess: DynamicPostProcess = POSTPROCESSORS.build(postprocess)
        for name, values in (("pixel_mean", pixel_mean), ("pixel_std", pixel_std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
        freeze(self, frozen, "config.model.frozen")
        self.train()

    def train(self, mode: bool = True) -> PlusModel:
        """Set the mode; parts that are frozen as a whole stay in evaluation mode."""
        super().train(mode)
        rest_frozen_parts(self)
        return self

    @property
    def num_classes(self) -> int:
        """Number of foreground classes."""
        return self.head.num_classes

    @property
    def class_tensors(self) -> tuple[str, ...]:
        """The names of the parameters that have one row per class."""
        return tuple(f"head.{name}" for name in self.head.class_tensors)

    def forward(self, images: Tensor, valid: Tensor) -> DynamicOutputs:
        """Run the network on clips: images (B, T, 3, H, W), valid (B, T, H, W) bool.

        uint8 images are normalised and their padding is set to zero; float images must already be normalised and
        padded. All T * B frames get predictions, those of the first frames of all clips first.
        """
        stacked = stack_frames(images, valid, self.pixel_mean, self.pixel_std)
        outputs: DynamicOutputs = self.head(self.neck(self.backbone(stacked)), stacked)
        return outputs

    def continue_video(self, images: Tensor, valid: Tensor, context: None) -> tuple[DynamicOutputs, None]:
        """Run the network on the next frames of a video (T = 1), which need nothing of those before them."""
        return self.forward(images, valid), None

    def loss(self, outputs: DynamicOutputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the loss terms (`loss_*`, to be summed) and metrics of a batch."""
        return self.criterion(outputs, batch)

    @torch.no_grad()
    def update_memory(
        self, outputs: Sequence[DynamicOutputs], batches: Sequence[ClipBatch], made: Tensor | None = None
    ) -> Tensor | None:
        """Write the foreground points of one optimiser step to the memory, if there is one; see VISModel."""
        if self.head.memory is None:
            return None
        queries, targets, foreground = memory_rows(outputs, _rows_of(batches))
        return self.head.memory.write(queries, targets, foreground if made is None else foreground & made)

    @torch.no_grad()
    def read_entropy(self, outputs: Sequence[DynamicOutputs], batches: Sequence[ClipBatch]) -> Tensor | None:
        """Return how evenly the slots count in what is read at foreground points; None if no memory says it."""
        memory = self.head.memory
        if memory is None or not hasattr(memory, "read_entropy"):
            return None
        queries, _, foreground = memory_rows(outputs, _rows_of(batches))
        return memory.read_entropy(queries, foreground)


def _rows_of(batches: Sequence[ClipBatch]) -> list[FrameRows]:
    """Return the truth of all frames of each batch."""
    found = []
    for batch in batches:
        rows = batch.truth_of_pairs.frames
        assert rows is not None  # the loss has asked for them
        found.append(rows)
    return found
