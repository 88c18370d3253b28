import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmdet.ops.masks.segmentations import decode_rle, encode_masks
from mmdet.structures import FrameTracks, Ranking
from mmdet.tracking.accumulator import VideoAccumulator

SIZE = (12, 20)


def tracks_of(ids, masks, scores=None, labels=None):
    n = len(ids)
    return FrameTracks(
        boxes=torch.arange(4.0).repeat(n, 1) + torch.tensor(ids, dtype=torch.float32).reshape(-1, 1),
        labels=torch.tensor(labels if labels is not None else [0] * n),
        scores=torch.tensor(scores if scores is not None else [0.5] * n),
        box_sigma=torch.ones(n, 4),
        centerness=torch.ones(n),
        embeddings=torch.zeros(n, 8),
        masks=masks,
        track_ids=torch.tensor(ids, dtype=torch.int64),
    )


def nothing():
    return tracks_of([], torch.zeros(0, *SIZE, dtype=torch.bool))


def test_tubes_hold_every_mask_at_its_frame_and_none_elsewhere():
    masks = torch.from_numpy(np.random.default_rng(0).random((3, *SIZE)) < 0.4)
    accumulator = VideoAccumulator(7, SIZE)
    accumulator.add(nothing())
    accumulator.add(tracks_of([5, 2], masks[:2], scores=[0.25, 0.5], labels=[3, 1]))
    accumulator.add(nothing())
    accumulator.add(tracks_of([5], masks[2:], scores=[0.75], labels=[3]))
    result = accumulator.finish()

    assert (result.video_id, result.size, result.num_frames) == (7, SIZE, 4)
    assert [tube.track_id for tube in result.tubes] == [5, 2]
    first, second = result.tubes
    assert [rle is None for rle in first.segmentations] == [True, False, True, False]
    assert np.array_equal(decode_rle(first.segmentations[1]), masks[0].numpy())
    assert np.array_equal(decode_rle(first.segmentations[3]), masks[2].numpy())
    assert np.array_equal(decode_rle(second.segmentations[1]), masks[1].numpy())
    assert first.scores == (None, 0.25, None, 0.75)
    assert first.labels == (None, 3, None, 3)
    assert second.boxes == (None, (2.0, 3.0, 4.0, 5.0), None, None)
    assert first.score == 0.5


def test_frames_without_tracks_count():
    accumulator = VideoAccumulator(1, SIZE)
    for _ in range(3):
        accumulator.add(nothing())
    result = accumulator.finish()
    assert result.num_frames == 3
    assert result.tubes == ()


def test_finishing_early_changes_nothing_later():
    mask = torch.ones(1, *SIZE, dtype=torch.bool)
    accumulator = VideoAccumulator(1, SIZE)
    accumulator.add(tracks_of([0], mask))
    early = accumulator.finish()
    accumulator.add(tracks_of([0], mask))
    assert len(early.tubes[0].segmentations) == 1
    assert len(accumulator.finish().tubes[0].segmentations) == 2


def test_masks_of_another_size_are_refused_naming_video_and_frame():
    accumulator = VideoAccumulator(9, SIZE)
    with pytest.raises(ValueError, match="video 9, frame 0"):
        accumulator.add(tracks_of([0], torch.ones(1, 3, 3, dtype=torch.bool)))


def test_an_id_that_occurs_twice_in_a_frame_is_refused():
    accumulator = VideoAccumulator(9, SIZE)
    with pytest.raises(ValueError, match="twice"):
        accumulator.add(tracks_of([4, 4], torch.ones(2, *SIZE, dtype=torch.bool)))


def test_memory_grows_by_encodings_and_not_by_pixels():
    masks = torch.zeros(2, 360, 640, dtype=torch.bool)
    masks[:, 50:300, 100:500] = True
    frame = tracks_of([0, 1], masks)
    accumulator = VideoAccumulator(1, (360, 640))
    accumulator.add(frame)
    tracemalloc.start()
    for _ in range(10):
        accumulator.add(frame)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < masks.numel() / 4  # of 20 masks


def test_masks_that_are_encoded_already_are_not_encoded_again():
    accumulator = VideoAccumulator(1, SIZE)
    code = {"size": list(SIZE), "counts": "made elsewhere"}
    accumulator.add(tracks_of([3], torch.ones(1, *SIZE, dtype=torch.bool)), [code])
    assert accumulator.finish().tubes[0].segmentations == (code,)


def test_a_result_is_as_large_as_what_was_seen_however_many_tracks_and_frames():
    frames, new_ids = 400, 20
    masks = torch.ones(new_ids, *SIZE, dtype=torch.bool)
    codes = encode_masks(masks)
    accumulator = VideoAccumulator(1, SIZE)
    for frame in range(frames):
        accumulator.add(tracks_of(list(range(frame * new_ids, (frame + 1) * new_ids)), masks), codes)
    tracemalloc.start()
    result = accumulator.finish()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(result.tubes) == frames * new_ids
    assert grown < 1500 * frames * new_ids  # a full list of 400 frames has 3200 bytes, and there are four


def with_class_scores(ids, class_scores):
    plain = tracks_of(ids, torch.ones(len(ids), *SIZE, dtype=torch.bool))
    return replace(plain, class_scores=torch.tensor(class_scores))


def test_scores_of_classes_are_means_over_the_frames_that_show_the_object():
    accumulator = VideoAccumulator(1, SIZE)
    accumulator.add(with_class_scores([3, 4], [[0.5, 0.25], [1.0, 0.0]]))
    accumulator.add(nothing())
    accumulator.add(with_class_scores([3], [[1.0, 0.75]]))
    first, second = accumulator.finish().tubes
    assert first.classes == ((0, 0.75),)
    assert second.classes == ((0, 1.0),)


def test_tracks_of_a_model_without_scores_of_classes_are_what_most_of_their_frames_are():
    accumulator = VideoAccumulator(1, SIZE)
    accumulator.add(tracks_of([0], torch.ones(1, *SIZE, dtype=torch.bool)))
    assert accumulator.finish().tubes[0].classes is None


def test_short_tracks_get_their_share_without_scores_of_classes_too():
    accumulator = VideoAccumulator(1, SIZE, Ranking(sure_after=4))
    accumulator.add(tracks_of([0], torch.ones(1, *SIZE, dtype=torch.bool)))
    accumulator.add(nothing())
    (tube,) = accumulator.finish().tubes
    ((label, score),) = tube.classes
    assert label == tube.labels[0]
    assert score == tube.scores[0] / 2  # of two frames in one


def test_scores_of_classes_do_not_hold_the_chunk_that_they_came_in():
    rows = torch.rand(1000, 2)
    accumulator = VideoAccumulator(1, SIZE)
    tracks = with_class_scores([0], [[0.5, 0.5]])
    accumulator.add(replace(tracks, class_scores=rows[:1]))
    (seen,) = accumulator._sightings.values()
    assert seen.by_class.sums.untyped_storage().nbytes() == 8


def test_the_ranking_finds_the_classes_of_a_track():
    ranking = Ranking(label_share=0.5, sure_after=4)
    accumulator = VideoAccumulator(1, SIZE, ranking)
    accumulator.add(with_class_scores([3], [[0.5, 1.0]]))
    for _ in range(3):
        accumulator.add(nothing())
    entries = accumulator.finish().to_json([7, 9])
    assert [(entry["category_id"], entry["score"]) for entry in entries] == [(9, 0.25), (7, 0.125)]
