"""ONNX: written through torch.export, run by ONNX Runtime on the CPU. Deformable convolution is `GridSample` there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnxscript import opset20 as op
from torch import Tensor

from mmdet.engine.exporting.job import ExportJob, Run
from mmdet.errors import UserError
from mmdet.fileio.atomic import write_atomically

OPSET = 20  # the first whose GridSample is that of torch
MOST_BYTES = 2**31 - 1  # of a file of ONNX


def write_onnx(job: ExportJob, path: Path) -> None:
    """Write the model and what is said about it to one file. Raises UserError if it is too large for one."""
    program: Any = torch.onnx.export(
        job.exported(),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=job.names(),
        custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
        verbose=False,
    )
    model = program.model_proto
    _tidy(model, job)
    for name, text in job.about.items():
        model.metadata_props.add(key=name, value=text)
    if model.ByteSize() > MOST_BYTES:
        raise UserError(f"{path}: {model.ByteSize():,} bytes are too many for one file of ONNX; use torch-export")
    onnx.checker.check_model(model)
    write_atomically(path, lambda file: file.write(model.SerializeToString()))


def load_onnx(path: Path, job: ExportJob) -> Run:
    """Return a program that runs the file with as many threads as torch has."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(images: Tensor) -> dict[str, Tensor]:
        arrays: list[np.ndarray] = session.run(names, {"images": images.numpy(force=True)})
        return {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}

    return run


def _stable_sort(values: Any, stable: bool = True, dim: int = -1, descending: bool = False) -> Any:
    """Sort by `TopK` of all: of equal values the one with the lower index comes first, as in a stable sort."""
    ops: Any = op  # its types are made for scripts
    count = ops.Slice(ops.Shape(values), ops.Constant(value_ints=[dim]), ops.Constant(value_ints=[dim + 1]))
    return ops.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


def _tidy(model: onnx.ModelProto, job: ExportJob) -> None:
    """Leave out the notes of the exporter, such as paths of this machine, and name the open number of frames."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
    del graph.value_info[:]
    if job.batch is None:
        for value in (*graph.input, *graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
