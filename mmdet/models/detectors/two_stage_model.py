"""The two-stage model: backbone, neck, RPN and heads of regions, with criterion and post-processing.

It holds weights only, no state of videos; frames do not depend on each other. The heads of regions run with the losses
and with the post-processing, because only these know the regions: sampled ones in training, the best boxes in testing.
Source: BASELINES.md 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from mmdet.config.ranges import Length, Positive
from mmdet.models.detectors.frames import pad_to_multiple, stack_frames
from mmdet.models.freezing import freeze, rest_frozen_parts
from mmdet.models.heads.two_stage import RoIHeads
from mmdet.models.losses.two_stage import TwoStageCriterion
from mmdet.models.postprocess.two_stage import TwoStagePostProcess
from mmdet.registry import BACKBONES, CRITERIA, HEADS, MODELS, NECKS, POSTPROCESSORS
from mmdet.structures import ClipBatch
from mmdet.structures.two_stage_outputs import RPNOutputs, TwoStageOutputs, unpadded_sizes


@MODELS.register_module()
class TwoStageModel(nn.Module):
    """A model built from one config dict per part; arguments not named here are those of VISModel.

    `rpn`: the config of the part that proposes regions; `head`: that of the heads of regions
    """

    pixel_mean: Tensor
    pixel_std: Tensor
    temporal_neck: None = None
    clip_length = 2  # frames of a training clip
    learns_whole_masks = True  # cut out at the regions
    network_is_whole = False  # parameters learn outside of `forward`, too

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        rpn: dict[str, Any],
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
        self.rpn_head: Any = HEADS.build({**rpn, **levels})
        self.head: RoIHeads = HEADS.build({**head, **levels})
        self.criterion: TwoStageCriterion = CRITERIA.build(criterion)
        self.postprocess: TwoStagePostProcess = POSTPROCESSORS.build({**postprocess, "heads": self.head})
        for name, values in (("pixel_mean", pixel_mean), ("pixel_std", pixel_std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
        freeze(self, frozen, "config.model.frozen")
        self.train()

    def train(self, mode: bool = True) -> TwoStageModel:
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

    def forward(self, images: Tensor, valid: Tensor) -> TwoStageOutputs:
        """Run the network on clips: images (B, T, 3, H, W), valid (B, T, H, W) bool; T = 1, or 2: key and reference.

        uint8 images are normalised and their padding is set to zero; float images must already be normalised and
        padded. Backbone and neck run on keys and references stacked; only key frames get proposals.
        """
        clips, frames = images.shape[:2]
        if frames not in (1, self.clip_length):
            raise ValueError(f"this model learns from pairs of frames, got clips of {frames}")
        stacked = stack_frames(images, valid, self.pixel_mean, self.pixel_std)
        pyramid = self.neck(self.backbone(stacked))
        sizes = unpadded_sizes(pad_to_multiple(valid[:, 0]))
        rpn: RPNOutputs = self.rpn_head([level[:clips] for level in pyramid])
        regions = pyramid[: len(self.head.strides)]
        return TwoStageOutputs(
            features=tuple(level[:clips] for level in regions),
            reference_features=tuple(level[clips:] for level in regions) if frames > 1 else None,
            rpn=rpn,
            proposals=self.rpn_head.propose(rpn, sizes),
            image_sizes=sizes,
        )

    def continue_video(self, images: Tensor, valid: Tensor, context: None) -> tuple[TwoStageOutputs, None]:
        """Run the network on the next frames of a video (T = 1), which need nothing of those before them."""
        return self.forward(images, valid), None

    def loss(self, outputs: TwoStageOutputs, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the loss terms (`loss_*`, to be summed) and metrics of a batch (BASELINES.md 3.2 to 3.6)."""
        return self.criterion(outputs, batch, self.head)

    def update_memory(
        self, outputs: Sequence[TwoStageOutputs], batches: Sequence[ClipBatch], made: Tensor | None = None
    ) -> None:
        """Do nothing: there is no memory."""

    def read_entropy(self, outputs: Sequence[TwoStageOutputs], batches: Sequence[ClipBatch]) -> None:
        """Return None: there is no memory."""
