"""The real model and the real trainer at their smallest, on clips whose truth is as awkward as it comes; a program."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from small_model import small_model, small_plus_model, small_two_stage_model

from mmdet.config import EmaSection, RuntimeSection, ScheduleSection
from mmdet.datasets.loader import make_train_loader
from mmdet.engine.process.processes import Ranks, connect
from mmdet.engine.process.randomness import compute_deterministically, seed_everything
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.engine.training.run_about import RunAbout
from mmdet.engine.training.setup import TrainSetup
from mmdet.engine.training.steps import cuda_graphs as training_graphs
from mmdet.engine.training.steps.cuda_graphs import LossGraph, NetworkGraph, TrainingGraphs
from mmdet.engine.training.trainer import Trainer
from mmdet.registry import MODELS
from mmdet.structures import ClipSample, FrameMeta, FrameTruth

ALONE = Ranks(rank=0, local_rank=0, world_size=1, device=torch.device("cpu"))
SIZE = (64, 96)
MEMORY = {"type": "CNPMemory", "num_slots": 6}
PARTS = {
    "published": {"type": "VISModel", **small_model(max_per_image=5)},
    "plus": {"type": "PlusModel", **small_plus_model(head={"memory": MEMORY}, max_per_image=5)},
    "two_stage": {"type": "TwoStageModel", **small_two_stage_model(max_per_image=5)},
}
# so many slots that every box is sampled, and none by chance
PARTS["two_stage"]["criterion"] = {
    "type": "TwoStageCriterion",
    "anchor_sampler": {"type": "RandomSampler", "num": 3000, "positive_fraction": 0.5},
    "region_sampler": {"type": "RandomSampler", "num": 60, "positive_fraction": 0.5},
}
PARTS["sipmask_vis"] = {
    "type": "VISModel",
    "backbone": PARTS["published"]["backbone"],
    "neck": {"type": "FPN", "channels": 16, "extra": "two"},
    "head": {"type": "SipMaskVISHead", "num_classes": 3, "norm_groups": 4, "num_bases": 4, "fused_channels": 8},
    "criterion": {"type": "SipMaskVISCriterion", "assigner": {"type": "RangeAssigner"}},
    "postprocess": {"type": "SipMaskPostProcess", "max_per_image": 5},
}
BACKBONE = PARTS["published"]["backbone"]
MODEL = {name: part for name, part in PARTS["published"].items() if name not in ("type", "backbone")}
NUM_OBJECTS = (3, 0, 1, 2, 0, 1, 4, 0)  # of item after item; item 4 shows crowds only
CROWDS_ONLY = 4


class AwkwardDataset:
    """Eight pairs of frames of one size: with several objects, with one, with none, with nothing but crowds."""

    aspect_groups = np.zeros(len(NUM_OBJECTS), dtype=np.int64)

    def epoch_items(self, epoch):
        return np.arange(len(NUM_OBJECTS))

    def __getitem__(self, key):
        generator = torch.Generator().manual_seed(100 * key.epoch + key.index)
        truths = tuple(self._truth(key.index, generator) for _ in range(2))
        metas = tuple(
            FrameMeta(video_id=key.index, frame_index=frame, original_size=SIZE, input_size=SIZE, scale=1.0)
            for frame in range(2)
        )
        return ClipSample(
            images=torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8, generator=generator),
            truths=truths,
            metas=metas,
            reference_jitter=0.05 * torch.rand(len(truths[1]), 4, generator=generator),
            whole_masks=True,
        )

    def _truth(self, index, generator):
        crowd = index == CROWDS_ONLY
        count = 2 if crowd else NUM_OBJECTS[index]
        corner = torch.rand(count, 2, generator=generator) * torch.tensor([48.0, 24.0])
        boxes = torch.cat([corner, corner + 16 + 24 * torch.rand(count, 2, generator=generator)], dim=1).round()
        masks = torch.zeros(count, *SIZE, dtype=torch.bool)
        for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
            mask[top:bottom, left:right] = True
        return FrameTruth(
            boxes=boxes,
            labels=torch.arange(count) % 3,
            masks=masks,
            instance_ids=torch.arange(count),
            is_crowd=torch.full((count,), crowd),
        )


def make_trainer(
    folder, ranks=ALONE, batch_size=2, backbone=BACKBONE, workers=0, epochs=2, model="published", ema=None, **runtime
):
    """Return a trainer of one of the tiny models, `batch_size` pairs a process."""
    folder.mkdir(parents=True, exist_ok=True)
    seed_everything(0)
    model = MODELS.build({**PARTS[model], "backbone": dict(backbone)}).to(ranks.device)
    setup = TrainSetup(
        model=model,
        optimizer=build_optimizer(model, {"type": "SGD", "lr": 0.02, "weight_decay": 1e-4}),
        loader=make_train_loader(AwkwardDataset(), batch_size, workers, 0, ranks.rank, ranks.world_size),
        schedule=ScheduleSection(epochs=epochs, warmup_steps=2, warmup_ratio=0.5),
        ema=ema and EmaSection(**ema),
        runtime=RuntimeSection(**{"grad_clip": 35.0, "log_every": 1, "checkpoint_every": 9, **runtime}),
        ranks=ranks,
        work_dir=folder,
        about=RunAbout(),
    )
    return Trainer(setup)


class PretendedGraph(NetworkGraph):
    """Stands for a network's CUDA graph on the CPU: what would be replayed runs again."""

    def __init__(self, model, images, valid, dtype, space):
        self.model, self.loss_graphs, self.loss_sizes = model, {}, set()
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def forward(self, images, valid):
        outputs = self.model(images, valid)
        tensors = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
        names = [name for name, value in tensors.items() if isinstance(value, torch.Tensor) and value.requires_grad]
        self._computed = [tensors[name] for name in names]
        self.leaves = [tensor.detach().requires_grad_() for tensor in self._computed]
        self._output_grads = [torch.full_like(tensor, torch.nan) for tensor in self._computed]
        self.outputs = replace(outputs, **dict(zip(names, self.leaves, strict=True)))

    def backward(self):
        grads = torch.autograd.grad(self._computed, self._parameters, self._output_grads, allow_unused=True)
        for parameter, grad in zip(self._parameters, grads, strict=True):
            parameter.grad = grad


