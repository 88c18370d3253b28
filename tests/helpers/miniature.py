"""A training in miniature: model and data of a few numbers with the interfaces of the real ones, and a program."""

from __future__ import annotations

import math
import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import together
import torch
from torch import nn

from mmdet.config import EarlyStopSection, EmaSection, RuntimeSection, ScheduleSection
from mmdet.datasets.loader import make_train_loader
from mmdet.engine.checkpoints import file as checkpoint
from mmdet.engine.process import launch as launching
from mmdet.engine.process.arguments import CommandParser
from mmdet.engine.process.endings import RunEnded, end_of, run_command_line
from mmdet.engine.process.launch import launch
from mmdet.engine.process.processes import Ranks
from mmdet.engine.process.randomness import seed_everything
from mmdet.engine.process.signals import CAUGHT
from mmdet.engine.training.hooks.early_stop import EarlyStop
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.engine.training.run_about import RunAbout
from mmdet.engine.training.setup import TrainSetup
from mmdet.engine.training.trainer import Trainer
from mmdet.engine.training.validation import Validation
from mmdet.errors import FrameError, UserError
from mmdet.ops.collectives import sum_over_ranks
from mmdet.structures import ClipSample, FrameMeta, FrameTruth

ALONE = Ranks(rank=0, local_rank=0, world_size=1, device=torch.device("cpu"))


class TinyDataset:
    """Frames of noise, a function of (epoch, index) alone. `on_item(index)` is called where an item is made."""

    def __init__(self, length=12, on_item=None):
        self.aspect_groups = np.zeros(length, dtype=np.int64)
        self.on_item = on_item

    def epoch_items(self, epoch):
        return np.arange(len(self.aspect_groups))

    def __getitem__(self, key):
        if self.on_item:
            self.on_item(key.index)
        generator = torch.Generator().manual_seed(1000 * key.epoch + key.index)
        metas = [
            FrameMeta(video_id=key.index, frame_index=f, original_size=(4, 4), input_size=(4, 4), scale=1.0)
            for f in (0, 1)
        ]
        return ClipSample(
            images=torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8, generator=generator),
            truths=(FrameTruth.empty((4, 4)), FrameTruth.empty((4, 4))),
            metas=tuple(metas),
            reference_jitter=torch.zeros(0, 4),
        )


class TinyModel(nn.Module):
    """Regresses a frame's brightness. `after_loss(call)` is what happens in the course of a step: 1, 2, ..."""

    def __init__(self, dropout=0.0, after_loss=None):
        super().__init__()
        self.backbone = nn.Linear(3, 8)
        self.norm = nn.LayerNorm(8)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, 1)
        self.memory = nn.Parameter(torch.zeros(8))
        self.after_loss = after_loss or (lambda call: 1.0)
        self.calls = 0

    def forward(self, images, valid):
        pixels = images[:, 0, :, :4, :4].float().mean(dim=(2, 3)) / 255
        features = self.dropout(self.norm(self.backbone(pixels)))
        return features, self.head(features + self.memory)[:, 0]

    def loss(self, outputs, batch):
        self.calls += 1
        wanted = batch.images[:, 0, :, :4, :4].float().mean(dim=(1, 2, 3)) / 255
        error = (outputs[1].float() - wanted).square().mean()
        return {
            "loss_error": error * self.after_loss(self.calls),
            "loss_size": outputs[1].float().abs().mean(),
            "mean": wanted.mean(),
        }

    @torch.no_grad()
    def update_memory(self, outputs, batches, made):
        rows = torch.cat([features for features, _ in outputs]).float()
        mean = sum_over_ranks(rows.sum(dim=0)) / sum_over_ranks(rows.new_full((), len(rows)))
        self.memory.copy_(torch.where(made, 0.9 * self.memory + 0.1 * mean, self.memory))


