"""Weights and images of the baselines' recorded numbers, drawn from a frozen random stream instead of being stored.

numpy's RandomState never changes. The names are those of the published releases (BASELINES.md).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

# Rules: pattern of the whole key, centre, half-width; the first that matches counts. ("fan", g) means
# g * sqrt(3 / fan_in), fan_in = product of all axes but the first; ("fan_t", g): fan_in = the first axis, for
# transposed convolutions.
HalfWidth = float | tuple[str, float]
Rule = tuple[str, float, HalfWidth]
ROOT2 = 1.4142135623730951
COMMON: list[Rule] = [
    (r"backbone\..*bn3\.weight", 0.2, 0.1),
    (r"backbone\..*(bn\d|downsample\.1)\.weight", 0.9, 0.3),
    (r"backbone\..*(bn\d|downsample\.1)\.(bias|running_mean)", 0.0, 0.2),
    (r"backbone\..*running_var", 1.0, 0.3),
    (r"backbone\..*weight", 0.0, ("fan", ROOT2)),
    (r"neck\..*weight", 0.0, ("fan", 0.5)),
    (r"neck\..*bias", 0.0, 0.1),
]
ONE_STAGE: list[Rule] = [
    (r".*(gn|norm)\.weight", 1.0, 0.5),
    (r".*(gn|norm)\.bias", 0.0, 0.3),
    (r".*_convs\.\d\.conv\.weight", 0.0, ("fan", 1.0)),
    (r".*fcos_cls\.weight", 0.0, ("fan", 2.0)),
    (r".*fcos_cls\.bias", -3.5, 0.8),
    (r".*fcos_reg\.weight", 0.0, ("fan", 1.0)),
    (r".*fcos_reg\.bias", 2.2, 0.6),
    (r".*fcos_centerness\.weight", 0.0, ("fan", 1.5)),
    (r".*fcos_centerness\.bias", 0.0, 0.5),
    (r".*scales.*", 1.0, 0.2),
    (r".*conv_offset\.weight", 0.0, 0.15),
    (r".*conv_adaption\.weight", 0.0, ("fan", 1.0)),
    (r".*sip_cof\.weight", 0.0, ("fan", 1.5)),
    (r".*sip_cof\.bias", 0.0, 0.3),
    (r".*sip_mask_lat0?\.weight", 0.0, ("fan", ROOT2)),
    (r".*sip_mask_lat0?\.bias", 0.0, 0.1),
    (r".*sipmask_track\.weight", 0.0, ("fan", 0.17)),
    (r".*sipmask_track\.bias", 0.0, 0.02),
]
TWO_STAGE: list[Rule] = [
    (r"rpn_head\.rpn_conv\.weight", 0.0, ("fan", ROOT2)),
    (r"rpn_head\.rpn_cls\.weight", 0.0, ("fan", 1.5)),
    (r"rpn_head\.rpn_reg\.weight", 0.0, ("fan", 0.15)),
    (r"rpn_head.*bias", 0.0, 0.1),
    (r"bbox_head\.fc_cls\.weight", 0.0, ("fan", 2.4)),
    (r"bbox_head\.fc_reg\.weight", 0.0, ("fan", 2.0)),
    (r"bbox_head\.shared_fcs\.1\.bias", -1.0, 0.5),
    (r"bbox_head\.shared.*weight", 0.0, ("fan", ROOT2)),
    (r"bbox_head.*bias", 0.0, 0.2),
    (r"track_head\.fcs\.0\.weight", 0.0, ("fan", ROOT2)),
    (r"track_head\.fcs\.1\.weight", 0.0, ("fan", 0.1)),
    (r"track_head.*bias", 0.0, 0.02),
    (r"mask_head\.upsample\.weight", 0.0, ("fan_t", ROOT2)),
    (r"mask_head\.conv_logits\.weight", 0.0, ("fan", 1.0)),
    (r"mask_head.*weight", 0.0, ("fan", ROOT2)),
    (r"mask_head.*bias", 0.0, 0.1),
]
# inputs of the caffe form are not divided by a standard deviation, hence the large variance of the first norm
CAFFE_STEM: Rule = (r"backbone\.bn1\.running_var", 6000.0, 2000.0)
FCOS_BOXES: list[Rule] = [(r".*fcos_reg\.bias", 3.0, 0.5), (r".*fcos_reg\.weight", 0.0, ("fan", 0.5))]
TABLES: dict[str, list[Rule]] = {
    "sipmask_vis": [CAFFE_STEM, *COMMON, *ONE_STAGE],
    "fcos": [CAFFE_STEM, *FCOS_BOXES, *COMMON, *ONE_STAGE],
    "masktrack_rcnn": [(r"backbone\.bn1\.running_var", 2.0, 0.6), *COMMON, *TWO_STAGE],
}
LOW_SCORES: list[Rule] = [  # before the others, for seed 2 only
    (r".*fcos_cls\.bias", -6.6, 0.5),
    (r"bbox_head\.fc_cls\.bias", 0.0, 0.4),
    (r"bbox_head\.fc_cls\.weight", 0.0, ("fan", 0.66)),
]
LOW_SCORES_SEED = 2


def drawn_weight(system: str, seed: int, key: str, shape: Sequence[int]) -> np.ndarray:
    """Return an entry of a state dict, float32: centre + half-width * (2 u - 1), u uniform in [0, 1) in C order."""
    if key.endswith("num_batches_tracked"):
        return np.zeros((), np.int64)
    for pattern, centre, half in (LOW_SCORES if seed == LOW_SCORES_SEED else []) + TABLES[system]:
        if re.fullmatch(pattern, key):
            if isinstance(half, tuple):
                fan = shape[0] if half[0] == "fan_t" else int(np.prod(shape[1:]))
                half = half[1] * (3 / fan) ** 0.5
            stream = np.random.RandomState(zlib.crc32(f"{seed}/{key}".encode()) & 0xFFFFFFFF)  # noqa: NPY002
            uniform = stream.random_sample(tuple(shape))
            return np.asarray(centre + half * (2 * uniform - 1), dtype=np.float32).reshape(tuple(shape))
    raise KeyError(key)


def drawn_state(system: str, seed: int, shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Return the release's state dict of a system, from the shapes of its entries."""
    return {key: torch.from_numpy(drawn_weight(system, seed, key, shape)) for key, shape in shapes.items()}


def expand_images(coarse: np.ndarray, unit: float, image_shape: Sequence[int]) -> Tensor:
    """Return images (N, 3, H, W) from int8 (N, 3, H/4, W/4): each value 4 x 4 times, zero outside of `image_shape`.

    They are already normalised and padded.
    """
    images = np.repeat(np.repeat(coarse, 4, axis=2), 4, axis=3).astype(np.float32) * np.float32(unit)
    images[:, :, image_shape[0] :] = 0
    images[:, :, :, image_shape[1] :] = 0
    return torch.from_numpy(images)
