"""Recorded numbers of anchors, the coding of boxes, greedy NMS, the RPN, its proposals, and what its anchors learn.

Source: BASELINES.md 1.3, 3.1 and 3.2. Every function yields `Check`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from mmdet.ops.anchors import base_anchors
from mmdet.ops.box_coding import decode_boxes, encode_boxes
from mmdet.ops.nms import kept_by_nms_inclusive, nms_inclusive
from mmdet.parity.checks import Check, absolute, equal, of_maximum

Arrays = Mapping[str, np.ndarray]
PIXELS = 1e-3  # of boxes (BASELINES.md 7)
ROUNDING = 1e-5  # of an array's maximum: float32
STRIDES = (4, 8, 16, 32, 64)
PART_STDS, PART_IMAGE = (0.1, 0.1, 0.2, 0.2), (160, 213)  # of the recorded coding of boxes
NMS_THRESHOLDS = {"nms_keep_5": 0.5, "nms_keep_7": 0.7}


def box_part_checks(parts: Arrays) -> Iterator[Check]:
    """Compare the anchors of first cells, and boxes decoded and encoded."""
    yield equal("anchors of the first cells", base_anchors(STRIDES), parts["base_anchors"])
    boxes, raw, truth = (torch.from_numpy(parts[f"delta_{name}"]) for name in ("boxes", "raw", "gt"))
    decoded = decode_boxes(boxes[None], raw[None], PART_STDS, torch.tensor([PART_IMAGE]))[0]
    yield absolute("decoded boxes", decoded, parts["delta_out"], PIXELS)
    yield of_maximum("encoded boxes", encode_boxes(boxes, truth, PART_STDS), parts["delta_enc"], ROUNDING)


def nms_part_checks(parts: Arrays) -> Iterator[Check]:
    """Compare the boxes that greedy NMS keeps, one list at a time and without sizes that depend on the data."""
    boxes, scores = torch.from_numpy(parts["nms_dets"]).split((4, 1), dim=1)
    order = scores[:, 0].argsort(descending=True, stable=True)
    for name, threshold in NMS_THRESHOLDS.items():
        yield equal(f"greedy NMS, {threshold}", nms_inclusive(boxes, scores[:, 0], threshold), parts[name])
        kept = kept_by_nms_inclusive(boxes[order], torch.ones(len(order), dtype=torch.bool), threshold)
        yield equal(f"greedy NMS of fixed sizes, {threshold}", order[kept], parts[name])
