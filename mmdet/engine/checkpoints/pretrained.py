"""Pretrained backbone weights: read the file that a config names, load it into the backbone, and report it.

Only a new training run reads it, never testing or resuming.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet.engine.checkpoints.weights import read_weights
from mmdet.errors import UserError
from mmdet.models.backbones import ResNet50, TimmBackbone

KEY = "config.model.backbone.pretrained"
# The addresses of the files named in the configs, and the timm models of their weights.
SOURCES = {
    "mae_pretrain_vit_base.pth": "https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth",
    "resnet50_caffe.pth": "https://download.openmmlab.com/pretrain/third_party/resnet50_caffe-788b5fa3.pth",
    "resnet50_torchvision.pth": "https://download.pytorch.org/models/resnet50-0676ba61.pth",
}
RESNETS = {"caffe": "resnet50_caffe.pth", "pytorch": "resnet50_torchvision.pth"}  # by their style
TIMM_MODELS = {
    "resnet50_a1_in1k.pth": "resnet50.a1_in1k",
    "tf_efficientnet_lite0_timm.pth": "tf_efficientnet_lite0.in1k",
}


def load_pretrained(backbone: Any, trusted: bool = False) -> str | None:
    """Load the file named by `backbone.pretrained`.

    Return a line that says what was loaded, None if no file is named. `trusted`: see `load_checkpoint`. Raises
    UserError for a missing file, with instructions to get it, and for weights that do not fit.
    """
    path = getattr(backbone, "pretrained", None)
    if path is None:
        return None
    if not Path(path).is_file():
        remedy = _how_to_get(Path(path), backbone)
        raise UserError(f"{KEY}: {path} does not exist; {remedy}, or set the key to None to start from nothing")
    weights = read_weights(path, trusted).tensors
    try:
        report = backbone.load_pretrained(weights)
    except ValueError as error:
        raise UserError(f"{KEY}: {path} does not fit {type(backbone).__name__}: {error}") from error
    return f"{path}: {report}"


def _how_to_get(path: Path, backbone: Any) -> str:
    """Return where a file is published or how timm writes it."""
    published = path.name
    if isinstance(backbone, ResNet50) and path.name not in TIMM_MODELS:
        published = RESNETS[backbone.style]
    if published in SOURCES:
        return f"download it from {SOURCES[published]}"
    model = TIMM_MODELS.get(path.name) or (backbone.name if isinstance(backbone, TimmBackbone) else None)
    if model is None:
        return "put the weights there"
    return (
        f'let timm download and write it: mkdir -p {path.parent} && python -c "import timm, torch; '
        f"torch.save(timm.create_model('{model}', pretrained=True).state_dict(), '{path}')\""
    )
