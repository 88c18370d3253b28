"""Rows of frames: checked shapes, indexing as a whole."""

from dataclasses import fields

import pytest
import torch

from mmdet.structures import FrameDetections, FrameTracks, FrameTruth


def detections(count=3):
    return FrameDetections(
        boxes=torch.arange(count * 4.0).view(count, 4),
        labels=torch.arange(count),
        scores=torch.linspace(0.9, 0.5, count),
        box_sigma=torch.rand(count, 4),
        centerness=torch.rand(count),
        embeddings=torch.rand(count, 8),
        masks=torch.zeros(count, 6, 7, dtype=torch.bool),
    )


def named(found):
    return {field.name: getattr(found, field.name) for field in fields(found)}


def test_indexing_takes_the_same_rows_of_everything():
    picked = detections()[torch.tensor([2, 0])]
    assert picked.labels.tolist() == [2, 0]
    assert picked.boxes[:, 0].tolist() == [8.0, 0.0]
    assert len(picked[torch.tensor([True, False])]) == 1


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"FrameTruth.boxes has shape \(2, 3\), expected \(2, 4\)"):
        FrameTruth(
            boxes=torch.zeros(2, 3),
            labels=torch.zeros(2, dtype=torch.int64),
            masks=torch.zeros(2, 4, 4, dtype=torch.bool),
            instance_ids=torch.zeros(2, dtype=torch.int64),
            is_crowd=torch.zeros(2, dtype=torch.bool),
        )


def test_different_numbers_of_rows_are_named():
    with pytest.raises(ValueError, match=r"track_ids has shape \(2,\), expected \(3\)"):
        FrameTracks(**named(detections()), track_ids=torch.tensor([1, 2]))


def test_tracks_keep_what_detections_say():
    found = detections()
    tracks = FrameTracks(**named(found), track_ids=torch.tensor([5, 0, 2]))
    assert torch.equal(tracks.boxes, found.boxes)
    assert tracks.track_ids.tolist() == [5, 0, 2]


def test_an_empty_truth_has_the_size_of_its_frame():
    assert FrameTruth.empty((4, 5)).masks.shape == (0, 4, 5)
