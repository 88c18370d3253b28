"""What has to be as it was when a run resumes, and what differs: data and batches are insisted on, the rest is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdet.config import RunConfig
from mmdet.errors import UserError, shown

BATCH_KEYS = ("batches_per_epoch", "accumulate", "pairs_a_batch")
SHOWN = 12  # differences
# Keys of a config that do not touch what is learned.
FREE_KEYS = (
    "work_dir",
    "custom_imports",
    "data.test",
    "data.valid",
    "data.train.workers",
    "data.train.max_bad_frames",
) + tuple(
    f"runtime.{name}"
    for name in ("log_every", "checkpoint_every", "checkpoint_every_steps", "validate_every", "keep_last", "keep_best")
)


def describe_run(config: RunConfig) -> dict[str, Any]:
    """Return the config's values and the fingerprints of what is trained on, as plain values."""
    values = config.source.to_dict()
    values["optimizer"] = config.optimizer  # with the learning rate that is used
    files = [Path(part["ann_file"]) for part in config.data.train.datasets if "ann_file" in part]
    return {
        "settings": json.loads(json.dumps(values, default=str)),
        "fingerprints": {str(path): fingerprint(path) for path in files if path.is_file()},
    }


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_batches(saved: Mapping[str, Any], now: Mapping[str, Any], source: Path) -> None:
    """Raise UserError unless an epoch is divided into the batches of the run so far."""
    if "step" not in saved:
        raise UserError(f"{source} holds no state of a training run; start from its weights by --load_from")
    for key in BATCH_KEYS:
        if saved.get(key, now[key]) != now[key]:
            raise UserError(
                f"{source} was trained with {key} {shown(saved[key])}, now it is {now[key]}: use the same data and the "
                "same product of processes and batch size, or start anew from its weights by --load_from"
            )


def check_data(saved: Mapping[str, Any], now: Mapping[str, Any], source: Path) -> None:
    """Raise UserError if an annotation file or its classes are not those of the run so far; the file may have moved."""
    before, after = (list(about.get("fingerprints", {}).items()) for about in (saved, now))
    for (old_path, old), (new_path, new) in zip(before, after, strict=False):
        if old != new:
            raise UserError(
                f"{new_path} is not what {source} was trained on ({old_path}, sha256 {shown(old[:12])}, now "
                f"{shown(new[:12])}): put the file back, or start anew from the weights by --load_from"
            )

    names = saved.get("class_names")
    if names is not None and list(names) != list(now.get("class_names", names)):
        raise UserError(
            f"{source} was trained for the classes {shown(list(names))}, now they are {shown(now['class_names'])}: use "
            "the same data, or start anew from the weights by --load_from"
        )


def differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines that say why the resumed run will not be the one that was interrupted, none if it will.

    saved and now are {"position": ..., "about": ...}.
    """
    processes = [state["position"].get("world_size") for state in (saved, now)]
    if processes[0] != processes[1]:
        yield (
            f"resumed with {processes[1]} processes instead of {processes[0]}: the same batches, but sums are rounded "
            "in another order, and parts of the model that draw draw anew"
        )
    abouts = saved.get("about", {}), now.get("about", {})
    settings = _changes(*(about.get("settings", {}) for about in abouts))
    if settings:
        yield f"resumed with another config, so the run will differ from the interrupted one: {_listed(settings)}"
    versions = _changes(*(about.get("environment", {}).get("versions", {}) for about in abouts))
    if versions:
        yield f"resumed with other versions, so last digits may differ: {_listed(versions)}"


def _changes(before: Any, after: Any) -> list[str]:
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