class PretendedLosses(LossGraph):
    """Stands for a CUDA graph of losses on the CPU: `replay` computes them again, from the truth that it was given."""

    def __init__(self, network, weigh, batch, space):
        self._truth = batch.truth_of_pairs.map_tensors(torch.zeros_like)
        self._losses = {}

        def launch():
            losses, total = weigh(network.outputs, replace(batch, truth=self._truth))
            network.learn(total)
            self._losses.update(losses)

        self._graph = SimpleNamespace(replay=launch)


def pretend_graphs(trainer, with_losses=False):
    """Let a trainer on the CPU make its steps the way of CUDA graphs."""
    training_graphs.NetworkGraph, training_graphs.LossGraph = PretendedGraph, PretendedLosses
    training_graphs.CaptureSpace = lambda: None
    step = trainer.make_step
    step.network, step.graphs = step.model, TrainingGraphs(step.model, torch.float32, step._weigh, with_losses)


def train_rank(ranks, folder, runtime):
    """Train in one of several processes, and save what it ends with."""
    runtime = dict(runtime)
    pretended = runtime.pop("pretended_graphs", False)
    trainer = make_trainer(folder / "work", ranks, batch_size=1, **runtime)
    if pretended:
        pretend_graphs(trainer)
    assert not getattr(trainer.make_step.network, "find_unused_parameters", False)
    trainer.run()
    save(trainer, folder / f"rank_{ranks.rank}.pt")


def train_alone(ranks, folder, runtime):
    """Train in one process on the doubled batch, and save what it starts and ends with."""
    runtime = {key: value for key, value in runtime.items() if key != "pretended_graphs"}
    trainer = make_trainer(folder / "one", ranks, batch_size=2, **runtime)
    save(trainer, folder / "start.pt")
    trainer.run()
    assert trainer.step == 8 // runtime.get("accumulate", 1)
    save(trainer, folder / "end.pt")


def save(trainer, path):
    """Save the parameters, and their average where there is one."""
    values = dict(trainer.model.state_dict())
    if trainer.average is not None:
        values |= {f"average.{name}": value for name, value in trainer.average.model.state_dict().items()}
    torch.save({name: value.cpu() for name, value in values.items()}, path)


def train_twice(folder):
    """Train two times alike under deterministic algorithms, on the GPU where there is one, and save both ends."""
    compute_deterministically()
    ranks = connect(0, 0, 1)
    resnet = {"type": "TimmBackbone", "name": "resnet10t", "frozen_bn": True}
    runs = {
        "vit": {"backbone": BACKBONE, "amp": "bf16"},
        "resnet": {"backbone": resnet, "amp": "off"},
        "plus": {"model": "plus", "amp": "bf16"},
    }
    for name, settings in runs.items():
        for turn in range(2):
            trainer = make_trainer(folder / f"work_{name}_{turn}", ranks, **settings)
            trainer.run()
            torch.save(trainer.model.state_dict(), folder / f"{name}_{turn}.pt")


if __name__ == "__main__":
    train_twice(Path(sys.argv[1]))