def make_trainer(
    work_dir,
    *,
    ranks=ALONE,
    batch_size=2,
    length=12,
    epochs=2,
    steps=None,
    workers=0,
    dropout=0.0,
    after_loss=None,
    on_item=None,
    validate=None,
    optimizer=None,
    about=None,
    max_bad_frames=0,
    ema=None,
    schedule=None,
    hooks=(),
    **runtime,
):
    """Return a trainer of the tiny model."""
    seed_everything(0)
    model = TinyModel(dropout, after_loss).to(ranks.device)
    setup = TrainSetup(
        model=model,
        optimizer=build_optimizer(model, optimizer or {"type": "SGD", "lr": 0.05, "weight_decay": 1e-4}),
        loader=make_train_loader(
            TinyDataset(length, on_item), batch_size, workers, 0, ranks.rank, ranks.world_size, max_bad_frames
        ),
        schedule=ScheduleSection(
            epochs=epochs if steps is None else None,
            steps=steps,
            **{"warmup_steps": 3, "milestones": [1], **(schedule or {})},
        ),
        ema=ema and EmaSection(**ema),
        runtime=RuntimeSection(**{"grad_clip": 1.0, "log_every": 2, "cuda_graphs": False, **runtime}),
        ranks=ranks,
        work_dir=work_dir,
        about=about or RunAbout(class_names=("noise",)),
        max_bad_frames=max_bad_frames,
        hooks=hooks,
        validate=validate and (lambda model: as_validation(validate(model))),
    )
    return Trainer(setup)


def as_validation(found):
    """Return what a validation finds; tests may give figures alone."""
    return found if isinstance(found, Validation) else Validation(figures=found)


def at_call(number, here, action):
    """Return an `after_loss` that calls `action` once if it happens `here`."""
    return lambda call: action() if here and call == number else 1.0


def processes(ranks, args):
    """Train to the end; then with a loss that is not finite in process 1; then until a signal to process 1."""
    last = ranks.rank == 1
    for name, action in (("plain", None), ("nan", lambda: math.nan), ("signal", stop_this)):
        folder = args.work_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        trainer = make_trainer(folder, ranks=ranks, after_loss=at_call(2, last and action, action))
        try:
            trainer.run()
        except RunEnded as end:
            if not end.failed:
                raise
            (folder / f"error_{ranks.rank}.txt").write_text(str(end))


def failing(ranks, args):
    """Train until process 1 fails, in the way that `args.how` names, while process 0 waits for its gradient."""
    ways = {"bug": _raise_bug, "mistake": _raise_mistake, "killed": lambda: os.kill(os.getpid(), signal.SIGKILL)}
    make_trainer(args.work_dir, ranks=ranks, after_loss=at_call(2, ranks.rank == 1, ways[args.how])).run()


def damaged(*items):
    """Return an `on_item` for which the frames of `items` cannot be read."""

    def on_item(index):
        if index in items:
            raise FrameError(f"frame {index}.jpg is damaged")

    return on_item


def unreadable(ranks, folder):
    """Train until a frame of process 1 cannot be read; each notes how it ended and whether the checkpoint was there."""
    asked = []

    def on_item(index):
        asked.append(index)
        if ranks.rank == 1 and len(asked) > 4:  # of two batches
            damaged(index)(index)

    end = end_of(make_trainer(folder, ranks=ranks, on_item=on_item).run)
    (folder / f"end_{ranks.rank}.txt").write_text(f"{end.exit_code} {(folder / 'step_2.pth').is_file()} {end}")


def bereft(ranks, folder):
    """Train until process 1 is killed; process 0 writes what it ends with."""
    die = at_call(2, ranks.rank == 1, lambda: os.kill(os.getpid(), signal.SIGKILL))
    end = end_of(make_trainer(folder, ranks=ranks, after_loss=die).run)
    (folder / "end.txt").write_text(end.message)


def stopped(ranks, folder):
    """Train until a signal, with a disk that is slow; process 1 notes whether the checkpoint was there when it left."""
    if ranks.is_main:
        write = checkpoint.save_checkpoint
        checkpoint.save_checkpoint = lambda path, state: time.sleep(0.5) or write(path, state)
    action = at_call(2, ranks.rank == 1, stop_this)
    end = end_of(make_trainer(folder, ranks=ranks, after_loss=action).run)
    (folder / f"left_{ranks.rank}.txt").write_text(f"{end.exit_code} {(folder / 'step_2.pth').is_file()}")


class StopsAt:
    """A hook that stops a run after a step."""

    def __init__(self, step, reason):
        self.step, self.reason = step, reason

    def after_step(self, run, figures):
        if run.step == self.step:
            run.stop(self.reason)


