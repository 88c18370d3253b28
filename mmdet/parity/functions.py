"""Recorded numbers of single functions: losses, boxes, NMS, memory, alignment, assigners, transforms.

Every function takes the recorded `arrays` and `notes` and yields `Check`s. Tolerances allow for float32 rounding unless
stated otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.datasets.transforms.geometric import RandomFlip, RawFrame, ResizeKeepRatio
from mmdet.models.assigners import CenterAssigner
from mmdet.models.assigners.candidates import best_points, points_in
from mmdet.models.assigners.targets import centerness_target
from mmdet.models.backbones.vit_mae import resize_positions, sincos_position_table
from mmdet.models.heads import CNPMemory
from mmdet.models.heads.feature_align import FeatureAlign
from mmdet.models.losses.cnp import mixture_nll
from mmdet.models.losses.detection import box_loss, focal_loss
from mmdet.models.losses.mask import crop_to_boxes
from mmdet.models.losses.pairs import Pairs
from mmdet.ops.boxes import aligned_iou, giou, pairwise_iou, points_ltrb
from mmdet.ops.nms import fast_nms
from mmdet.ops.sampling import sample_at_centres
from mmdet.parity.checks import Check, absolute, equal, of_maximum, same_members
from mmdet.structures import PaddedTruth, PointGrid
from mmdet.tracking import Tracker
from mmdet.tracking.affinity import comprehensive_scores

Arrays = Mapping[str, np.ndarray]
Notes = Mapping[str, Any]

TOLERANCE = 1e-5
NUM_POINTS = 68  # of the recorded assigner's four levels
LEVEL_COUNTS = [48, 12, 6, 2]
STRIDES = (8, 16, 32, 64)
RELEASE_RADIUS = 3.0  # MODEL.md 10: the release's mode 'none'
GREY_LEVEL = 1.01  # OpenCV's versions round differently
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def _tensor(arrays: Arrays, name: str) -> Tensor:
    return torch.from_numpy(arrays[name])


def _leaf(arrays: Arrays, name: str) -> Tensor:
    return _tensor(arrays, name).clone().requires_grad_()


def loss_function_checks(arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare focal loss, cross-entropy of centerness, and box loss with gradients."""
    logits, labels = _leaf(arrays, "focal_logits"), _tensor(arrays, "focal_targets")
    losses = focal_loss(logits, labels[:, None] - 1 == torch.arange(logits.shape[1])) * (labels >= 0)[:, None]
    losses.backward(_tensor(arrays, "focal_dloss"))
    yield of_maximum("focal loss", losses, arrays["focal_loss"], TOLERANCE)
    yield of_maximum("focal loss, sum", losses.sum(), notes["focal_sum"], TOLERANCE)
    yield of_maximum("focal loss, gradient", logits.grad, arrays["focal_grad"], TOLERANCE)
    mean = F.binary_cross_entropy_with_logits(_tensor(arrays, "bce_logits"), _tensor(arrays, "bce_target"))
    yield of_maximum("centerness loss", mean, notes["bce_mean"], TOLERANCE)

    weight = _tensor(arrays, "giou_weight")
    boxes = _leaf(arrays, "giou_pred")
    for name, weights in (("", weight), ("_no_weight", torch.ones_like(weight)), ("_weight_zero", weight * 0)):
        loss = box_loss(_one_point_an_object(boxes, _tensor(arrays, "giou_target"), weights)).sum()
        yield of_maximum(f"box loss{name.replace('_', ' ')}", loss, notes[f"giou_loss{name}"], TOLERANCE)
    (1 - giou(boxes, _tensor(arrays, "giou_target"))).mean().backward()
    yield of_maximum("box loss, gradient", boxes.grad, arrays["giou_grad"], TOLERANCE)


def _one_point_an_object(boxes: Tensor, truth: Tensor, weights: Tensor) -> Pairs:
    """Return pairs of one image in which box k is the only point of object k."""
    return Pairs(
        valid=torch.ones(1, len(boxes), 1, dtype=torch.bool),
        boxes=boxes[None, :, None],
        sigma=torch.ones(1, len(boxes), 1, 4),
        class_probs=torch.ones(1, len(boxes), 1),
        centerness=weights[None, :, None],
        true_boxes=truth[None, :, None],
    )


