"""A head: the pyramid of maps to predictions of every point. Here one convolution a level, and no memory to read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.registry import HEADS
from mmdet.structures import HeadOutputs, PointGrid


class NoMemory:
    """Stands where a head keeps its memory: the model writes to it after every step."""

    def write(self, features: Tensor, targets: Tensor, foreground: Tensor) -> None:
        """Keep nothing."""


@HEADS.register_module()
class PlainHead(nn.Module):
    """The model hands on `channels` and `strides` of the pyramid; a config says the number of classes."""

    class_tensors = ("classes.weight", "classes.bias")  # one row per class, so that --load_from can match classes

    def __init__(self, channels: int, strides: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.num_classes, self.strides, self.memory = num_classes, tuple(strides), NoMemory()
        self.classes = nn.Conv2d(channels, num_classes, 3, padding=1)
        self.boxes = nn.Conv2d(channels, 4 + 4 + 1, 3, padding=1)  # sides, their sigmas, centerness
        nn.init.constant_(self.classes.get_parameter("bias"), -4.6)  # a point is an object with a probability of 0.01

    def forward(self, pyramid: Sequence[Tensor], reference_pyramid: Sequence[Tensor] | None) -> HeadOutputs:
        """Maps (B, C, H/s, W/s) of the key frames and, in training, of their references."""
        sizes = tuple((level.shape[-2], level.shape[-1]) for level in pyramid)
        image_size = (sizes[0][0] * self.strides[0], sizes[0][1] * self.strides[0])
        boxes = _flat([self.boxes(level) for level in pyramid])
        return HeadOutputs(
            points=PointGrid.make(image_size, sizes, self.strides, boxes.device),
            cls_logits=_flat([self.classes(level) for level in pyramid]),
            box_ltrb=boxes[..., :4].sigmoid(),
            box_sigma=0.1 + F.softplus(boxes[..., 4:8]),
            centerness_logits=boxes[..., 8],
            mask_basis=F.relu(F.interpolate(pyramid[0], scale_factor=4.0, mode="bilinear")),
            embedding_map=pyramid[0],
            reference_embedding_map=None if reference_pyramid is None else reference_pyramid[0],
            memory_query=_flat(pyramid).detach(),
        )


def _flat(maps: Sequence[Tensor]) -> Tensor:
    """Maps (B, C, h, w) of all levels to (B, P, C) in float32."""
    return torch.cat([level.flatten(2) for level in maps], dim=2).transpose(1, 2).float()
