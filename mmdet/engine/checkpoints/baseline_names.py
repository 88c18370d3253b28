"""The parameter names of the published releases of the baselines, and their translation to this package's.

Source: the key lists of the models that the releases' configs build (BASELINES.md 2 to 4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from mmdet.engine.checkpoints.two_stage_names import ROI_HEADS, split_class_rows

Rules = tuple[tuple[str, str], ...]
SAME: Rules = ((r"(backbone\..*)", r"\1"), (r"neck\.(lateral_convs\.\d)\.conv\.(.*)", r"neck.\1.\2"))
PYRAMID_TO_P7: Rules = (
    (r"neck\.fpn_convs\.3\.conv\.(.*)", r"neck.extra_conv.\1"),
    (r"neck\.fpn_convs\.4\.conv\.(.*)", r"neck.second_extra_conv.\1"),
    (r"neck\.fpn_convs\.(\d)\.conv\.(.*)", r"neck.output_convs.\1.\2"),
)
FCOS_HEAD: Rules = (
    (r"bbox_head\.cls_convs\.(\d)\.conv\.(.*)", r"head.cls_tower.\1.conv.\2"),
    (r"bbox_head\.cls_convs\.(\d)\.gn\.(.*)", r"head.cls_tower.\1.norm.\2"),
    (r"bbox_head\.reg_convs\.(\d)\.conv\.(.*)", r"head.box_tower.\1.conv.\2"),
    (r"bbox_head\.reg_convs\.(\d)\.gn\.(.*)", r"head.box_tower.\1.norm.\2"),
    (r"bbox_head\.fcos_cls\.(.*)", r"head.cls_conv.\1"),
    (r"bbox_head\.fcos_reg\.(.*)", r"head.box_conv.\1"),
    (r"bbox_head\.fcos_centerness\.(.*)", r"head.centerness_conv.\1"),
)
SIPMASK_HEAD: Rules = (
    (r"bbox_head\.track_convs\.(\d)\.conv\.(.*)", r"head.track_tower.\1.conv.\2"),
    (r"bbox_head\.track_convs\.(\d)\.gn\.(.*)", r"head.track_tower.\1.norm.\2"),
    (r"bbox_head\.feat_align\.conv_offset\.weight", r"head.cls_align.offset_conv.weight"),
    (r"bbox_head\.feat_align\.conv_adaption\.weight", r"head.cls_align.weight"),
    (r"bbox_head\.feat_align\.norm\.(.*)", r"head.cls_align.norm.\1"),
    (r"bbox_head\.sip_cof\.(.*)", r"head.coefficient_conv.\1"),
    (r"bbox_head\.sip_mask_lat0\.(.*)", r"head.basis_fuse.\1"),
    (r"bbox_head\.sip_mask_lat\.(.*)", r"head.basis_conv.\1"),
    (r"bbox_head\.sipmask_track\.(.*)", r"head.track_fuse.\1"),
)
PYRAMID_TO_P5 = (r"neck\.fpn_convs\.(\d)\.conv\.(.*)", r"neck.output_convs.\1.\2")
RPN_HEAD: Rules = (
    (r"rpn_head\.rpn_conv\.(.*)", r"rpn_head.conv.\1"),
    (r"rpn_head\.rpn_cls\.(.*)", r"rpn_head.cls_conv.\1"),
    (r"rpn_head\.rpn_reg\.(.*)", r"rpn_head.box_conv.\1"),
)

# A system's rules are tried in order: the first pattern that matches the whole key is used.
RULES: dict[str, Rules] = {
    "fcos": (*SAME, *PYRAMID_TO_P7, *FCOS_HEAD),
    "sipmask_vis": (*SAME, *PYRAMID_TO_P7, *FCOS_HEAD, *SIPMASK_HEAD),
    "masktrack_rcnn": (*SAME, PYRAMID_TO_P5, *RPN_HEAD, *ROI_HEADS),
}
_SCALE = re.compile(r"bbox_head\.scales\.(\d)\.scale")  # one scalar per level, which become one vector
SCALES = "head.scales"


def baseline_name(system: str, key: str) -> str:
    """Return this package's name for a release key. Raises KeyError for a key that the release does not have."""
    if _SCALE.fullmatch(key):
        return SCALES
    for pattern, replacement in RULES[system]:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, replacement, key)
    raise KeyError(f"{key} is not a key of the release of {system}")


def from_baseline(system: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a release state dict. Raises KeyError for a key that the release does not have."""
    scales = sorted(key for key in state if _SCALE.fullmatch(key))
    translated = {baseline_name(system, key): value for key, value in state.items() if key not in scales}
    if scales:
        translated[SCALES] = torch.stack([state[key].reshape(()) for key in scales])
    return split_class_rows(translated) if system == "masktrack_rcnn" else translated
