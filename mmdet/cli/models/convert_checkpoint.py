"""Write the weights of a checkpoint under this package's names: %(prog)s IN OUT.

IN is a checkpoint of a published release (MemCNP-VIS, SipMask-VIS, MaskTrack R-CNN, FCOS of mmdetection) or of a run of
this package, with or without the state of an optimiser. OUT holds only {"model": weights}, their moving average if IN
has one, and, if IN has them, {"about": {"class_names": ...}} and the "score_threshold" of its validation. It is written
atomically.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdet.engine.process.arguments import CommandParser
from mmdet.fileio.overwriting import check_output_files

if TYPE_CHECKING:
    from torch import Tensor

NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked")  # buffers of batch norms that are not parameters


def count_parameters(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the number of parameters of every part of the model (backbone, neck, head)."""
    counts: dict[str, int] = {}
    for name, value in weights.items():
        part = name.split(".")[0]
        counts[part] = counts.get(part, 0) + (0 if name.endswith(NO_PARAMETERS) else value.numel())
    return counts


def main() -> None:
    """Read, write and report."""
    parser = CommandParser(description="Write the weights of a checkpoint under this package's names.")
    parser.add_argument("source", metavar="IN")
    parser.add_argument("target", metavar="OUT", type=Path)
    parser.add_switch("trust_checkpoint", "load any object from IN: only if you know where it comes from")
    parser.add_switch("no_ema", "write the weights of the last step instead of their moving average")
    args = parser.parse_args()
    check_output_files({"OUT": args.target}, [args.source])
    from mmdet.engine.checkpoints.file import save_checkpoint  # here, as --help needs no torch
    from mmdet.engine.checkpoints.weights import read_weights

    weights = read_weights(args.source, args.trust_checkpoint, not args.no_ema)
    content: dict[str, Any] = {"model": weights.tensors}
    if weights.class_names:
        content["about"] = {"class_names": list(weights.class_names)}
    if weights.score_threshold is not None:
        content["score_threshold"] = weights.score_threshold
    save_checkpoint(args.target, content)
    counts = count_parameters(weights.tensors)
    parts = ", ".join(f"{part} {count:,}" for part, count in counts.items())
    print(weights.origin)
    print(f"{args.target}: {len(weights.tensors)} tensors, {sum(counts.values()):,} parameters ({parts})")
