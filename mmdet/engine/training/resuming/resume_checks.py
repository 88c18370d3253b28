"""Checks when a run resumes: data and batches must be the same; other differences are reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdet.engine.training.plan import Position
from mmdet.engine.training.run_about import RunAbout
from mmdet.errors import UserError, shown

BATCH_KEYS = ("batches_per_epoch", "accumulate", "pairs_a_batch")
SHOWN = 12  # differences
# Keys of a config that do not affect the trained model.
FREE_KEYS = (
    "work_dir",
    "custom_imports",
    "data.test",
    "data.valid",
    "data.train.workers",
    "data.train.max_bad_frames",
) + tuple(
    f"runtime.{name}"
    for name in (
        "log_every",
        "loggers",
        "checkpoint_every",
        "checkpoint_every_steps",
        "validate_every",
        "early_stop",
        "shown_videos",
        "keep_last",
        "keep_best",
    )
)


def check_batches(saved: Position, now: Position, source: Path) -> None:
    """Raise UserError unless epochs and steps have the same batches as in the run so far."""
    for key in BATCH_KEYS:
        before, after = getattr(saved, key), getattr(now, key)
        if before not in (None, after):
            raise UserError(
                f"{source} was trained with {key} {shown(before)}, now it is {after}: use the same data and the "
                "same product of processes and batch size, or start anew from its weights by --load_from"
            )


def check_data(saved: RunAbout, now: RunAbout, source: Path) -> None:
    """Raise UserError if an annotation file or its classes differ from those of the run so far.

    The file may have moved.
    """
    pairs = zip(saved.fingerprints.items(), now.fingerprints.items(), strict=False)
    for (old_path, old), (new_path, new) in pairs:
        if old != new:
            raise UserError(
                f"{new_path} is not what {source} was trained on ({old_path}, sha256 {shown(old[:12])}, now "
                f"{shown(new[:12])}): put the file back, or start anew from the weights by --load_from"
            )
    if saved.class_names and now.class_names and saved.class_names != now.class_names:
        raise UserError(
            f"{source} was trained for the classes {shown(list(saved.class_names))}, now they are "
            f"{shown(list(now.class_names))}: use the same data, or start anew from the weights by --load_from"
        )


def differences(saved: RunAbout, now: RunAbout, processes_before: int | None, processes: int) -> Iterator[str]:
    """Yield lines that say why the resumed run will differ from the interrupted one, none if it will not."""
    if processes_before not in (None, processes):
        yield (
            f"resumed with {processes} processes instead of {processes_before}: the same batches, but sums are rounded "
            "in another order, and parts of the model that draw draw anew"
        )
    settings = _changes(saved.settings, now.settings)
    if settings:
        yield f"resumed with another config, so the run will differ from the interrupted one: {_listed(settings)}"
    versions = _changes(saved.environment.versions, now.environment.versions)
    if versions:
        yield f"resumed with other versions, so last digits may differ: {_listed(versions)}"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if not before or not after:
        return []
    old, new = dict(_flat(before)), dict(_flat(after))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return [
        f"{key} {old.get(key)} -> {new.get(key)}"
        for key in keys
        if not any(key == free or key.startswith(f"{free}.") for free in FREE_KEYS)
    ]


def _flat(values: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys and values of nested dicts and lists."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        inner = f"{where}.{key}" if where else str(key)
        if isinstance(value, (dict, list)) and value:
            yield from _flat(value, inner)
        else:
            yield inner, value


def _listed(lines: list[str]) -> str:
    return "; ".join(lines[:SHOWN]) + (f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else "")
