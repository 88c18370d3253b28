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
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from mmdet.config import RunConfig, UserError

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
    """Make `folder`, write config and environment into it, and return the environment.

    Raises UserError if the folder cannot be made or written.
    """
    environment = describe_environment()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        config.source.dump(str(folder / f"{config.name}.py"))
        (folder / "environment.json").write_text(json.dumps(environment, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"work dir {folder} cannot be written: {error}; choose another by --work_dir") from error
    return environment


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
