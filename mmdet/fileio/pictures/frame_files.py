"""Frames of data sets on disk: their paths, and which are missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mmdet.errors import UserError, shown


def frame_path(img_prefix: str | Path, file_name: str) -> str:
    """Join a frame's name to its image folder.

    Raises UserError if the name leads out of the folder or is not possible. Links inside of the folder are the user's
    own and may lead anywhere. `..` is resolved in the name itself, so that it cannot follow a link.
    """
    if "\0" in file_name:
        raise UserError(f"file name {shown(file_name)} holds a zero byte, as no file's name does")
    name = os.path.normpath(file_name) if ".." in file_name else file_name
    if name.split(os.sep)[0] == ".." or os.path.isabs(name):
        raise UserError(
            f"file name {shown(file_name)} leads out of the image folder {img_prefix}; names are relative to it"
        )
    return os.path.join(img_prefix, name)


def missing_frames(paths: Sequence[str]) -> list[str]:
    """Return the paths without a file, in order. Lists every folder once instead of testing every file."""
    listed: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in listed:
            listed[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in listed[folder]:
            missing.append(path)
    return missing
