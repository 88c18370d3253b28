"""The box head: classes and refined boxes of regions (BASELINES.md 3.4)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from mmdet.models.heads.two_stage.class_rows import ClassRows


class BoxHead(nn.Module):
    """Two shared linear layers, then a score for every class and the background, and a box for each of them."""

    class_tensors = tuple(f"{layer}.{name}" for layer in ("classes", "boxes") for name in ClassRows.class_tensors)

    def __init__(self, channels: int, size: int, width: int, num_classes: int) -> None:
        super().__init__()
        shared = [nn.Linear(channels * size * size, width), nn.Linear(width, width)]
        self.shared = nn.ModuleList(shared)
        self.classes, self.boxes = ClassRows(width, num_classes), ClassRows(width, num_classes, outputs=4)
        for layer in shared:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        for rows, std in ((self.classes, 0.01), (self.boxes, 0.001)):
            nn.init.normal_(rows.weight, std=std)
            nn.init.normal_(rows.background_weight, std=std)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (..., 1 + K) and deltas (..., 1 + K, 4), background first, of regions (..., C, size, size)."""
        rows = features.flatten(-3)
        for layer in self.shared:
            rows = F.relu(layer(rows))
        return self.classes(rows)[..., 0], self.boxes(rows)
