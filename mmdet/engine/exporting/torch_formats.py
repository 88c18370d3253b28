"""The formats of torch: a graph of torch.export, a library compiled by AOTInductor, a trace of TorchScript."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from mmdet.engine.exporting.job import ExportJob, Run
from mmdet.errors import UserError
from mmdet.fileio.atomic import write_atomically

ABOUT = "about.json"  # the entry of a file that says what it is


def write_graph(job: ExportJob, path: Path) -> None:
    """Write a graph of torch.export."""
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one tensor is a view of another
        torch.export.save(job.exported(), held, extra_files={ABOUT: json.dumps(dict(job.about))})
    write_atomically(path, lambda file: file.write(held.getbuffer()))


def load_graph(path: Path, job: ExportJob) -> Run:
    """Return a program that runs the graph."""
    run: Run = torch.no_grad()(torch.export.load(path).module())
    return run


def write_compiled(job: ExportJob, path: Path) -> None:
    """Write a library for the job's device. Raises UserError where no compiler is found."""
    from torch._inductor.exc import InvalidCxxCompiler

    with TemporaryDirectory() as folder:
        made = Path(folder) / "model.pt2"
        try:
            torch._inductor.aoti_compile_and_package(
                job.exported(),
                package_path=str(made),
                inductor_configs={"aot_inductor.metadata": dict(job.about)},
            )
        except InvalidCxxCompiler as error:
            raise UserError("--format aoti needs a C++ compiler: install g++, or name one in CXX") from error
        write_atomically(path, lambda file: file.write(made.read_bytes()))


def load_compiled(path: Path, job: ExportJob) -> Run:
    """Return a program that runs the library."""
    run: Run = torch._inductor.aoti_load_package(str(path))
    return run


def write_trace(job: ExportJob, path: Path) -> None:
    """Write a trace of TorchScript."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that TorchScript is no longer developed, and that sizes are fixed
        traced = torch.jit.trace(job.deployed, (job.frames(),), strict=False, check_trace=False)
        held = io.BytesIO()
        torch.jit.save(traced, held, _extra_files={ABOUT: json.dumps(dict(job.about))})
    write_atomically(path, lambda file: file.write(held.getbuffer()))


def load_trace(path: Path, job: ExportJob) -> Run:
    """Return a program that runs the trace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.load(str(path), map_location=job.device)

    def run(images: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            named: dict[str, Tensor] = traced(images)
        return named

    return run
