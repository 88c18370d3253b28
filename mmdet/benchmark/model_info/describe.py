"""What `memcnp model-info` tells of a config's model, as text and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from mmdet.benchmark.model_info.counting import Part, Work, count_parameters, count_work
from mmdet.benchmark.model_info.receptive import receptive_sizes
from mmdet.config import RunConfig
from mmdet.engine.process.randomness import seed_everything
from mmdet.engine.process.terminal import aligned_rows
from mmdet.errors import UserError
from mmdet.models.build import build_model
from mmdet.models.detectors.frames import SIZE_DIVISOR
from mmdet.structures import Size

GIGA, MEGA = 1e9, 1e6
_NOTE = "convolutions and matrix products of one frame, a multiply-add as 2; without post-processing and tracking"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a model is made of, and its work at each size. `receptive`: by size, of each level; () if not asked for."""

    kind: str
    parts: Sequence[Part]
    works: Sequence[Work]
    receptive: Sequence[Sequence[Size]] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return json content."""
        return asdict(self)


def describe_model(config: RunConfig, sizes: Sequence[Size], depth: int = 1, receptive: bool = False) -> ModelInfo:
    """Count a model's parameters, and its work for a frame of each size (height, width)."""
    for size in sizes:
        if min(size) < SIZE_DIVISOR:
            raise UserError(f"--size {size[0]} {size[1]}: a frame needs at least {SIZE_DIVISOR} pixels a side")
    seed_everything(config.runtime.seed)
    model = build_model(config)
    works = [count_work(partial(build_model, config), size) for size in sizes]
    return ModelInfo(
        kind=type(model).__name__,
        parts=count_parameters(model, depth),
        works=works,
        receptive=[receptive_sizes(model, _padded(size)) for size in sizes] if receptive else (),
    )


def _padded(size: Size) -> Size:
    height, width = (side + -side % SIZE_DIVISOR for side in size)
    return height, width


def format_info(info: ModelInfo) -> str:
    """Return the tables."""
    whole = info.parts[0]
    trained = f"{whole.trainable:,} of them trainable" if whole.trainable < whole.parameters else "all trainable"
    buffers = f"; {whole.buffers:,} saved numbers that are not learned" if whole.buffers else ""
    lines = [f"{info.kind}: {whole.parameters:,} parameters, {trained}{buffers}"]
    for index, work in enumerate(info.works):
        height, width = work.size
        padded = "" if _padded(work.size) == work.size else ", padded to {} x {}".format(*_padded(work.size))
        lines += ["", f"{height} x {width}{padded}", *aligned_rows(_part_rows(info, work)), ""]
        lines += aligned_rows(_level_rows(work, info.receptive[index] if info.receptive else ()))
    return "\n".join([*lines, "", _NOTE]) if info.works else "\n".join([*lines, *aligned_rows(_part_rows(info, None))])


def _part_rows(info: ModelInfo, work: Work | None) -> list[list[str]]:
    rows = [["part", "parameters", "trainable", *(["GFLOPs", "share", "activations (M)"] if work else [])]]
    for part in [*info.parts[1:], info.parts[0]]:
        level = part.name.count(".")
        row = [f"{'  ' * level}{part.name.rsplit('.', 1)[-1]}" if part.name else "whole model"]
        row += [f"{part.parameters:,}", f"{part.trainable:,}"]
        if work:
            flops, activations = work.of(part.name)
            row += [f"{flops / GIGA:.2f}", f"{flops / max(work.of('')[0], 1):.1%}", f"{activations / MEGA:.1f}"]
        rows.append(row)
    return rows


def _level_rows(work: Work, receptive: Sequence[Size]) -> list[list[str]]:
    rows = [["level", "stride", "map", "points", *(["sees"] if receptive else [])]]
    for index, (stride, (height, width)) in enumerate(work.maps):
        row = [str(index), str(stride), f"{height} x {width}", f"{height * width:,}"]
        if receptive:
            seen = receptive[index]
            row.append("the whole frame" if seen == _padded(work.size) else f"{seen[0]} x {seen[1]}")
        rows.append(row)
    return rows
