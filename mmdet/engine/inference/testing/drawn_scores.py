"""The score from which on a test draws tracks: the one asked for, else that of the best F1, else a default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mmdet.datasets import VISDataset
from mmdet.engine.inference.testing.options import InferenceOptions
from mmdet.evaluation.ap.thresholds import score_curve
from mmdet.fileio.annotations.raw_json import load_ground_truth

DEFAULT = 0.2

Say = Callable[[str], object]


def with_threshold(options: InferenceOptions, of_checkpoint: float | None, say: Say) -> InferenceOptions:
    """Return the options with a threshold. `say` gets the line that tells which one and where it comes from."""
    if not options.show:
        return options
    if of_checkpoint is None:
        lack = f"{options.checkpoint} names none; training with --validate finds one"
        return _settled(options, DEFAULT, f"the default ({lack})", say)
    return _settled(options, of_checkpoint, f"that of the best F1 when {options.checkpoint} was validated", say)


def with_threshold_of_results(
    options: InferenceOptions, entries: Sequence[dict[str, Any]], dataset: VISDataset, say: Say
) -> InferenceOptions:
    """Return the options with a threshold that suits loaded results, found by the truth if there is one."""
    if options.threshold is None and dataset.has_annotations:
        best = score_curve(load_ground_truth(dataset.ann_file), list(entries)).best
        if best is not None:
            return _settled(options, best, "that of the best F1 of these results", say)
    return _settled(options, DEFAULT, f"the default (there is no better one by {dataset.ann_file})", say)


def _settled(options: InferenceOptions, threshold: float, source: str, say: Say) -> InferenceOptions:
    if options.threshold is not None:
        threshold, source = options.threshold, "given by --thresh"
    say(f"tracks with a score of at least {threshold:.3g} are drawn: {source}")
    return replace(options, threshold=threshold)
