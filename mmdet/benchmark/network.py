"""Speed of the network alone: whole training steps and the forward pass, on made-up batches.

The work of a step depends on sizes and on the number of objects, not on what the pictures show.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmdet.benchmark.made_up_batch import synthetic_batch
from mmdet.benchmark.profile import profile_case
from mmdet.benchmark.report import Case
from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.benchmark.timing import MS, Spread, forget_peak_memory, peak_memory, time_steps
from mmdet.config import RunConfig
from mmdet.engine.checkpoints.weights import load_weights, read_weights
from mmdet.engine.process.devices import limit_threads, place_model
from mmdet.engine.process.precision import float32_products, reduced_type
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.randomness import compute_deterministically, seed_everything
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.engine.training.optimization.schedule import learning_rate_factor
from mmdet.engine.training.steps.compiling import compile_parts
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.models.build import build_model
from mmdet.models.detectors.vis_model import VISModel
from mmdet.structures import Size

SIZES = ((480, 864), (384, 640))  # of the published recipe: the largest input, and one from the middle of its range
OBJECTS = 4
ROTATION = 4  # batches used in rotation
_NOTE = "step_ms: from the end of one step to the end of the next, on a GPU by its clock; host: until it could go on"


def measure_training(config: RunConfig, settings: BenchmarkSettings) -> list[Case]:
    """Time whole steps, from batches in page-locked memory to the written memory, at every size."""
    return [_measure_training_at(size, config, settings) for size in settings.sizes or SIZES]


def _measure_training_at(size: Size, config: RunConfig, settings: BenchmarkSettings) -> Case:
    forget_peak_memory(settings.device)
    step = make_train_step(config, settings)
    pairs = settings.batch_size or config.data.train.batch_size
    objects = OBJECTS if settings.objects is None else settings.objects
    classes, whole = step.model.num_classes, bool(getattr(step.model, "learns_whole_masks", False))
    batches = [synthetic_batch(size, pairs, objects, classes, settings.seed + i, whole) for i in range(ROTATION)]
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
    name = (
        f"training step, {pairs} pairs of {size[0]}x{size[1]}, {objects} objects per frame, {_dtype_name(step.dtype)}"
    )
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
    name = f"forward pass, {count} frames of {size[0]}x{size[1]}, {_dtype_name(dtype or torch.float32)}"
    return Case(name=name, figures=figures, notes=(_NOTE,))


def make_train_step(config: RunConfig, settings: BenchmarkSettings) -> TrainStep:
    """Build model and optimiser as in training, at the learning rate of the first step: weights hardly change."""
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
    """Return the autocast type of testing, None without autocast: on the CPU and with amp off."""
    return reduced_type(settings.amp or "off", settings.device)


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def prepare_model(config: RunConfig, settings: BenchmarkSettings) -> VISModel:
    """Build the model on its device with the checkpoint's weights, or with random ones that the seed decides."""
    limit_threads(settings.device)
    seed_everything(settings.seed)
    model = build_model(config)
    if settings.checkpoint is not None:
        load_weights(model, read_weights(settings.checkpoint), None)
    return place_model(model, settings.device)
