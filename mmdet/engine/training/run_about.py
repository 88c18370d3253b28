"""Information about a run: stored in its checkpoints and in environment.json, and compared when it resumes."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from mmdet.config import RunConfig
from mmdet.engine.process.terminal import this_command
from mmdet.errors import shown

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The place, time and command with which a run was started."""

    command: str = ""
    started: str = ""  # local time
    git_revision: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)  # by package
    gpus: tuple[str, ...] = ()  # names

    def to_plain(self) -> dict[str, Any]:
        """Return plain values for json and checkpoints."""
        return {**asdict(self), "versions": dict(self.versions), "gpus": list(self.gpus)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAbout:
    """A run's config, data and environment. Values are empty if a checkpoint lacks them."""

    class_names: tuple[str, ...] = ()  # by label
    category_ids: tuple[int, ...] = ()  # of the training data, by label
    settings: Mapping[str, Any] = field(default_factory=dict)  # the config's values, nested as in its file
    fingerprints: Mapping[str, str] = field(default_factory=dict)  # path of an annotation file -> SHA-256
    config: str = ""  # the resolved config as text
    environment: Environment = Environment()

    def to_plain(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {
            "environment": self.environment.to_plain(),
            "config": self.config,
            "settings": dict(self.settings),
            "fingerprints": dict(self.fingerprints),
            "class_names": list(self.class_names),
            "category_ids": list(self.category_ids),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> RunAbout:
        """Read plain values of a checkpoint. Of the environment only versions are read. Raises TypeError."""
        environment = _mapping(plain, "environment")
        names, config = plain.get("class_names") or (), plain.get("config", "")
        if not isinstance(names, list | tuple) or not isinstance(config, str):
            raise TypeError(f"classes {shown(names)}, config {shown(config)}")
        return cls(
            class_names=tuple(names),
            settings=_mapping(plain, "settings"),
            fingerprints={str(path): str(value) for path, value in _mapping(plain, "fingerprints").items()},
            config=config,
            environment=Environment(versions=_mapping(environment, "versions")),
        )


def _mapping(plain: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = plain.get(key, {})
    if not isinstance(value, Mapping):
        raise TypeError(f"{key} {shown(value)}")
    return value


def describe_run(config: RunConfig) -> RunAbout:
    """Return the information about a run of `config` without its classes. Takes some tenths of a second."""
    values = config.source.to_dict()
    values["optimizer"] = config.optimizer  # with the learning rate in use
    files = [Path(part["ann_file"]) for part in config.data.train.datasets if "ann_file" in part]
    return RunAbout(
        settings=json.loads(json.dumps(values, default=str)),
        fingerprints={str(path): fingerprint(path) for path in files if path.is_file()},
        config=config.source.pretty_text,
        environment=describe_environment(),
    )


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_environment() -> Environment:
    """Return command line, date, git revision, package versions and devices."""
    return Environment(
        command=this_command(),
        started=time.strftime("%Y-%m-%d %H:%M:%S"),
        git_revision=git_revision(),
        versions={"python": platform.python_version(), **_versions()},
        gpus=tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())),
    )


def git_revision(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit of the checkout that a folder belongs to, with "+" if files differ from it; None if to none.

    A package that is installed inside of some repository is none of its files.
    """
    try:
        _, commit, changes = (
            subprocess.run(
                ["git", "-C", str(folder), *command], capture_output=True, text=True, check=True
            ).stdout.strip()
            for command in (
                ("ls-files", "--error-unmatch", "."),
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
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
