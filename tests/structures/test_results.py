"""Tubes and results: score, label, and the way to the result json and back."""

import pytest

from mmdet.structures import TrackTube, VideoResult

RLE = {"size": [2, 2], "counts": "04"}


def tube(labels, scores, track_id=0):
    seen = [label is not None for label in labels]
    return TrackTube(
        track_id=track_id,
        segmentations=tuple(RLE if here else None for here in seen),
        boxes=tuple((0.0, 0.0, 2.0, 2.0) if here else None for here in seen),
        labels=tuple(labels),
        scores=tuple(scores),
    )


def test_score_is_the_mean_over_seen_frames():
    assert tube([1, None, 1], [0.5, None, 0.25]).score == pytest.approx(0.375)


def test_label_is_the_majority_and_of_equal_ones_the_smallest():
    assert tube([3, 1, 3], [1, 1, 1]).label == 3
    assert tube([3, 1, 1, 3], [1, 1, 1, 1]).label == 1


def test_json_uses_the_ids_of_the_data_set():
    result = VideoResult(video_id=42, size=(2, 2), num_frames=2, tubes=(tube([1, None], [0.5, None]),))
    assert result.to_json(category_ids=[7, 30]) == [
        {"video_id": 42, "score": 0.5, "category_id": 30, "segmentations": [RLE, None]}
    ]


def test_json_with_boxes_comes_back_as_it_was():
    result = VideoResult(video_id=42, size=(2, 2), num_frames=2, tubes=(tube([1, None], [0.5, None]),))
    entries = result.to_json([7, 30], with_boxes=True)
    assert entries[0]["detections"] == [[0.0, 0.0, 2.0, 2.0], None]
    assert entries[0]["cats"] == [1, None]
    assert VideoResult.from_json(entries, 42, (2, 2), 2, [7, 30]) == result


def test_json_without_boxes_comes_back_with_the_label_and_score_of_the_track():
    result = VideoResult(video_id=42, size=(2, 2), num_frames=3, tubes=(tube([1, None, 0], [0.5, None, 0.3]),))
    again = VideoResult.from_json(result.to_json([7, 30]), 42, (2, 2), 3, [7, 30])
    assert again.tubes[0].labels == (0, None, 0)
    assert again.tubes[0].boxes == (None, None, None)
    assert again.tubes[0].score == pytest.approx(0.4)
