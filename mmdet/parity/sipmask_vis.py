"""Recorded numbers of SipMask-VIS: parts, maps, detections, ids, masks and result json of two clips, training.

Sources: BASELINES.md 2 and 7. Every function yields `Check`s; `arrays` are those of eval.npz or parts.npz, `notes` are
those of notes.json, and the model has the weights of `load_drawn`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mmdet.engine.checkpoints.baseline_names import from_baseline
from mmdet.models import VISModel
from mmdet.models.postprocess.sub_masks import draw_quarters
from mmdet.ops.masks.crop_split import crop_split
from mmdet.ops.masks.segmentations import decode_rle
from mmdet.ops.nms import fast_nms
from mmdet.parity import clips
from mmdet.parity.checks import Check, absolute, differing_pixels, equal, of_maximum
from mmdet.parity.clips import Affinities, WatchedTracker, follow, recorded_meta
from mmdet.parity.drawn_weights import drawn_state, expand_images
from mmdet.parity.inference import Arrays, TrackedClip
from mmdet.structures import FrameObjects, VideoResult
from mmdet.tracking import Tracker

Notes = Mapping[str, Any]

MAPS = 2e-5  # of an array's maximum
BOXES = 1e-3  # original pixels
SCORES = 1e-5
COMPREHENSIVE = 2e-4
MASKS = 2  # pixels a mask
PART = 1e-5
NUM_LEVELS = 5
NUM_VIDEOS = 2
PART_NAMES = ("emb", "boxes", "labels")  # of a frame's made-up detections


def load_drawn(model: VISModel, seed: int, shapes: Mapping[str, Sequence[int]]) -> VISModel:
    """Give a model the weights that the numbers of a seed were recorded with, and put it into evaluation mode."""
    model.load_state_dict(from_baseline("sipmask_vis", drawn_state("sipmask_vis", seed, shapes)), strict=True)
    return model.eval()


def _of_levels(arrays: Arrays, name: str) -> Tensor:
    """Return recorded maps (B, C, h, w) of all levels as (B, P, C)."""
    levels = [torch.from_numpy(arrays[f"{name}_{level}"]).flatten(2) for level in range(NUM_LEVELS)]
    return torch.cat(levels, dim=2).transpose(1, 2)


@torch.no_grad()
def network_checks(model: VISModel, arrays: Arrays, notes: Notes) -> Iterator[Check]:
    """Compare the maps of backbone and neck, and all outputs of the head, for the first frame."""
    image = expand_images(arrays["images_q"], notes["unit"], notes["img_shape"])[:1]
    backbone: Any = model.backbone
    finest = backbone.layer1(backbone.maxpool(backbone.relu(backbone.bn1(backbone.conv1(image)))))  # C2, not used
    maps = backbone(image)
    for level, values in enumerate((finest, *maps)):
        yield of_maximum(f"backbone map {level}", values[:, ::64], arrays[f"c{level}_sub"], MAPS)
    pyramid = model.neck(maps)
    for level, values in enumerate(pyramid):
        yield of_maximum(f"neck map {level}", values[:, ::16], arrays[f"p{level}_sub"], MAPS)
    out = model.head(pyramid, None)
    coefficients = out.coefficients.flatten(2)[..., ::4]
    for name, actual, expected in (
        ("class logits", out.cls_logits, _of_levels(arrays, "cls")),
        ("box distances", out.distances, _of_levels(arrays, "dist")),
        ("centerness logits", out.centerness_logits, _of_levels(arrays, "center")[..., 0]),
        ("coefficients", coefficients, _of_levels(arrays, "cof")),
        ("mask basis", out.mask_basis[:, :, 1::4, 2::4], arrays["basis_sub"]),
        ("mask basis sums", out.mask_basis.double().sum((2, 3)), arrays["basis_chan_sum"]),
        ("track map", out.track_map[:, ::16], arrays["track_sub"]),
        ("track map sums", out.track_map.double().sum((2, 3)), arrays["track_chan_sum"]),
    ):
        yield of_maximum(f"head {name}", actual, expected, MAPS)


def track_clip(
    model: VISModel, tracker: Tracker, arrays: Arrays, notes: Notes, video: int
) -> tuple[TrackedClip, Affinities]:
    """Detect and track a recorded video, 0 or 1, frame by frame; also returns the affinities of every frame."""
    images = expand_images(arrays["images_q"], notes["unit"], notes["img_shape"])
    order = list(range(len(images))) if video == 0 else arrays["v1_order"].tolist()
    valid = torch.ones(len(order), *images.shape[-2:], dtype=torch.bool)
    metas = [recorded_meta(notes, video + 1, index) for index in range(len(order))]
    return follow(model, tracker, images[order], valid, metas)


def clip_checks(clip: TrackedClip, affinities: Affinities, arrays: Arrays, video: int) -> Iterator[Check]:
    """Compare boxes, scores, labels, track features, affinities and raw ids of every frame."""
    for index, found in enumerate(clip.detections):
        name = f"v{video}_f{index}_"
        rows = arrays[f"{name}boxes"]
        yield absolute("detection boxes", found.boxes, rows[:, :4], BOXES)
        yield absolute("detection scores", found.scores, rows[:, 4], SCORES)
        yield equal("detection labels", found.labels, arrays[f"{name}labels"])
        yield of_maximum("track features", found.embeddings, arrays[f"{name}emb"], MAPS)
        yield equal("track ids, raw", clip.raw_ids[index], arrays[f"{name}ids"])
        if index:
            yield absolute("comprehensive scores", affinities[index], arrays[f"{name}comp"], COMPREHENSIVE)


def mask_checks(clip: TrackedClip, rles: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare the tracks of every frame and their masks."""
    yield from clips.mask_checks(clip, rles, MASKS)


