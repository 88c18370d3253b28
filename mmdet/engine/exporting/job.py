"""What a format gets to write, and what it gives back: a program that runs the written file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.nn import functional as F

from mmdet.engine.exporting.deployed import DeployedModel
from mmdet.structures.short_text import ShortText

CELL = 24  # pixels of the coarse noise that stands for frames: some detections, few of equal scores

Run = Callable[[Tensor], dict[str, Tensor]]  # images (B, 3, H, W) uint8 on the job's device to the named outputs


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExportJob(ShortText):
    """A model that is to be written."""

    deployed: DeployedModel
    batch: int | None  # frames per call; None: any number
    about: Mapping[str, str]  # see `describe`
    device: torch.device = field(default=torch.device("cpu"))

    def frames(self, count: int | None = None) -> Tensor:
        """Return made-up frames (count, 3, H, W) uint8 on the device; without a count as many as a call takes."""
        height, width = self.deployed.size
        count = count or self.batch or 2  # one frame would be taken for a constant size
        source = torch.Generator().manual_seed(0)
        coarse = torch.rand(count, 3, -(-height // CELL) + 1, -(-width // CELL) + 1, generator=source)
        smooth = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
        return (smooth * 255).round().byte().to(self.device)

    @torch.no_grad()
    def run(self, images: Tensor) -> dict[str, Tensor]:
        """Run the model in PyTorch."""
        named: dict[str, Tensor] = self.deployed(images)
        return named

    def names(self) -> list[str]:
        """Return the names of the outputs, in order."""
        return list(self.run(self.frames()))

    @torch.no_grad()
    def exported(self) -> ExportedProgram:
        """Return the model as a graph of torch.export, without the paths of this machine's source files."""
        shapes = {0: torch.export.Dim("batch", min=1)} if self.batch is None else {}
        graph = torch.export.export(self.deployed, (self.frames(),), dynamic_shapes={"images": shapes}, strict=False)
        for node in graph.graph.nodes:
            node.meta.pop("stack_trace", None)
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file: how it is written, whole or not at all, and how it is run."""

    write: Callable[[ExportJob, Path], None]
    load: Callable[[Path, ExportJob], Run]
