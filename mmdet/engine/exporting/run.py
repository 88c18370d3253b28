"""Export a model: read it, write every format, compare each with PyTorch, and say what was done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from mmdet.config import load_config
from mmdet.engine.exporting.about import describe, resized_to
from mmdet.engine.exporting.comparing import TOLERANCE, differences, times_ms
from mmdet.engine.exporting.deployed import DeployedModel
from mmdet.engine.exporting.job import ExportJob, Format, Run
from mmdet.engine.exporting.options import ExportOptions
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.process.devices import chosen_device, limit_threads
from mmdet.engine.process.precision import float32_products

Say = Callable[[str], object]
MIB = 2**20


def export(options: ExportOptions, say: Say) -> dict[str, Path]:
    """Write the files that the options name and return them by format. Raises UserError before anything is written."""
    targets = options.targets()
    job = make_job(options, say)
    programs: dict[str, Run] = {"pytorch": job.run}
    for name, path in targets.items():
        kind = format_of(name)
        kind.write(job, path)
        programs[name] = kind.load(path, job)
        say(f"{path}: {name}, {path.stat().st_size / MIB:.1f} MiB; {_compared(job, programs[name])}")
    if options.time:
        _say_times(job, programs, say)
    return targets


def make_job(options: ExportOptions, say: Say) -> ExportJob:
    """Build the model with its weights on the device."""
    device = chosen_device(options.device)
    config = load_config(options.config, options.cfg_options)
    limit_threads(device)
    for name in ("torch.onnx", "torch.utils.cpp_extension"):  # their warnings are of no use
        logging.getLogger(name).setLevel(logging.ERROR)
    predictor = VideoPredictor.from_checkpoint(
        config, options.checkpoint, device, trusted=options.trust_checkpoint, say=say, ema=not options.no_ema
    )
    deployed = DeployedModel(predictor.model, options.size, options.masks).eval()
    for line in resized_to(options.size, config):
        say(line)
    return ExportJob(deployed=deployed, batch=options.batch, about=describe(predictor, deployed, config), device=device)


def format_of(name: str) -> Format:
    """Return a format by its name. Imports what only this one needs."""
    if name == "onnx":
        from mmdet.engine.exporting import onnx_format

        return Format(write=onnx_format.write_onnx, load=onnx_format.load_onnx)
    from mmdet.engine.exporting import torch_formats as torches

    return {
        "torch-export": Format(write=torches.write_graph, load=torches.load_graph),
        "aoti": Format(write=torches.write_compiled, load=torches.load_compiled),
        "torchscript": Format(write=torches.write_trace, load=torches.load_trace),
    }[name]


def _compared(job: ExportJob, run: Run) -> str:
    """Return a sentence about the outputs for made-up frames."""
    images = job.frames()
    with float32_products(exact=True):
        found = differences(job.run(images), run(images))
    worst = max(found, key=lambda one: one.share)
    said = f"differs from PyTorch by at most {worst.share:.1e} of an output's largest number ({worst.name})"
    return said if worst.is_small else f"{said}: MORE THAN {TOLERANCE:.0e}, check it before you use it"


def _say_times(job: ExportJob, programs: Mapping[str, Run], say: Say) -> None:
    with float32_products(exact=True):
        times = times_ms(programs, job)
    say(f"{'':14}{'ms':>9}{'of PyTorch':>12}   {job.batch or 1} frame(s) a call on {job.device}")
    for name, time_ms in times.items():
        say(f"{name:14}{time_ms:9.1f}{time_ms / times['pytorch']:12.2f}")