@torch.no_grad()
def given_factor_checks(
    model: VISModel, clip: TrackedClip, rles: Sequence[Mapping[str, Any]], arrays: Arrays, notes: Notes
) -> Iterator[Check]:
    """Compare the masks of video 0 as they are where pixels lie by the factor, not by the ratio of sizes (B5)."""
    images = expand_images(arrays["images_q"], notes["unit"], notes["img_shape"])
    valid = torch.ones(1, 1, *images.shape[-2:], dtype=torch.bool)
    for index, recorded in enumerate(rles):
        meta = recorded_meta(notes, 1, index)
        found = model.postprocess.detect(model(images[index][None, None], valid), [meta])
        ids = clip.raw_ids[index].tolist()
        rows = {track_id: row for row, track_id in enumerate(ids)}  # of equal ids the last
        chosen = torch.tensor([rows[int(key)] for key in recorded])
        drawn = draw_quarters(found.mask_source, chosen, [len(chosen)], meta, ratio_of_sizes=False)
        for mask, expected in zip(drawn, recorded.values(), strict=True):
            yield differing_pixels("masks by the given factor, pixels", mask, decode_rle(expected), MASKS)


def result_checks(
    results: Sequence[VideoResult], recorded: Sequence[Mapping[str, Any]], num_classes: int
) -> Iterator[Check]:
    """Compare the result json of the two videos."""
    yield from clips.result_checks(results, recorded, num_classes, SCORES, MASKS)


def part_checks(arrays: Arrays) -> Iterator[Check]:
    """Compare crop-split with its gradient, and NMS."""
    data = torch.from_numpy(arrays["crop_data"]).permute(3, 0, 1, 2).clone().requires_grad_()
    boxes = torch.from_numpy(arrays["crop_rois"])
    cropped = crop_split(data, boxes)
    cropped.backward(torch.from_numpy(arrays["crop_gout"]).permute(2, 0, 1))
    yield equal("crop-split", cropped.permute(1, 2, 0), arrays["crop_out"])
    assert data.grad is not None
    yield equal("crop-split, gradient", data.grad.permute(1, 2, 3, 0), arrays["crop_gdata"])
    first = data.detach()[:, :1].expand_as(data)
    yield equal("crop-split of one map", crop_split(first, boxes).permute(1, 2, 0), arrays["cropgt_out"])
    index, labels, scores = fast_nms(
        torch.from_numpy(arrays["nms_boxes"]), torch.from_numpy(arrays["nms_scores"]).T, 0.03, 0.5, 200, 10
    )
    yield equal("NMS rows", index, arrays["nms_out_idx"])
    yield equal("NMS labels", labels, arrays["nms_out_labels"])
    found = torch.cat((torch.from_numpy(arrays["nms_boxes"])[index], scores[:, None]), dim=1)
    yield of_maximum("NMS boxes", found, arrays["nms_out_boxes"], PART)


def recorded_frames(arrays: Arrays) -> Iterator[FrameObjects]:
    """Yield the made-up detections of the track rule, frame by frame."""
    frame = 0
    while f"track_{frame}_ids" in arrays:
        embeddings, rows, labels = (torch.from_numpy(arrays[f"track_{frame}_{name}"]) for name in PART_NAMES)
        yield FrameObjects(
            boxes=rows[:, :4].clone(),
            labels=labels,
            scores=rows[:, 4],
            box_sigma=torch.zeros(len(rows), 4),
            centerness=torch.zeros(len(rows)),
            embeddings=embeddings,
        )
        frame += 1


def track_part_checks(tracker: Tracker, arrays: Arrays) -> Iterator[Check]:
    """Compare the track rule on made-up detections of one video."""
    watched, state = WatchedTracker(tracker), tracker.start()
    for frame, objects in enumerate(recorded_frames(arrays)):
        state, ids = watched.assign(state, objects)
        yield equal("track rule, ids", ids, arrays[f"track_{frame}_ids"])
        if frame:
            expected = arrays[f"track_{frame}_comp"]
            yield absolute("track rule, comprehensive scores", watched.affinities[frame], expected, COMPREHENSIVE)
