"""The folder of a run: made and checked before work starts, with what is needed to repeat the run.

It gets the resolved config and environment.json (command, git revision, versions). Knows nothing of training.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from mmdet.config import RunConfig
from mmdet.errors import UserError
from mmdet.fileio.atomic import write_text_atomically

PACKAGES = (
    "memcnp-vis",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "opencv-python-headless",
    "pycocotools",
    "mmengine-lite",
)


def prepare_work_dir(folder: Path, config: RunConfig) -> dict[str, Any]:
    """Make `folder`, write config and environment into it, and return them: {"environment": ..., "config": text}.

    Raises UserError if the folder cannot be made or written.
    """
    environment = describe_environment()
    text = config.source.pretty_text  # takes some tenths of a second
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        (folder / f"{config.name}.py").write_text(text)
        _write_environment(folder / "environment.json", environment)
    except OSError as error:
        raise UserError(f"work dir {folder} cannot be written: {error}; choose another by --work_dir") from error
    return {"environment": environment, "config": text}


def _write_environment(path: Path, environment: dict[str, Any]) -> None:
    """Write the environment of this start; under `earlier` it keeps those of the starts before."""
    earlier: list[dict[str, Any]] = []
    if path.is_file():
        with suppress(ValueError, AttributeError):
            last = json.loads(path.read_text())
            earlier = [*last.pop("earlier", []), last]
    text = json.dumps({**environment, **({"earlier": earlier} if earlier else {})}, indent=2) + "\n"
    write_text_atomically(path, text)


def describe_environment() -> dict[str, Any]:
    """Return command line, date, git revision, package versions and devices, as plain values."""
    return {
        "command": " ".join([Path(sys.executable).name, *sys.argv]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
        "git_revision": git_revision(),
        "versions": {"python": platform.python_version(), **_versions()},
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def git_revision() -> str | None:
    """Return the commit of the package's checkout, with "+" if files differ from it; None outside of a checkout."""
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(Path(__file__).parent), *command], capture_output=True, text=True, check=True
            ).stdout.strip()
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changes else "")


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
