"""Targets of points, and the track rule, as recorded from the published systems (BASELINES.md 1.4, 2.2 and 4)."""

import numpy as np
import pytest
import torch

from mmdet.models.assigners import RangeAssigner
from mmdet.structures import FrameObjects, PaddedTruth, PointGrid
from mmdet.tracking import Tracker
from mmdet.tracking.affinity import affinity

STRIDES = (8, 16, 32, 64, 128)
SIZES = ((20, 28), (10, 14), (5, 7), (3, 4), (2, 2))
POINTS = PointGrid.make((160, 224), SIZES, STRIDES, torch.device("cpu"))
COMPREHENSIVE = 2e-4


def truth_of(boxes, labels):
    """Truth of images from their boxes and 1-based labels."""
    rows = max(len(own) for own in boxes)
    padded = torch.stack([torch.cat((torch.from_numpy(own), torch.zeros(rows - len(own), 4))) for own in boxes])
    known = torch.zeros(len(boxes), rows, dtype=torch.int64)
    valid = torch.zeros(len(boxes), rows, dtype=torch.bool)
    for index, own in enumerate(labels):
        known[index, : len(own)], valid[index, : len(own)] = torch.from_numpy(own) - 1, True
    return PaddedTruth(
        boxes=padded,
        labels=known,
        valid=valid,
        is_crowd=torch.zeros_like(valid),
        half_masks=torch.zeros(len(boxes), rows, 1, 1, dtype=torch.bool),
        reference_boxes=padded,
        reference_valid=valid,
        match=torch.full_like(known, -1),
    )


def test_made_up_objects_are_assigned_as_recorded(recorded_parts):
    part = recorded_parts("sipmask_vis")
    found = RangeAssigner()(POINTS, truth_of([part["target_gts"]], [part["target_gt_labels"]]))
    assert np.array_equal(found.labels[0] + 1, part["target_labels"])
    positive = found.positive[0]
    assert np.array_equal(found.owner[0][positive], part["target_gt_of_pos"])
    assert np.array_equal(found.ltrb[0][positive], part["target_ltrb"][positive])


def test_objects_of_sipmask_are_assigned_as_recorded(recorded):
    arrays, _ = recorded("sipmask_vis", 0)
    images = range(2)
    truth = truth_of([arrays[f"boxes_{b}"] for b in images], [arrays[f"labels_{b}"] for b in images])
    found = RangeAssigner()(POINTS, truth)
    for b in images:
        positive = found.positive[b]
        assert np.array_equal(found.labels[b] + 1, arrays[f"assign_labels_{b}"])
        assert np.array_equal(found.owner[b][positive], arrays[f"assign_gt_of_pos_{b}"])
        assert np.array_equal(found.ltrb[b][positive], arrays[f"assign_ltrb_of_pos_{b}"])


def test_objects_of_fcos_are_assigned_as_recorded(recorded):
    arrays, notes = recorded("fcos", 0)
    truth = truth_of([arrays["boxes_0"], arrays["boxes_1"]], [arrays["labels_0"], arrays["labels_1"]])
    found = RangeAssigner(center_radius=None)(POINTS, truth)
    assert found.positive.sum() == notes["train"]["num_pos"]
    counts = POINTS.level_counts
    labels, ltrb, positive = (part.split(counts, dim=1) for part in (found.labels, found.ltrb, found.positive))
    for level in range(len(counts)):
        assert np.array_equal(labels[level].flatten() + 1, arrays[f"assign_labels_l{level}"])
        assert np.array_equal(ltrb[level][positive[level]], arrays[f"assign_ltrb_of_pos_l{level}"])


@pytest.mark.parametrize("system", ["sipmask_vis", "masktrack_rcnn"])
def test_the_track_rule_with_inner_products_gives_the_recorded_ids(system, recorded_parts, recorded):
    tracker = Tracker(affinity="inner_product")
    for frames in clips(system, recorded_parts, recorded):
        state = tracker.start()
        for objects, expected_ids, expected_scores in frames:
            if len(state):
                boxes, labels = objects.boxes.numpy(), objects.labels.numpy()
                found = affinity(objects.embeddings, boxes, labels, objects.scores, state, 1.0, tracker.weights)
                error = np.abs(found - expected_scores).max()
                assert error <= COMPREHENSIVE * np.abs(expected_scores).max()
            state, ids = tracker.assign(state, objects)
            assert [i for i in ids.tolist() if i >= 0] == [i for i in expected_ids.tolist() if i >= 0]


def clips(system, recorded_parts, recorded):
    """Return the recorded detections, ids and scores of frames: of made-up detections, and of a network's."""
    arrays = recorded(system, 0)[0] if system == "masktrack_rcnn" else recorded_parts(system)
    prefixes = [f"v0_f{t}" for t in range(6)] if system == "masktrack_rcnn" else [f"track_{t}" for t in range(8)]
    assert f"{prefixes[-1]}_ids" in arrays
    yield [
        (
            objects_of(*(torch.from_numpy(arrays[f"{prefix}_{name}"]) for name in ("emb", "boxes", "labels"))),
            arrays[f"{prefix}_ids"],
            arrays.get(f"{prefix}_comp"),
        )
        for prefix in prefixes
    ]


def objects_of(embeddings, rows, labels):
    return FrameObjects(
        boxes=rows[:, :4],
        labels=labels,
        scores=rows[:, 4],
        box_sigma=torch.zeros(len(rows), 4),
        centerness=torch.zeros(len(rows)),
        embeddings=embeddings,
    )
