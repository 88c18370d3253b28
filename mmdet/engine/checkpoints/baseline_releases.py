"""Checkpoints of the published baselines, and of the COCO-trained models that they start from, known by their keys.

Source: the key lists of the models that the releases' configs build (BASELINES.md 2 to 4). They hold for every number
of classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmdet.engine.checkpoints.baseline_names import baseline_name, from_baseline

COUNTER = "num_batches_tracked"  # of batch norms: files of older torch lack it, and a norm at rest does not use it
STAGE_BLOCKS = (3, 4, 6, 3)  # bottlenecks of ResNet-50
NORM = ("weight", "bias", "running_mean", "running_var")
BOTH = ("weight", "bias")


@dataclass(frozen=True, slots=True)
class Release:
    """A family of published checkpoints. A file belongs to it if every mark begins one of its keys.

    `name` completes "a checkpoint of ...". `complete`: the file has to have exactly the known keys. Otherwise it is
    something to start training from, and keys that only it has keep their names.
    """

    name: str
    system: str
    marks: tuple[str, ...]
    complete: bool = True


# The first that fits counts.
RELEASES = (
    Release("the published SipMask-VIS", "sipmask_vis", ("bbox_head.sip_cof.", "bbox_head.sipmask_track.")),
    Release("a SipMask for still images", "sipmask_vis", ("bbox_head.sip_cof.",), complete=False),
    Release("the published MaskTrack R-CNN", "masktrack_rcnn", ("rpn_head.", "bbox_head.fc_cls.", "track_head.fcs.")),
    Release("a Mask R-CNN for still images", "masktrack_rcnn", ("rpn_head.", "bbox_head.fc_cls."), complete=False),
    Release("mmdetection's FCOS", "fcos", ("bbox_head.fcos_cls.", "bbox_head.fcos_centerness.", "backbone.layer4.")),
)


def recognise(keys: Iterable[str]) -> Release | None:
    """Return the family of a state dict with these keys, None if there is none."""
    keys = list(keys)
    for release in RELEASES:
        if all(any(key.startswith(mark) for key in keys) for mark in release.marks):
            return release
    return None


def known_keys(system: str) -> list[str]:
    """Return the keys of a release's checkpoint but for the counters of its norms."""
    if system == "masktrack_rcnn":
        return [*_resnet_keys(), *_two_stage_keys()]
    return [*_resnet_keys(), *_one_stage_keys(*((4, 4) if system == "fcos" else (2, 3)), system == "sipmask_vis")]


def from_published(release: Release, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a state dict to this package's names. Counters that it lacks become 0.

    Raises ValueError that names all missing and all unknown keys of a family whose keys are known.
    """
    if release.complete:
        _check_keys(known_keys(release.system), state)
    own = {key: value for key, value in state.items() if not _has_name(release.system, key)}
    translated = from_baseline(release.system, {key: value for key, value in state.items() if key not in own})
    return {**translated, **own, **_missing_counters({**translated, **own})}


def _check_keys(expected: Collection[str], state: Mapping[str, Tensor]) -> None:
    missing = [key for key in expected if key not in state]
    unknown = sorted(key for key in set(state).difference(expected) if not _counts_for(expected, key))
    kinds = (("missing", missing), ("unknown", unknown))
    if missing or unknown:
        raise ValueError("; ".join(f"{len(keys)} keys {kind} ({', '.join(keys)})" for kind, keys in kinds if keys))


def _counts_for(expected: Collection[str], key: str) -> bool:
    """Return whether a key is the counter of a known norm."""
    norm, _, last = key.rpartition(".")
    return last == COUNTER and f"{norm}.running_var" in expected


def _has_name(system: str, key: str) -> bool:
    try:
        baseline_name(system, key)
    except KeyError:
        return False
    return True


def _missing_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    norms = [name.removesuffix(".running_var") for name in tensors if name.endswith(".running_var")]
    return {f"{norm}.{COUNTER}": torch.tensor(0) for norm in norms if f"{norm}.{COUNTER}" not in tensors}


def _resnet_keys() -> list[str]:
    blocks = [f"layer{stage}.{block}" for stage, count in enumerate(STAGE_BLOCKS, 1) for block in range(count)]
    shortcuts = [f"layer{stage}.0.downsample" for stage in range(1, len(STAGE_BLOCKS) + 1)]
    convs = ["conv1", *(f"{block}.conv{n}" for block in blocks for n in (1, 2, 3)), *(f"{s}.0" for s in shortcuts)]
    norms = ["bn1", *(f"{block}.bn{n}" for block in blocks for n in (1, 2, 3)), *(f"{s}.1" for s in shortcuts)]
    return [
        *(f"backbone.{conv}.weight" for conv in convs),
        *(f"backbone.{norm}.{kind}" for norm in norms for kind in NORM),
    ]


def _one_stage_keys(cls_layers: int, reg_layers: int, masks: bool) -> list[str]:
    counts = (("cls", cls_layers), ("reg", reg_layers), ("track", 2 if masks else 0))
    towers = [f"bbox_head.{name}_convs.{index}" for name, count in counts for index in range(count)]
    layers = ["fcos_cls", "fcos_reg", "fcos_centerness"]
    unbiased = [f"{tower}.conv" for tower in towers]
    if masks:
        layers += ["feat_align.norm", "sip_cof", "sip_mask_lat", "sip_mask_lat0", "sipmask_track"]
        unbiased += ["bbox_head.feat_align.conv_offset", "bbox_head.feat_align.conv_adaption"]
    biased = [
        *(f"neck.lateral_convs.{index}.conv" for index in range(3)),
        *(f"neck.fpn_convs.{index}.conv" for index in range(5)),
        *(f"{tower}.gn" for tower in towers),
        *(f"bbox_head.{layer}" for layer in layers),
    ]
    return [
        *(f"{layer}.{kind}" for layer in biased for kind in BOTH),
        *(f"{layer}.weight" for layer in unbiased),
        *(f"bbox_head.scales.{level}.scale" for level in range(5)),
    ]


def _two_stage_keys() -> list[str]:
    layers = [
        *(f"neck.{kind}_convs.{index}.conv" for kind in ("lateral", "fpn") for index in range(4)),
        *(f"rpn_head.rpn_{layer}" for layer in ("conv", "cls", "reg")),
        *(f"bbox_head.{layer}" for layer in ("fc_cls", "fc_reg", "shared_fcs.0", "shared_fcs.1")),
        *(f"track_head.fcs.{index}" for index in range(2)),
        *(f"mask_head.convs.{index}.conv" for index in range(4)),
        *(f"mask_head.{layer}" for layer in ("upsample", "conv_logits")),
    ]
    return [f"{layer}.{kind}" for layer in layers for kind in BOTH]
