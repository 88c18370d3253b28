"""What the json of a source says about its making, and whether an earlier run has made the same already."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import mmdet
from mmdet.engine.inference.predicting.names import files_of, identity_of, record_path
from mmdet.fileio.results.predictions import read_info
from mmdet.fileio.sources.source import Source

_COMPARED = ("source", "source_state", "config", "config_hash", "checkpoint_sha256", "threshold")
_STATE_DIGITS = 16


def info_of(source: Source, model: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the `info` of the json: the source, the model and the options. What is known at the end is added then."""
    return {
        "source": identity_of(source),
        "source_state": state_of(source),
        "version": mmdet.__version__,
        "date": now(),
        **model,
        "options": options,
    }


def now() -> str:
    """Return the date and time, with the zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def is_finished(out: Path, name: str, info: dict[str, Any]) -> bool:
    """Return whether an earlier run has completed the same source with the same model and options."""
    old = read_info(record_path(out, name))
    if old is None or not old.get("complete") or any(old.get(key) != info[key] for key in _COMPARED):
        return False
    ours, theirs = dict(info["options"]), dict(old.get("options") or {})
    wanted, made = set(ours.pop("save")), set(theirs.pop("save", ()))
    return ours == theirs and wanted <= made and all((out / file).exists() for file in files_of(old))


def state_of(source: Source) -> str | None:
    """Return a text that changes when the files of a source do; None for a live one. Reads no content."""
    if source.path is None:
        return None
    paths = [*source.images] or ([*source.path.iterdir()] if source.path.is_dir() else [source.path])
    entries = [(path.name, status.st_size, status.st_mtime_ns) for path in paths for status in [os.stat(path)]]
    return hashlib.sha256(repr(sorted(entries)).encode()).hexdigest()[:_STATE_DIGITS]
