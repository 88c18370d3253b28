"""The one-stage model: backbone, neck and head, with criterion and post-processing. It holds weights only.

Sources: MODEL.md; BASELINES.md 2 and 4 for heads without a memory. Videos have no state here: what a model with a
temporal neck needs from earlier frames is returned by `continue_video`, and the caller keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from mmdet.config.ranges import Length, Positive
from mmdet.errors import UserError, shown
from mmdet.models.detectors.frames import memory_rows, stack_frames
from mmdet.models.freezing import freeze, rest_frozen_parts
from mmdet.models.necks.temporal_calibration import TemporalCalibration, TemporalContext
from mmdet.registry import BACKBONES, CRITERIA, HEADS, MODELS, NECKS, POSTPROCESSORS
from mmdet.structures import ClipBatch, HeadOutputs
from mmdet.structures.dense_outputs import DenseOutputs

Outputs = HeadOutputs | DenseOutputs


@MODELS.register_module()
class VISModel(nn.Module):
    """A model built from one config dict per part.

    `backbone`, `neck`, `head`, `criterion`, `postprocess`: the configs of the parts. Channel widths are passed from
        part to part, so each is set only once
    `pixel_mean`, `pixel_std`: of 0..255, to normalise uint8 images, in the order of the network's colours
    `channel_order`: "rgb", or "bgr" for weights that learnt from blue, green, red; images come as RGB in any case
    `temporal_neck`: a second neck stage that also looks at another frame of the video; None: frames are independent
    `frozen`: patterns of the names of parameters that do not learn (see mmdet.models.freezing); the memory's slots are
        still written
    """

    pixel_mean: Tensor
    pixel_std: Tensor
    clip_length = 2  # frames of a training clip; models without this take any number

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any],
        criterion: dict[str, Any],
        postprocess: dict[str, Any],
        pixel_mean: Annotated[Sequence[float], Length(3)] = (123.675, 116.28, 103.53),
        pixel_std: Annotated[Sequence[Positive], Length(3)] = (58.395, 57.12, 57.375),
        temporal_neck: dict[str, Any] | None = None,
        frozen: Sequence[str] = (),
        channel_order: Literal["rgb", "bgr"] = "rgb",
    ) -> None:
        super().__init__()
        if channel_order not in ("rgb", "bgr"):
            raise UserError(f"VISModel: channel_order is {shown(channel_order)}, expected 'rgb' or 'bgr'")
        self.channel_order = channel_order
        self.backbone: nn.Module = BACKBONES.build(backbone)
        self.neck: nn.Module = NECKS.build({**neck, "in_channels": self.backbone.channels})
        levels = {"channels": self.neck.channels, "strides": self.neck.strides}
        self.head: Any = HEADS.build({**head, **levels})
        self.criterion: Any = CRITERIA.build(criterion)
        self.postprocess: Any = POSTPROCESSORS.build(postprocess)
        self.temporal_neck: TemporalCalibration | None = None
        if temporal_neck is not None:  # built last, so that all other parts draw the same initial weights as without it
            self.temporal_neck = NECKS.build({**temporal_neck, **levels})
        for name, values in (("pixel_mean", pixel_mean), ("pixel_std", pixel_std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

        freeze(self, frozen, "config.model.frozen")
        self.train()

    def train(self, mode: bool = True) -> VISModel:
        """Set the mode; parts that are frozen as a whole stay in evaluation mode."""
        super().train(mode)
        rest_frozen_parts(self)
        return self

    @property
    def num_classes(self) -> int:
        """Number of foreground classes."""
        return int(self.head.num_classes)

    @property
    def class_tensors(self) -> tuple[str, ...]:
        """The names of the parameters that have one row per class."""
        return tuple(f"head.{name}" for name in self.head.class_tensors)

    def forward(self, images: Tensor, valid: Tensor) -> Outputs:
        """Run the network on clips: images (B, T, 3, H, W), valid (B, T, H, W) bool; T = 1, or 2: key and reference.

        uint8 images are normalised and their padding is set to zero; float images must already be normalised and
        padded. Backbone and neck run on keys and references stacked; only key frames get predictions. With T = 1 the
        images may be any frames; for a model with a temporal neck they are the first frames of one video. A head that
        learns from single frames (`learns_from_pairs` is false) never sees the references.
        """
        if not getattr(self.head, "learns_from_pairs", True):
            images, valid = images[:, :1], valid[:, :1]
        clips, frames = images.shape[:2]
        if frames == 1:
            return self.continue_video(images, valid, None)[0]
        if frames != self.clip_length:
            raise ValueError(f"this model learns from pairs of frames, got clips of {frames}")
        pyramid = self._pyramid(images, valid)
        if self.temporal_neck is not None:
            pyramid = self.temporal_neck.calibrate_pairs(pyramid)
        outputs: Outputs = self.head([level[:clips] for level in pyramid], [level[clips:] for level in pyramid])
        return outputs

    def continue_video(
        self, images: Tensor, valid: Tensor, context: TemporalContext | None
    ) -> tuple[Outputs, TemporalContext | None]:
        """Run the network on the next B frames of one video (T = 1), given the context of the frames before them.

        Returns the outputs and the context for the next frames. A video starts with the context None; without a
        temporal neck it stays None.
        """
        pyramid = self._pyramid(images, valid)
        if self.temporal_neck is not None:
            pyramid, context = self.temporal_neck(pyramid, context)
        return self.head(pyramid, None), context

    def _pyramid(self, images: Tensor, valid: Tensor) -> list[Tensor]:
        """Return maps (T * B, C, H/s, W/s) of the frames of all clips."""
        stacked = stack_frames(images, valid, self.pixel_mean, self.pixel_std, self.channel_order == "bgr")
        pyramid: list[Tensor] = self.neck(self.backbone(stacked))
        return pyramid

    def loss(self, outputs: Outputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the loss terms (`loss_*`, to be summed) and metrics of a batch (MODEL.md 6)."""
        losses: dict[str, Tensor] = self.criterion(outputs, batch)
        return losses

    @property
    def memory(self) -> Any:
        """The head's memory, or None if it has none."""
        return getattr(self.head, "memory", None)

    @torch.no_grad()
    def update_memory(
        self, outputs: Sequence[Any], batches: Sequence[ClipBatch], made: Tensor | None = None
    ) -> Tensor | None:
        """Write the foreground points of the batches of one optimiser step to the memory. Call it after the step.

        `made` (a bool scalar on the device) is false for a step that was skipped; then nothing is written. Returns how
        much was written to each slot (M,), by all ranks; None without a memory, or if it does not say.
        """
        if self.memory is None:
            return None
        queries, targets, foreground = memory_rows(outputs, [batch.truth_of_pairs for batch in batches])
        counts: Tensor | None = self.memory.write(queries, targets, foreground if made is None else foreground & made)
        return counts

    @torch.no_grad()
    def read_entropy(self, outputs: Sequence[Any], batches: Sequence[ClipBatch]) -> Tensor | None:
        """Return how evenly the slots count in what is read at foreground points (see CNPMemory.read_entropy).

        None without a memory, or for one of another kind, which cannot say.
        """
        if self.memory is None or not hasattr(self.memory, "read_entropy"):
            return None
        queries, _, foreground = memory_rows(outputs, [batch.truth_of_pairs for batch in batches])
        entropy: Tensor = self.memory.read_entropy(queries, foreground)
        return entropy
