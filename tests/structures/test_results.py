"""Tubes and results: score, label, and the way to the result json and back."""

import json
import pickle
from dataclasses import replace

import pytest

from mmdet.structures import PerFrame, Ranking, TrackTube, VideoResult, results_to_json

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


def test_values_of_some_frames_are_a_sequence_of_all():
    values = PerFrame(5, (1, 3), ("a", "b"))
    assert list(values) == [None, "a", None, "b", None]
    assert [values[index] for index in range(-5, 5)] == 2 * [None, "a", None, "b", None]
    assert values[1:4] == ["a", None, "b"]
    assert len(values) == 5
    with pytest.raises(IndexError):
        values[5]


def test_values_of_some_frames_equal_the_same_list_and_nothing_else():
    values = PerFrame(3, (1,), (7,))
    assert values == (None, 7, None)
    assert values == [None, 7, None]
    assert values == pickle.loads(pickle.dumps(values))
    assert values != (None, 7)
    assert values != (7, None, None)
    assert values != "abc"
    assert values != 7


def test_entries_of_a_data_set_stay_sparse_and_the_json_is_full():
    sparse = TrackTube(
        track_id=0,
        segmentations=PerFrame(3, (1,), (RLE,)),
        boxes=PerFrame(3, (1,), ((0.0, 0.0, 2.0, 2.0),)),
        labels=PerFrame(3, (1,), (1,)),
        scores=PerFrame(3, (1,), (0.5,)),
    )
    result = VideoResult(video_id=42, size=(2, 2), num_frames=3, tubes=(sparse,))
    (entry,) = results_to_json([result], [7, 30], with_boxes=True)
    assert isinstance(entry["segmentations"], PerFrame)
    (full,) = result.to_json([7, 30], with_boxes=True)
    assert json.loads(json.dumps(full)) == entry
    assert full["detections"] == [None, [0.0, 0.0, 2.0, 2.0], None]


def test_a_track_that_is_never_seen_is_left_out():
    entries = [
        {"video_id": 1, "category_id": 7, "score": 0.5, "segmentations": [None, None]},
        {"video_id": 1, "category_id": 7, "score": 0.25, "segmentations": [None, RLE]},
    ]
    (only,) = VideoResult.from_json(entries, 1, (2, 2), 2, [7]).tubes
    assert (only.track_id, only.score) == (1, 0.25)


def test_by_default_a_track_is_written_as_its_own_class_with_its_score():
    plain = tube([1, 1, 0], [0.5, 0.7, 0.3])
    scored = replace(plain, class_scores=(0.9, 0.1))
    for one in (plain, scored):
        assert Ranking().of(one) == [(1, one.score)]


def test_a_track_is_written_as_every_class_with_enough_of_its_best_score():
    scored = replace(tube([1], [0.8]), class_scores=(0.3, 0.8, 0.4, 0.39))
    assert Ranking(label_share=0.5).of(scored) == [(1, 0.8), (2, 0.4)]
    assert Ranking(label_share=1.0).of(scored) == [(1, 0.8)]
    assert [label for label, _ in Ranking(label_share=0.1).of(scored)] == [1, 2, 3, 0]


@pytest.mark.parametrize(("frames", "share"), [(1, 0.25), (2, 0.5), (4, 1.0), (9, 1.0)])
@pytest.mark.parametrize("class_scores", [None, (0.2, 0.8)])
@pytest.mark.parametrize("label_share", [0.0, 0.9])
def test_short_tracks_get_their_share_of_the_score(frames, share, class_scores, label_share):
    short = replace(tube([1] * frames + [None] * 3, [0.8] * frames + [None] * 3), class_scores=class_scores)
    ((label, score),) = Ranking(label_share=label_share, sure_after=4).of(short)
    assert label == 1
    assert score == pytest.approx(0.8 * share)


def test_classes_of_a_track_share_its_masks_and_boxes():
    scored = replace(tube([1, None], [0.5, None]), class_scores=(0.4, 0.5))
    result = VideoResult(video_id=42, size=(2, 2), num_frames=2, tubes=(scored,), ranking=Ranking(label_share=0.5))
    first, second = result.to_json([7, 30], with_boxes=True)
    assert [(entry["category_id"], entry["score"]) for entry in (first, second)] == [(30, 0.5), (7, 0.4)]
    assert all(first[name] == second[name] for name in ("segmentations", "detections", "cats"))


def test_a_result_without_a_ranking_is_written_as_before():
    own = tube([1, None], [0.5, None])
    tubes = own, replace(own, class_scores=(0.4, 0.5))
    results = [VideoResult(video_id=42, size=(2, 2), num_frames=2, tubes=(each,)) for each in tubes]
    plain, other = (json.dumps(result.to_json([7, 30])) for result in results)
    assert plain == other
