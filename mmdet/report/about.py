"""How a model's results were made: config, weights, versions, and the commands that repeat it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

LONGEST_TEXT = 2000  # characters of one line
_DISTRIBUTION = "memcnp-vis"
_ENVIRONMENT, _CONFIG = "environment.json", "resolved_config.py"  # what a run leaves in its work dir


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page says of the making of some results."""

    lines: tuple[tuple[str, str], ...] = ()  # label, text
    commands: tuple[str, ...] = ()


def about_results(path: str | Path | None, info: Mapping[str, Any], work_dir: Path | None) -> About:
    """Return what is known of results.

    `path`: their file, if there is one
    `info`: what their file says itself
    `work_dir`: of the training, if it is known
    """
    lines = [("results", str(path))] if path else []
    lines += [(str(key).replace("_", " "), _text(value)) for key, value in info.items() if _says_something(value)]
    commands: list[str] = []
    if work_dir is not None:
        environment = _environment(work_dir)
        lines += [("work dir", str(work_dir))]
        lines += [("config", str(work_dir / _CONFIG))] if (work_dir / _CONFIG).is_file() else []
        lines += [
            (f"training: {label}", _text(environment[key]))
            for key, label in (("started", "started"), ("git_revision", "revision"), ("gpus", "GPUs"))
            if environment.get(key)
        ]
        lines += [("training: versions", _text(environment["versions"]))] if environment.get("versions") else []
        commands += [environment["command"]] if isinstance(environment.get("command"), str) else []
    return About(lines=tuple((label, text[:LONGEST_TEXT]) for label, text in lines), commands=tuple(commands))


def made_now() -> str:
    """Return date and version, for the foot of the page."""
    with suppress(metadata.PackageNotFoundError):
        return f"{time.strftime('%Y-%m-%d %H:%M')}, {_DISTRIBUTION} {metadata.version(_DISTRIBUTION)}"
    return time.strftime("%Y-%m-%d %H:%M")


def _environment(work_dir: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads((work_dir / _ENVIRONMENT).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def _says_something(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value != {} and value != ()


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(part)}" for key, part in value.items() if _says_something(part))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value))
    return str(value)
