"""Pretrained backbone weights: read the file that a config names, fit it, and say what was loaded.

Only training that starts anew reads it, never testing or resuming. Knows nothing of how a backbone names its tensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet.engine.weights import read_weights
from mmdet.errors import UserError

KEY = "config.model.backbone.pretrained"
# Where the files that the configs name are published.
SOURCES = {
    "mae_pretrain_vit_base.pth": "https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth",
}


def load_pretrained(backbone: Any, trusted: bool = False) -> str | None:
    """Load the file named by `backbone.pretrained`; return a line that tells what was loaded, None if none is named.

    `trusted`: see load_checkpoint. Raises UserError for a missing file, with the way to get it, and for weights that
    do not fit.
    """
    path = getattr(backbone, "pretrained", None)
    if path is None:
        return None
    if not Path(path).is_file():
        source = SOURCES.get(Path(path).name)
        remedy = f"download it from {source}" if source else "put the weights there"
        raise UserError(f"{KEY}: {path} does not exist; {remedy}, or set the key to None to start from nothing")
    weights = read_weights(path, trusted).tensors
    try:
        report = backbone.load_pretrained(weights)
    except ValueError as error:
        raise UserError(f"{KEY}: {path} does not fit {type(backbone).__name__}: {error}") from error
    return f"{path}: {report}"