def stopped_by_a_hook(ranks, folder):
    """Train until a hook of process 1 stops the run; note the last step."""
    hook = StopsAt(4 if ranks.rank == 1 else 10**6, f"enough of process {ranks.rank}")
    trainer = make_trainer(folder, ranks=ranks, hooks=[hook])
    trainer.run()
    (folder / f"step_{ranks.rank}.txt").write_text(str(trainer.step))


def stopped_early(ranks, folder):
    """Train with a validation whose figure never rises; note the last step."""
    hook = EarlyStop(EarlyStopSection(patience=2))
    trainer = make_trainer(folder, ranks=ranks, length=8, epochs=9, hooks=[hook], validate=lambda model: {"AP": 0.1})
    trainer.run()
    (folder / f"step_{ranks.rank}.txt").write_text(str(trainer.step))


def for_ever(ranks, args):
    """Train as long as nothing ends it."""
    make_trainer(args.work_dir, ranks=ranks, epochs=10**6, log_every=10**6, checkpoint_every=10**6).run()


def launch_for_ever(folder):
    """Launch two processes that train for ever; forked, as this process has done nothing yet."""
    together.on_the_cpu()
    _fork_processes()
    launching.launch(for_ever, 2, "none", Namespace(work_dir=folder))


def heed_signals():
    """Heed signals as a process started from a terminal does, whatever this one was started from."""
    for number in CAUGHT:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def in_a_group(folder, number, workers, count):
    """Train in a process group that gets a signal as a whole in the second step, as by Slurm or a terminal."""
    os.setsid()
    heed_signals()
    together.on_the_cpu()
    _fork_processes()
    args = Namespace(work_dir=folder, number=number, workers=workers)
    run_command_line(lambda: launch(group_member, count, "none", args))


def stop_this():
    os.kill(os.getpid(), signal.SIGTERM)
    return 1.0


def group_member(ranks, args):
    def stop_all():
        # from elsewhere: what its parent sends a worker obeys
        command = ["kill", f"-{args.number:d}", "--", f"-{os.getpgrp()}"]
        subprocess.run(command, check=True, start_new_session=True)
        time.sleep(0.2)  # time to hear of a worker that has died
        return 1.0

    action = at_call(2, ranks.rank == 0, stop_all)
    make_trainer(args.work_dir, ranks=ranks, workers=args.workers, batch_size=1, after_loss=action).run()


def watch_a_terminal_close(folder):
    """Train on a terminal that is closed in the second step; note how it ended."""
    child, terminal = pty.fork()
    if child == 0:
        sys.stdout, sys.stderr = (open(number, "w", buffering=1) for number in (1, 2))  # noqa: SIM115
        heed_signals()
        together.on_the_cpu()
        action = at_call(2, True, lambda: (folder / "in_step").touch() or time.sleep(0.5) or 1.0)
        try:
            run_command_line(make_trainer(folder, after_loss=action).run)
        except SystemExit as end:
            os._exit(end.code)
    while not (folder / "in_step").exists():
        time.sleep(0.01)
    os.close(terminal)
    (folder / "code").write_text(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))


def told_to_nobody(folder):
    """Train with a stderr whose reader has gone until a signal."""
    heed_signals()
    together.on_the_cpu()
    reader, writer = os.pipe()
    os.close(reader)
    sys.stderr = open(writer, "w", buffering=1)  # noqa: SIM115
    run_command_line(make_trainer(folder, log_every=1, after_loss=at_call(2, True, stop_this)).run)


def _fork_processes():
    """Let `launch` fork its processes, as this one has done nothing yet: nothing has to be imported again."""
    launching.multiprocessing.get_context = lambda method: multiprocessing.get_context("fork")
    launching.available_cores = lambda: 2


def _raise_bug():
    raise ValueError("a bug in process 1")


def _raise_mistake():
    raise UserError("frame 7.jpg is damaged")


def run():
    parser = CommandParser("Train the tiny model.")
    parser.add_option("work_dir", type=Path)
    args = parser.parse_args()
    launch(processes, 2, "none", args)


if __name__ == "__main__":
    run_command_line(run)
