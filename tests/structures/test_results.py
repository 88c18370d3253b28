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
    (own,) = result.tubes
    again = VideoResult.from_json(entries, 42, (2, 2), 2, [7, 30])
    assert again == replace(result, tubes=(replace(own, classes=((1, 0.5),)),))


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


def ranked(ranking, means=None, seen=4, num_frames=9):
    return ranking.classes(label=1, score=0.9, seen=seen, num_frames=num_frames, means=means)


def test_without_scores_of_classes_a_track_has_the_most_frequent_label_and_the_mean_of_its_scores():
    assert ranked(Ranking()) == ranked(Ranking(label_share=0.1)) == ((1, 0.9),)


def test_a_track_is_of_the_class_with_the_best_mean_score_whatever_its_frames_were_taken_for():
    assert ranked(Ranking(), means=(0.6, 0.5)) == ((0, 0.6),)


def test_of_equally_good_classes_the_first_counts():
    assert ranked(Ranking(), means=(0.1, 0.5, 0.5)) == ((1, 0.5),)


def test_a_track_also_counts_as_every_class_with_enough_of_its_best_score():
    means = (0.3, 0.8, 0.4, 0.39)
    assert ranked(Ranking(label_share=0.5), means) == ((1, 0.8), (2, 0.4))
    assert ranked(Ranking(label_share=1.0), means) == ranked(Ranking(), means) == ((1, 0.8),)
    assert [label for label, _ in ranked(Ranking(label_share=0.1), means)] == [1, 2, 3, 0]


@pytest.mark.parametrize(("frames", "share"), [(1, 0.25), (2, 0.5), (4, 1.0), (9, 1.0)])
@pytest.mark.parametrize("means", [None, (0.2, 0.9)])
@pytest.mark.parametrize("label_share", [0.0, 0.9])
def test_short_tracks_get_their_share_of_the_score(frames, share, means, label_share):
    ranking = Ranking(label_share=label_share, sure_after=4)
    ((label, score),) = ranked(ranking, means, seen=frames, num_frames=12)
    assert label == 1
    assert score == pytest.approx(0.9 * share)


@pytest.mark.parametrize(("seen", "num_frames", "share"), [(1, 1, 1.0), (1, 2, 0.5), (2, 2, 1.0), (2, 3, 2 / 3)])
def test_a_video_of_few_frames_asks_no_more_of_a_track_than_it_has(seen, num_frames, share):
    ((_, score),) = ranked(Ranking(sure_after=4), seen=seen, num_frames=num_frames)
    assert score == pytest.approx(0.9 * share)


def test_a_track_is_shown_as_its_best_class_with_the_score_that_it_is_written_with():
    own = replace(tube([1, 1], [0.9, 0.9]), classes=((0, 0.5), (1, 0.4)))
    result = VideoResult(video_id=42, size=(2, 2), num_frames=2, tubes=(own,))
    assert (own.label, own.score) == (0, 0.5)
    assert [(entry["category_id"], entry["score"]) for entry in result.to_json([7, 30])] == [(7, 0.5), (30, 0.4)]


def test_classes_of_a_track_share_its_masks_and_boxes():
    scored = replace(tube([1, None], [0.5, None]), classes=((1, 0.5), (0, 0.4)))
    result = VideoResult(video_id=42, size=(2, 2), num_frames=2, tubes=(scored,))
    first, second = result.to_json([7, 30], with_boxes=True)
    assert [(entry["category_id"], entry["score"]) for entry in (first, second)] == [(30, 0.5), (7, 0.4)]
    assert all(first[name] == second[name] for name in ("segmentations", "detections", "cats"))


def entry(category_id, score, *masks):
    return {"video_id": 1, "category_id": category_id, "score": score, "segmentations": list(masks)}


OTHER = {"size": [2, 2], "counts": "13"}


def test_entries_of_one_track_come_back_as_one_with_all_its_classes():
    entries = [entry(7, 0.3, RLE, None), entry(30, 0.8, None, OTHER), entry(30, 0.5, RLE, None)]
    first, second = VideoResult.from_json(entries, 1, (2, 2), 2, [7, 30]).tubes
    assert (first.track_id, first.label, first.score, first.classes) == (0, 1, 0.5, ((1, 0.5), (0, 0.3)))
    assert (first.labels, first.scores) == ((1, None), (0.5, None))
    assert (second.track_id, second.label, second.score) == (1, 1, 0.8)


def test_what_is_read_is_written_again_entry_by_entry():
    entries = [entry(7, 0.5, RLE, None), entry(30, 0.1, RLE, None), entry(30, 0.8, None, OTHER)]
    assert VideoResult.from_json(entries, 1, (2, 2), 2, [7, 30]).to_json([7, 30]) == entries


def test_ids_count_the_tracks_of_a_file_and_not_its_entries():
    entries = [entry(7, 0.5, RLE), entry(30, 0.1, RLE), entry(7, 0.2, None), entry(7, 0.4, OTHER)]
    assert [tube.track_id for tube in VideoResult.from_json(entries, 1, (2, 2), 1, [7, 30]).tubes] == [0, 2]
