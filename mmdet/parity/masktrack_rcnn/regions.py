"""Recorded numbers of regions: RoIAlign with its gradient, and what masks learn there.

Source: BASELINES.md 3.3 and 3.6. Every function yields `Check`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mmdet.ops.masks.stretching import crop_masks
from mmdet.ops.roi_align import legacy_roi_align
from mmdet.parity.checks import Check, equal, of_maximum

Arrays = Mapping[str, np.ndarray]
MAP_TOLERANCE = 2e-5  # of an array's maximum (BASELINES.md 7)
PART_SCALE, PART_SIZE = 1 / 8, 7  # of the recorded RoIAlign
IMAGES = (0, 1)  # of the recorded batch


def roi_align_checks(parts: Arrays) -> Iterator[Check]:
    """Compare the features of thin, inverted and outlying regions, and the gradient that the map gets."""
    features = torch.from_numpy(parts["roi_feats"]).requires_grad_()
    rois = torch.from_numpy(parts["roi_rois"])
    found = legacy_roi_align(features, rois[:, 1:], rois[:, 0].long(), PART_SCALE, PART_SIZE)
    found.backward(torch.from_numpy(parts["roi_gout"]))
    yield of_maximum("roi align", found, parts["roi_out"], MAP_TOLERANCE)
    yield of_maximum("roi align, gradient", features.grad, parts["roi_gfeats"], MAP_TOLERANCE)


def mask_target_checks(arrays: Arrays, size: Sequence[int]) -> Iterator[Check]:
    """Compare what the masks of the positive regions learn; `size`: (H, W) of the padded images."""
    shape = arrays["mask_targets_shape"]
    found = torch.cat([_mask_targets(arrays, image, size, int(shape[1])) for image in IMAGES])
    bits = np.unpackbits(arrays["mask_targets"])[: shape.prod()]
    yield equal("mask targets", found, bits.reshape(shape))


def recorded_masks(arrays: Arrays, image: int, size: Sequence[int]) -> Tensor:
    """Return the masks (n, H, W) bool of an image's objects."""
    count = len(arrays[f"boxes_{image}"])
    bits = np.unpackbits(arrays[f"masks_{image}"])[: count * size[0] * size[1]]
    return torch.from_numpy(bits.reshape(count, *size)).bool()


def positive_regions(arrays: Arrays, image: int) -> tuple[Tensor, Tensor]:
    """Return the boxes (n, 4) of the sampled positive regions of an image and the objects (n,) that they learn."""
    objects, chosen = len(arrays[f"boxes_{image}"]), arrays[f"rcnn_pos_{image}"]
    regions = np.concatenate([arrays[f"boxes_{image}"], arrays[f"proposals_{image}"][:, :4]])
    owners = np.concatenate([np.arange(objects), arrays[f"rcnn_assign_{image}"] - 1])
    return torch.from_numpy(regions[chosen]), torch.from_numpy(owners[chosen])


def _mask_targets(arrays: Arrays, image: int, size: Sequence[int], cells: int) -> Tensor:
    boxes, owner = positive_regions(arrays, image)
    return crop_masks(recorded_masks(arrays, image, size)[None], owner[None], boxes[None], cells)[0]
