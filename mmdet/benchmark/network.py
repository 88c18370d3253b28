"""How fast the network is by itself: whole training steps and the forward pass, on made-up batches.

Pictures are noise and masks are ellipses: the work of a step depends on sizes and on the number of objects.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mmdet.benchmark.profile import write_profile
from mmdet.benchmark.report import (
    MS,
    BenchmarkSettings,
    Case,
    Spread,
    forget_peak_memory,
    peak_memory,
    prepare_model,
    time_steps,
)
from mmdet.config import RunConfig
from mmdet.engine.process.precision import float32_products, reduced_type
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.randomness import compute_deterministically
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.engine.training.optimization.schedule import learning_rate_factor
from mmdet.engine.training.steps.compiling import compile_parts
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.models.detectors.vis_model import VISModel
from mmdet.structures import ClipBatch, ClipSample, FrameMeta, FrameTruth, Size, collate_clips

SIZES = ((480, 864), (384, 640))  # of the published recipe: the largest input, and one from the middle of its range
OBJECTS = 4
ROTATION = 4  # batches that take turns
SIDES = (0.1, 0.6)  # of an object, as fractions of the frame's
_MOVEMENT = 0.05  # from one frame of a pair to the other, likewise
_NOTE = "step_ms: from the end of one to the end of the next, on a GPU by its own clock; host: until it could go on"


def measure_training(config: RunConfig, settings: BenchmarkSettings) -> list[Case]:
    """Time whole steps, from batches in page-locked memory to the written memory, at every size."""
    return [_measure_training_at(size, config, settings) for size in settings.sizes or SIZES]


def _measure_training_at(size: Size, config: RunConfig, settings: BenchmarkSettings) -> Case:
    forget_peak_memory(settings.device)
    step = make_train_step(config, settings)
    pairs = settings.batch_size or config.data.train.batch_size
    objects = OBJECTS if settings.objects is None else settings.objects
    classes = step.model.num_classes
    batches = [synthetic_batch(size, pairs, objects, classes, settings.seed + index) for index in range(ROTATION)]
    if settings.device.type == "cuda":
        batches = [batch.pin_memory() for batch in batches]
    norms: list[Tensor] = []
    times = time_steps(lambda index: norms.append(step([batches[index % ROTATION]])["grad_norm"]), settings)
    pairs_per_second = MS * pairs / times.mean
    figures: dict[str, float | Spread] = {
        **times.figures(),
        "pairs_per_second": pairs_per_second,
        "images_per_second": 2 * pairs_per_second,
        **peak_memory(settings.device),
        "steps_not_finite": int((~torch.stack(norms).isfinite()).sum()),
    }
    profile_case(lambda index: step([batches[index % ROTATION]]), f"{size[0]}x{size[1]}", settings)
    name = f"training step, {pairs} pairs of {size[0]}x{size[1]}, {objects} objects a frame, {_name(step.dtype)}"
    return Case(name=name, figures=figures, notes=(_NOTE,))


def measure_model(config: RunConfig, settings: BenchmarkSettings) -> list[Case]:
    """Time the forward pass on frames that are on the device, in batches and one by one, at every size."""
    model = prepare_model(config, settings).eval()
    counts = sorted({settings.batch_size or config.data.test.chunk_size, 1}, reverse=True)
    with float32_products(exact=dtype_of_amp(settings) is None):
        return [_measure_forward(model, count, size, settings) for size in settings.sizes or SIZES for count in counts]


def _measure_forward(model: VISModel, count: int, size: Size, settings: BenchmarkSettings) -> Case:
    forget_peak_memory(settings.device)
    dtype = dtype_of_amp(settings)
    network = torch.compile(model, dynamic=False) if settings.compile else model
    frames = synthetic_batch(size, count, 0, 1, settings.seed).to(settings.device)
    images, valid = frames.images[:, :1].contiguous(), frames.valid[:, :1].contiguous()

    @torch.inference_mode()
    def forward(index: int) -> None:
        with torch.autocast(settings.device.type, dtype=dtype, enabled=dtype is not None):
            network(images, valid)

    times = time_steps(forward, settings)
    figures: dict[str, float | Spread] = {
        **times.figures(),
        "frames_per_second": MS * count / times.mean,
        **peak_memory(settings.device),
    }
    profile_case(forward, f"{count}x{size[0]}x{size[1]}", settings)
    name = f"forward pass, {count} frames of {size[0]}x{size[1]}, {_name(dtype or torch.float32)}"
    return Case(name=name, figures=figures, notes=(_NOTE,))


def make_train_step(config: RunConfig, settings: BenchmarkSettings) -> TrainStep:
    """Build model and optimiser as training does, at the learning rate of its first step: weights hardly move."""
    runtime, device = config.runtime, settings.device
    if runtime.deterministic:
        compute_deterministically()
    model = prepare_model(config, settings).train()
    if (runtime.compile or settings.compile) and device.type == "cuda":
        compile_parts(model)
    optimizer = build_optimizer(model, config.optimizer)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * learning_rate_factor(0, config.schedule, 1)
    ranks = Ranks(rank=0, local_rank=0, world_size=1, device=device)
    graphs = runtime.cuda_graphs and not runtime.deterministic
    return TrainStep(model, optimizer, ranks, settings.amp or runtime.amp, runtime.grad_clip, graphs)


def dtype_of_amp(settings: BenchmarkSettings) -> torch.dtype | None:
    """Return what testing computes in by autocast, None where it does not: on the CPU, and with amp off."""
    return reduced_type(settings.amp or "off", settings.device)


def synthetic_batch(size: Size, pairs: int, objects: int, num_classes: int, seed: int) -> ClipBatch:
    """Make pairs of frames of `size` in which the same `objects` ellipses move a little; padded as in training."""
    generator = torch.Generator().manual_seed(seed)
    return collate_clips([_pair(size, objects, num_classes, video, generator) for video in range(pairs)])


def _pair(size: Size, objects: int, num_classes: int, video: int, generator: torch.Generator) -> ClipSample:
    scale = torch.tensor([size[1], size[0]], dtype=torch.float32)
    low, high = SIDES
    sides = low + (high - low) * torch.rand(objects, 2, generator=generator)
    corners = (1 - sides) * torch.rand(objects, 2, generator=generator)
    labels = torch.randint(num_classes, (objects,), generator=generator)
    truths = []
    for _ in range(2):
        corners = (
            (corners + _MOVEMENT * (torch.rand(objects, 2, generator=generator) - 0.5)).clamp(min=0).minimum(1 - sides)
        )
        boxes = torch.cat((corners * scale, (corners + sides) * scale), dim=1)
        truths.append(
            FrameTruth(
                boxes=boxes,
                labels=labels,
                masks=_ellipses(boxes, size),
                instance_ids=torch.arange(objects),
                is_crowd=torch.zeros(objects, dtype=torch.bool),
            )
        )
    metas = tuple(
        FrameMeta(video_id=video, frame_index=frame, original_size=size, input_size=size, scale=1.0)
        for frame in range(2)
    )
    return ClipSample(
        images=torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=generator),
        truths=tuple(truths),
        metas=metas,
        reference_jitter=torch.zeros(objects, 4),
    )


def _ellipses(boxes: Tensor, size: Size) -> Tensor:
    """Fill boxes (N, 4) with ellipses, (N, H, W) bool."""
    y, x = (torch.arange(side) + 0.5 for side in size)
    centres, radii = (boxes[:, 2:] + boxes[:, :2]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    across = ((x - centres[:, :1]) / radii[:, :1]).square()[:, None]
    down = ((y - centres[:, 1:]) / radii[:, 1:]).square()[:, :, None]
    return across + down <= 1


def profile_case(step: Callable[[int], object], case: str, settings: BenchmarkSettings) -> None:
    """Write a profile into the file that the settings name, the case added to its name."""
    if settings.profile is not None:
        write_profile(step, settings.profile.with_stem(f"{settings.profile.stem}_{case}"), settings.device)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
