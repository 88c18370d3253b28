"""What a checkpoint says of its model beside the weights: classes, score threshold, and their moving average."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from mmdet.errors import UserError, shown

Value = TypeVar("Value")


def average_of(checkpoint: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the moving average that a run of this package has saved beside its weights, None if there is none."""
    weights, average = checkpoint.get("model"), checkpoint.get("ema")
    if not (isinstance(weights, Mapping) and isinstance(average, Mapping)) or average.keys() != weights.keys():
        return None
    return average


def named_by_label(checkpoint: Mapping[str, Any], key: str, kind: type[Value]) -> tuple[Value, ...] | None:
    """Return what a checkpoint's run says of its classes, in the order of labels; None where it does not."""
    about = checkpoint.get("about")
    values = about.get(key) if isinstance(about, Mapping) else None
    if not isinstance(values, list | tuple) or not all(type(value) is kind for value in values):
        return None
    return tuple(values) or None


def score_threshold(checkpoint: Mapping[str, Any], source: str | Path) -> float | None:
    """Return the score of the best F1 over tracks at validation. Raises UserError if it is no number."""
    threshold = checkpoint.get("score_threshold")
    if not is_threshold(threshold):
        raise UserError(
            f"{source}: score_threshold is {shown(threshold)}, expected a finite number or None: write the checkpoint "
            "again, or remove the key"
        )
    return None if threshold is None else float(threshold)


def is_threshold(value: Any) -> bool:
    """Return whether a checkpoint may name this as its score threshold; None: it names none."""
    return value is None or (type(value) in (int, float) and math.isfinite(value))
