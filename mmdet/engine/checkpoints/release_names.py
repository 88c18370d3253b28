"""The parameter names of the published MemCNP-VIS release, and their translation to this package's.

Source: the key list of a released checkpoint (212 keys for ViT-B).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

RELEASE_MARK = "bbox_head.mem."  # keys of other models do not start with this
PUBLISHED_DEPTH = 12  # blocks of ViT-B
_BLOCK = re.compile(r"backbone\.blocks\.(\d+)\..*")

# Tried in order: the first pattern that matches the whole key is used.
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
    """Return this package's name for a release key. Raises KeyError for a key that the release does not have."""
    if _SCALE.fullmatch(key):
        return "head.scales"
    for pattern, replacement in _RULES:
        if pattern.fullmatch(key):
            return pattern.sub(replacement, key)
    raise KeyError(f"{key} is not a key of the published release")


def is_release(keys: Iterable[str]) -> bool:
    """Return whether a state dict has keys of a release checkpoint, even if some are missing."""
    return any(key.startswith(RELEASE_MARK) for key in keys)


def release_keys(depth: int = PUBLISHED_DEPTH) -> list[str]:
    """Return the keys of a release checkpoint whose ViT has `depth` blocks."""
    block = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    towers = [
        f"{name}_convs.{index}" for name, count in (("cls", 2), ("mask", 3), ("track", 2)) for index in range(count)
    ]
    head = ["fcos_cls", "fcos_reg", "fcos_centerness", "mask_fuse", "track_fuse", "mem.mlp.fc1", "mem.mlp.fc2"]
    biased = [
        "backbone.patch_embed.proj",
        "backbone.norm",
        *(f"backbone.blocks.{index}.{layer}" for index in range(depth) for layer in block),
        *(f"neck.lateral_convs.{index}.conv" for index in range(3)),
        *(f"neck.fpn_convs.{index}.conv" for index in range(4)),
        *(f"bbox_head.{layer}" for layer in (*head, "cls_align.norm", "mask_align.norm")),
        *(f"bbox_head.{layer}.gn" for layer in towers),
    ]
    unbiased = [
        "mem.feat_units",
        *(f"{align}.{layer}" for align in ("cls_align", "mask_align") for layer in ("conv_offset", "conv_adaption")),
        *(f"{layer}.conv" for layer in towers),
    ]
    return [
        "backbone.cls_token",
        "backbone.pos_embed",
        *(f"{layer}.{kind}" for layer in biased for kind in ("weight", "bias")),
        *(f"bbox_head.{layer}.weight" for layer in unbiased),
        *(f"bbox_head.scales.{level}.scale" for level in range(4)),
    ]


def from_release(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a release state dict. The four scalars of the levels become one vector.

    Raises ValueError that names all missing and all unknown keys.
    """
    blocks = {match[1] for match in map(_BLOCK.fullmatch, state) if match}
    expected = release_keys(max(PUBLISHED_DEPTH, len(blocks)))
    missing, unknown = [key for key in expected if key not in state], sorted(set(state) - set(expected))
    if missing or unknown:
        kinds = (("missing", missing), ("unknown", unknown))
        raise ValueError("; ".join(f"{len(keys)} keys {kind} ({', '.join(keys)})" for kind, keys in kinds if keys))
    scales = [key for key in expected if _SCALE.fullmatch(key)]
    translated = {translate_key(key): value for key, value in state.items() if key not in scales}
    translated["head.scales"] = torch.cat([state[key].reshape(-1) for key in scales])
    return translated
