"""The mask head: a small mask for every region and class (BASELINES.md 3.6)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.models.heads.two_stage.class_rows import ClassRows

NUM_CONVS = 4


class MaskHead(nn.Module):
    """Convolutions, a transposed one that doubles the size, and a map for every class and the background."""

    class_tensors = tuple(f"classes.{name}" for name in ClassRows.class_tensors)

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(NUM_CONVS))
        self.upsample = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.classes = ClassRows(channels, num_classes)
        for layer in (*self.convs, self.upsample):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        std = (2 / (1 + num_classes)) ** 0.5  # He, by the number of maps
        nn.init.normal_(self.classes.weight, std=std)
        nn.init.normal_(self.classes.background_weight, std=std)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, 1 + K, 2 s, 2 s), background first, of regions (N, C, s, s)."""
        maps = features
        for conv in self.convs:
            maps = F.relu(conv(maps))
        weight, bias = self.classes.joined()
        return F.conv2d(F.relu(self.upsample(maps)), weight[..., None, None], bias)
