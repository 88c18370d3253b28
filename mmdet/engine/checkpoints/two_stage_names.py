"""Names of the heads' parameters of the published MaskTrack R-CNN; its layers with a row for the background.

Source: the key list of the model that the release's config builds (BASELINES.md 3). Here the background has tensors of
its own, see mmdet.models.heads.two_stage.class_rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

ROI_HEADS: tuple[tuple[str, str], ...] = (
    (r"bbox_head\.shared_fcs\.(\d)\.(.*)", r"head.box_head.shared.\1.\2"),
    (r"bbox_head\.fc_cls\.(.*)", r"head.box_head.classes.\1"),
    (r"bbox_head\.fc_reg\.(.*)", r"head.box_head.boxes.\1"),
    (r"track_head\.fcs\.(\d)\.(.*)", r"head.track_head.layers.\1.\2"),
    (r"mask_head\.convs\.(\d)\.conv\.(.*)", r"head.mask_head.convs.\1.\2"),
    (r"mask_head\.upsample\.(.*)", r"head.mask_head.upsample.\1"),
    (r"mask_head\.conv_logits\.(.*)", r"head.mask_head.classes.\1"),
)
# layers with rows for the background, then for every class, and the numbers of rows of each
CLASS_ROWS = {"head.box_head.classes": 1, "head.box_head.boxes": 4, "head.mask_head.classes": 1}


def split_class_rows(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors under this package's names with the background's rows apart."""
    split: dict[str, Tensor] = {}
    for name, value in tensors.items():
        layer, _, kind = name.rpartition(".")
        if layer not in CLASS_ROWS:
            split[name] = value
            continue
        rows = value.reshape(-1, CLASS_ROWS[layer], *([value[0].numel()] if kind == "weight" else []))
        split |= {name: rows[1:].clone(), f"{layer}.background_{kind}": rows[:1].clone()}
    return split


def join_class_rows(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with the rows of the background in front of those of the classes, as (rows, in) or (rows,)."""
    joined = {name: value for name, value in tensors.items() if ".background_" not in name}
    for layer in CLASS_ROWS:
        for kind in ("weight", "bias"):
            name, background = f"{layer}.{kind}", f"{layer}.background_{kind}"
            if name in tensors and background in tensors:
                joined[name] = torch.cat((tensors[background], tensors[name])).flatten(0, 1)
    return joined
