"""The small model in evaluation: network outputs, detections, ids and masks of two six-frame clips."""

import json

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from mmdet.structures import FrameMeta
from mmdet.tracking import Tracker

META = {"192x256": ((270, 360), (189, 252), 0.7), "160x224": ((256, 341), (160, 213), 0.625)}


@pytest.fixture
def clip(golden, size):
    return np.load(golden / "seed0" / f"eval_{size}.npz")


def images_of(clip):
    images = torch.from_numpy(clip["images_i8"]).float() / 32
    return images[:, None], torch.ones(len(images), 1, *images.shape[-2:], dtype=torch.bool)


def assert_close(actual, expected, name, tolerance=1e-5):
    expected = torch.from_numpy(np.asarray(expected, dtype=np.float64))
    error = (actual.double() - expected).abs().max() / expected.abs().max()
    assert error <= tolerance, f"{name}: {error:.2e} of the maximum"


def flat(clip, name):
    return np.concatenate(
        [clip[f"{name}_{level}"][0].reshape(clip[f"{name}_{level}"].shape[1], -1) for level in range(4)], 1
    ).T


def test_backbone_and_neck_maps(small_model, clip):
    images, _ = images_of(clip)
    with torch.no_grad():
        maps = small_model.backbone(images[:1, 0])
        pyramid = small_model.neck(maps)
    for level in range(3):
        assert_close(maps[level], clip[f"vit_{level}"], f"vit_{level}")
    for level in range(4):
        assert_close(pyramid[level], clip[f"fpn_{level}"], f"fpn_{level}")


def test_head_outputs(small_model, clip):
    images, valid = images_of(clip)
    with torch.no_grad():
        out = small_model(images[:1], valid[:1])
    assert_close(out.cls_logits[0], flat(clip, "cls"), "cls")
    assert_close(out.centerness_logits[0], flat(clip, "center")[:, 0], "center")
    raw = torch.from_numpy(flat(clip, "reg"))
    assert_close(out.box_ltrb[0], raw[:, :4].sigmoid(), "box")
    assert_close(out.box_sigma[0], 0.1 + 0.9 * torch.nn.functional.softplus(raw[:, 4:]), "sigma")
    rel_pos = np.concatenate([clip[f"relpos_{level}"][0] for level in range(4)])
    assert_close(out.points.xy / out.points.box_scale[:2], rel_pos, "points")
    assert_close(out.embedding_map, clip["track_feats"], "track_feats")
    assert tuple(out.mask_basis.shape) == tuple(clip["feat_masks_shape"])
    assert_close(out.mask_basis[:, :, 1::4, 2::4], clip["feat_masks_sub"], "feat_masks")
    assert_close(out.mask_basis.double().sum((2, 3)), clip["feat_masks_chan_sum"], "feat_masks_chan_sum")


def test_detections_ids_and_masks_of_the_clip(small_model, clip, golden, size):
    original, resized, scale = META[size]
    images, valid = images_of(clip)
    rles = json.loads((golden / "seed0" / "rles.json").read_text())[size]
    tracker = Tracker()
    state = tracker.start()
    for frame in range(len(images)):
        meta = FrameMeta(video_id=1, frame_index=frame, original_size=original, input_size=resized, scale=scale)
        with torch.no_grad():
            detections = small_model.predict(small_model(images[frame : frame + 1], valid[frame : frame + 1]), [meta])[
                0
            ]
        expected = clip[f"f{frame}_boxes"]
        rows = torch.cat(
            [detections.boxes, detections.scores[:, None], detections.box_sigma, detections.centerness[:, None]], 1
        )
        assert detections.labels.tolist() == clip[f"f{frame}_labels"].tolist()
        np.testing.assert_allclose(rows[:, :4], expected[:, :4], atol=2e-3, rtol=0)
        np.testing.assert_allclose(rows[:, 4:], expected[:, 4:], atol=1e-5, rtol=1e-5)
        after, ids = tracker.assign(state, detections)
        assert ids.tolist() == clip[f"f{frame}_ids"].tolist()
        state, tracks = tracker.step(state, detections)
        assert state.track_ids.tolist() == after.track_ids.tolist()
        assert sorted(tracks.track_ids.tolist()) == sorted(int(key) for key in rles[frame])
        for track_id, mask in zip(tracks.track_ids.tolist(), tracks.masks, strict=True):
            truth = coco_mask.decode(rles[frame][str(track_id)]).astype(bool)
            assert int((truth != mask.numpy()).sum()) <= 2