def box_checks(arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare overlaps, distances, decoding and the centerness target."""
    a, b = _tensor(arrays, "giou_pred"), _tensor(arrays, "giou_target")
    yield of_maximum(
        "IoU of pairs, legacy areas", aligned_iou(a, b, offset=1), arrays["overlaps_aligned_plus1"], TOLERANCE
    )
    yield of_maximum("IoU of all, legacy areas", pairwise_iou(a, b, 1), arrays["overlaps_matrix_plus1"], TOLERANCE)
    yield of_maximum("IoU of all", pairwise_iou(a, b), arrays["jaccard_no_plus1"], TOLERANCE)
    points = PointGrid.make((40, 56), ((5, 7),), (8,), torch.device("cpu"))
    boxes = _tensor(arrays, "cent_gts")
    yield equal("points", points.xy, arrays["points_5x7_s8"])
    yield of_maximum("distances", points_ltrb(points.xy, boxes).transpose(0, 1), arrays["ltrb"], TOLERANCE)
    target = centerness_target(points, _truth_of(boxes))[0]
    yield of_maximum("centerness target", target, arrays["centerness_target"], TOLERANCE)
    yield of_maximum("points, relative", points.xy / points.box_scale[:2], arrays["decode_relpos"], TOLERANCE)
    decoded = points.decode(_tensor(arrays, "decode_mu")) / points.box_scale
    yield of_maximum("decoded boxes", decoded, arrays["decode_xyxy"], TOLERANCE)


def _truth_of(boxes: Tensor) -> PaddedTruth:
    """Return the truth of one image; only its boxes are used."""
    valid, rows = torch.ones(1, len(boxes), dtype=torch.bool), torch.zeros(1, len(boxes), dtype=torch.int64)
    return PaddedTruth(
        boxes=boxes[None],
        labels=rows,
        valid=valid,
        is_crowd=~valid,
        half_masks=torch.zeros(1, len(boxes), 1, 1, dtype=torch.bool),
        reference_boxes=boxes[None],
        reference_valid=valid,
        match=rows - 1,
    )


def mask_and_map_checks(arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare cropping, reading a map at box centres, feature alignment and the position table."""
    data, rois = _leaf(arrays, "crop_data"), _tensor(arrays, "crop_rois")
    cropped = crop_to_boxes(data[0].permute(2, 0, 1), rois).permute(1, 2, 0)
    cropped.backward(_tensor(arrays, "crop_gout"))
    for name in ("crop_out", "cropgt_out"):
        yield of_maximum(name, cropped, arrays[name], TOLERANCE)
    yield of_maximum("crop, gradient", data.grad, arrays["crop_gdata"], TOLERANCE)
    sampled = sample_at_centres(_tensor(arrays, "sample_feats")[None], _tensor(arrays, "sample_boxes")[None])[0]
    yield of_maximum("features at centres", sampled, arrays["sample_out"], TOLERANCE)
    align = FeatureAlign(32, 32)
    names = {"offset_conv.weight": "offset_w", "weight": "conv_w", "norm.weight": "gn_w", "norm.bias": "gn_b"}
    align.load_state_dict({ours: _tensor(arrays, f"falign_{theirs}") for ours, theirs in names.items()})
    with torch.no_grad():
        aligned = align(_tensor(arrays, "falign_x"), _tensor(arrays, "falign_off"))
    yield of_maximum("feature alignment", aligned, arrays["falign_out"], TOLERANCE)
    table = sincos_position_table(16, 14)
    yield absolute("position table", table, arrays["sincos16_14"], 1e-6)
    resized = resize_positions(table[None, 1:], (10, 13))
    yield absolute("position table, resized", resized, arrays["sincos16_to_10x13"][:, 1:], TOLERANCE)


def memory_checks(arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the read values in every mode, and the slots that the modes top1 and all write."""
    for mode in ("top1", "all", "topk"):
        memory = CNPMemory(channels=8, num_slots=20, rate=0.9, update_mode=mode)
        names = {f"{fc}.{kind}": f"mlp_{fc}.{kind}" for fc in ("fc1", "fc2") for kind in ("weight", "bias")}
        names["slots"] = "w0"
        memory.load_state_dict({ours: _tensor(arrays, f"mem_{mode}_{theirs}") for ours, theirs in names.items()})
        features, targets = (_rows(_tensor(arrays, f"mem_{mode}_{name}")) for name in "xy")
        with torch.no_grad():
            read = memory.read(features)
        yield of_maximum(f"memory {mode}, read", read, _rows(_tensor(arrays, f"mem_{mode}_eval_out")), TOLERANCE)
        if mode == "topk":
            continue
        rows = memory.similarity(features).flatten(0, 1)
        written = rows.argmax(dim=1).unique() if mode == "top1" else torch.arange(20)
        memory.write(features.flatten(0, 1), targets.flatten(0, 1))
        yield of_maximum(f"memory {mode}, written", memory.slots[written], arrays[f"mem_{mode}_w1"][written], TOLERANCE)


def _rows(maps: Tensor) -> Tensor:
    """Return maps (B, C, h, w) as rows (B, h * w, C)."""
    return maps.flatten(2).transpose(1, 2)


def choice_checks(arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the assigners' choices, NMS, and the affinities of detections to tracks."""
    closest, in_box = _tensor(arrays, "assign_closest"), _tensor(arrays, "assign_mask")
    value = _tensor(arrays, "assign_cent") - _tensor(arrays, "assign_uncertainty").clamp(max=1)
    yield equal("assigner levels", np.cumsum(LEVEL_COUNTS), notes["assign_points_stages_cumulative"])
    slots, taken = best_points(value[None], closest[None], 3, LEVEL_COUNTS, per_level=4)
    positive = points_in(slots, taken & in_box[slots], NUM_POINTS)[0]
    yield equal("assigner by uncertainty, positives", positive, arrays["assign_uncert_pos"])
    yield equal("assigner by uncertainty, negatives", ~positive & (value < 0), arrays["assign_uncert_neg"])
    distance = 2 * _tensor(arrays, "assign_offset")[None]  # recorded in half pixels
    by_centre = CenterAssigner(radius=RELEASE_RADIUS)
    slots, near = by_centre.nearest_points(distance, closest[None], 3, LEVEL_COUNTS, STRIDES)
    positive = points_in(slots, near & in_box[slots], NUM_POINTS)[0]
    yield equal("assigner by centre, positives", positive, arrays["assign_none_pos"])
    yield equal("assigner by centre, negatives", ~positive, arrays["assign_none_neg"])
    for name in ("nms_a", "nms_b"):
        settings, boxes = notes[f"{name}_cfg"], _tensor(arrays, f"{name}_boxes")
        limits = [settings[key] for key in ("score_thr", "iou_thr", "max_pre_nms", "max_per_img")]
        index, labels, scores = fast_nms(boxes, _tensor(arrays, f"{name}_scores").T, *limits)
        expected = arrays[f"{name}_out_boxes"]
        yield of_maximum(f"{name} scores", scores, expected[:, 4], TOLERANCE)
        yield of_maximum(f"{name} boxes", boxes[index], expected[:, :4], TOLERANCE)
        rows = zip(arrays[f"{name}_out_idx"].tolist(), arrays[f"{name}_out_labels"].tolist(), strict=True)
        found = zip(index.tolist(), labels.tolist(), strict=True)
        yield same_members(f"{name} rows", list(found), list(rows))  # tied scores may come in any order
    log_probs, seen_scores, iou, label = (arrays[f"comp_{name}"] for name in ("logprob", "scores_in", "iou", "label"))
    affinities = comprehensive_scores(log_probs, np.log(seen_scores[:, 0]), iou, label, Tracker().weights)
    yield of_maximum("affinity", torch.from_numpy(affinities), arrays["comp_out"], TOLERANCE)


def mixture_checks(arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the loss of the conditional neural process and its gradients."""
    mu, sigma, boxes = _leaf(arrays, "cnp_mu"), _leaf(arrays, "cnp_sigma"), _tensor(arrays, "cnp_gts")
    points, objects = _tensor(arrays, "cnp_pair").T
    targets, centerness = _tensor(arrays, "cnp_tgt_uncert"), _tensor(arrays, "cnp_cent")
    total = torch.zeros(())
    for row, box in enumerate(boxes):
        own = points[objects == row]
        if len(own):
            everyone = torch.ones(len(own), dtype=torch.bool)
            nll = mixture_nll(mu[own], sigma[own], centerness[own], everyone, box)
            wanted = targets[objects == row][:, None].expand(-1, 4)
            total = total + nll / len(mu) + F.smooth_l1_loss(sigma[own], wanted)
    total.backward()
    yield of_maximum("mixture loss", total, notes["cnp_GMM"], TOLERANCE)
    yield of_maximum("mixture loss, gradient of mu", mu.grad, arrays["cnp_GMM_gmu"], TOLERANCE)
    yield of_maximum("mixture loss, gradient of sigma", sigma.grad, arrays["cnp_GMM_gsigma"], TOLERANCE)


def transform_checks(arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare resizing and flipping of the image, the masks and, without a flip, the boxes."""
    facts = notes["tr_img"]
    height, width = facts["img_shape"][:2]
    for flip in (0, 1):
        frame = RawFrame(
            image=np.ascontiguousarray(arrays["tr_img_in_bgr"][..., ::-1]),
            boxes=arrays["tr_box_in"],
            masks=arrays[f"tr_mask_in_flip{flip}"],
            scale=1.0,
            original_size=arrays["tr_img_in_bgr"].shape[:2],
        )
        rng = np.random.default_rng(0)
        resized = ResizeKeepRatio(long_edge=64, short_edge=40)([frame], rng)
        (done,) = RandomFlip(probability=float(flip))(resized, rng)
        image = (arrays[f"tr_img_out_flip{flip}"].transpose(1, 2, 0) * STD + MEAN)[:height, :width]
        yield absolute(f"resized image, flip {flip}, grey levels", done.image, image, GREY_LEVEL)
        yield equal(f"resized masks, flip {flip}", done.masks, arrays[f"tr_mask_out_flip{flip}"][:, :height, :width])
        if not flip:
            yield of_maximum("resized boxes", done.boxes, arrays["tr_box_out_flip0"], 1e-6)
            yield equal("scale factor", done.scale, facts["scale_factor"])


PART_GROUPS: dict[str, Callable[[Arrays, Notes], Iterator[Check]]] = {
    "losses": loss_function_checks,
    "boxes": box_checks,
    "masks and maps": mask_and_map_checks,
    "memory": memory_checks,
    "choices": choice_checks,
    "mixture": mixture_checks,
    "transforms": transform_checks,
}
