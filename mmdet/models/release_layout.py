"""The parameter names of the published MemCNP-VIS release, and their translation to this package's.

Source: the key list of a released checkpoint (212 keys for ViT-B). Knows names only, not what the parts compute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

RELEASE_MARK = "bbox_head.mem.feat_units.weight"  # no other model has this key

# Tried in order, the first that matches the whole key is used.
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(backbone\..*)", r"\1"),
        (r"neck\.(lateral_convs\.\d)\.conv\.(.*)", r"neck.\1.\2"),
        (r"neck\.fpn_convs\.3\.conv\.(.*)", r"neck.extra_conv.\1"),
        (r"neck\.fpn_convs\.(\d)\.conv\.(.*)", r"neck.output_convs.\1.\2"),
        (r"bbox_head\.mem\.feat_units\.weight", r"head.memory.slots"),
        (r"bbox_head\.mem\.mlp\.(fc\d\..*)", r"head.memory.\1"),
        (r"bbox_head\.(cls|mask)_align\.conv_offset\.weight", r"head.\1_align.offset_conv.weight"),
        (r"bbox_head\.(cls|mask)_align\.conv_adaption\.weight", r"head.\1_align.weight"),
        (r"bbox_head\.((?:cls|mask)_align\.norm\..*)", r"head.\1"),
        (r"bbox_head\.fcos_cls\.(.*)", r"head.cls_conv.\1"),
        (r"bbox_head\.fcos_reg\.(.*)", r"head.box_conv.\1"),
        (r"bbox_head\.fcos_centerness\.(.*)", r"head.centerness_conv.\1"),
        (r"bbox_head\.mask_fuse\.(.*)", r"head.mask_fuse.\1"),
        (r"bbox_head\.track_fuse\.(.*)", r"head.embedding_fuse.\1"),
        (r"bbox_head\.(cls|mask)_convs\.(\d)\.conv\.(.*)", r"head.\1_tower.\2.conv.\3"),
        (r"bbox_head\.(cls|mask)_convs\.(\d)\.gn\.(.*)", r"head.\1_tower.\2.norm.\3"),
        (r"bbox_head\.track_convs\.(\d)\.conv\.(.*)", r"head.embedding_tower.\1.conv.\2"),
        (r"bbox_head\.track_convs\.(\d)\.gn\.(.*)", r"head.embedding_tower.\1.norm.\2"),
    )
)
_SCALE = re.compile(r"bbox_head\.scales\.(\d)\.scale")


def translate_key(key: str) -> str:
    """Return this package's name of a release key; KeyError for a key that the release does not have."""
    if _SCALE.fullmatch(key):
        return "head.scales"
    for pattern, replacement in _RULES:
        if pattern.fullmatch(key):
            return pattern.sub(replacement, key)
    raise KeyError(f"{key} is not a key of the published release")


def from_release(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a release state dict; the four scalars of the levels become one vector."""
    scales = sorted(key for key in state if _SCALE.fullmatch(key))
    translated = {translate_key(key): value for key, value in state.items() if key not in scales}
    translated["head.scales"] = torch.stack([state[key].reshape(()) for key in scales])
    return translated
