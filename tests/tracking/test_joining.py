"""Tracks of a finished video that are one object become one."""

import numpy as np
import pytest
import torch

from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import FrameTracks, Ranking
from mmdet.tracking.accumulator import VideoAccumulator
from mmdet.tracking.joining import Joining, Seen

SIZE = (10, 40)
LOOKS = np.eye(4)


def code(left):
    mask = np.zeros((1, *SIZE), bool)
    mask[:, :, left : left + 4] = True
    return encode_masks(mask)[0]


def track(frames, look=0, left=0, classes=(0.8, 0.2)):
    look = LOOKS[look] if isinstance(look, int) else np.asarray(look, float)
    return Seen({frame: code(left) for frame in frames}, look * len(frames), np.array(classes) * len(frames))


def groups(*tracks, **settings):
    return Joining(**settings).groups(tracks)


def test_a_track_that_is_lost_and_found_again_is_one():
    assert groups(track([0, 1]), track([0, 1], look=1, left=20), track([4, 5], left=8)) == [(0, 2), (1,)]


def test_two_tracks_that_look_different_stay_two():
    assert groups(track([0, 1]), track([4, 5], look=1)) == [(0,), (1,)]


def test_a_look_alike_of_another_class_stays_another_track():
    look, class_of_its_own = [0.9, 0.4, 0, 0], (0.0, 1.0)
    assert groups(track([0], classes=(1.0, 0.0)), track([4], look, classes=class_of_its_own)) == [(0,), (1,)]
    assert groups(track([0], classes=(0.0, 1.0)), track([4], look, classes=class_of_its_own)) == [(0, 1)]


@pytest.mark.parametrize(("beside", "found"), [(3, [(0, 1)]), (4, [(0,), (1,)])])
def test_look_alikes_beside_each_other_in_more_than_three_frames_are_two_objects(beside, found):
    assert groups(track(range(6)), track(range(beside), left=20)) == found


def test_two_tracks_on_one_object_are_one_however_long_they_go_on():
    assert groups(track(range(30)), track(range(30), left=3)) == [(0, 1)]  # IoU 1 / 7
    assert groups(track(range(30)), track(range(30), left=3), same_iou=0.2) == [(0,), (1,)]


def test_the_tracks_that_are_most_alike_are_joined_first():
    """The middle one is like both, which are beside each other, and more like the last."""
    first, last = track(range(4)), track(range(4), look=[0.6, 0.8, 0, 0], left=20)
    assert groups(first, track([8], look=[0.75, 0.66, 0, 0]), last) == [(0,), (1, 2)]


def test_a_joined_track_is_compared_by_all_that_was_seen_of_it():
    """The last one is like the first alone, and beside the second."""
    tracks = track([0]), track(range(2, 7), look=[0.8, 0.6, 0, 0]), track(range(2, 7), left=20)
    assert groups(*tracks[:1], *tracks[2:]) == [(0, 1)]
    joined_before = track([0], look=[0.8, 0.6, 0, 0])
    assert groups(joined_before, *tracks[1:]) == [(0, 1), (2,)]


def test_looks_that_are_no_numbers_join_nothing():
    assert groups(track([0], look=[np.nan] * 4), track([4]), track([8])) == [(0,), (1, 2)]


def test_few_tracks_are_no_special_case():
    assert groups() == []
    assert groups(track([0])) == [(0,)]


def seen(ids, lefts, looks, scores, class_scores=None, labels=None):
    count = len(ids)
    masks = torch.zeros(count, *SIZE, dtype=torch.bool)
    for mask, left in zip(masks, lefts, strict=True):
        mask[:, left : left + 4] = True
    return FrameTracks(
        boxes=torch.tensor([[left, 0, left + 4, 10] for left in lefts], dtype=torch.float32).reshape(count, 4),
        labels=torch.tensor(labels or [0] * count),
        scores=torch.tensor(scores),
        box_sigma=torch.zeros(count, 4),
        centerness=torch.zeros(count),
        embeddings=5 * torch.eye(4)[looks].reshape(count, 4),
        class_scores=None if class_scores is None else torch.tensor(class_scores),
        masks=masks,
        track_ids=torch.tensor(ids),
    )


def accumulated(*frames, joining=None, ranking=None):
    accumulator = VideoAccumulator(1, SIZE, ranking or Ranking(label_share=0.1), joining or Joining())
    for frame in frames:
        accumulator.add(frame)
    return accumulator


def test_a_joined_track_has_the_first_id_all_frames_and_the_mean_of_all_class_scores():
    accumulator = accumulated(
        seen([3], [0], [0], [0.8], [[0.8, 0.1]]),
        seen([4], [20], [1], [0.9], [[0.1, 0.9]]),
        seen([7], [8], [0], [0.6], [[0.5, 0.6]]),
    )
    one, other = accumulator.finish().tubes
    assert (one.track_id, other.track_id) == (3, 4)
    assert [box and box[0] for box in one.boxes] == [0, None, 8]
    assert one.scores == (pytest.approx(0.8), None, pytest.approx(0.6))
    assert one.classes == ((0, pytest.approx(0.65)), (1, pytest.approx(0.35)))


def test_of_two_sightings_in_a_frame_the_better_one_stands():
    frames = [seen([3, 4], [0, 2], [0, 0], scores, [[0.5, 0.1]] * 2) for scores in ([0.8, 0.6], [0.4, 0.7])]
    (tube,) = accumulated(*frames).finish().tubes
    assert [box[0] for box in tube.boxes] == [0, 2]
    assert tube.scores == (pytest.approx(0.8), pytest.approx(0.7))


def test_short_tracks_that_are_joined_get_their_share_together():
    frames = [seen([frame], [0], [0], [0.8], [[0.8, 0.1]]) for frame in range(4)]
    (tube,) = accumulated(*frames, ranking=Ranking(sure_after=4)).finish().tubes
    assert tube.score == pytest.approx(0.8)


def test_without_scores_of_classes_tracks_are_compared_by_their_labels():
    frames = [seen([3], [0], [0], [0.8], labels=[2]), seen([4], [0], [0], [0.8], labels=[2])]
    (tube,) = accumulated(*frames).finish().tubes
    assert (tube.track_id, tube.label, tube.score) == (3, 2, pytest.approx(0.8))


def test_frames_may_be_added_after_a_result_was_asked_for():
    frames = [seen([frame], [0], [0], [0.8], [[0.8, 0.1]]) for frame in range(4)]
    accumulator = accumulated(*frames[:2])
    accumulator.finish()
    for frame in frames[2:]:
        accumulator.add(frame)
    assert accumulator.finish() == accumulated(*frames).finish()


def test_a_result_without_joining_is_that_of_the_stream():
    frames = [seen([frame], [0], [0], [0.8], [[0.8, 0.1]]) for frame in range(3)]
    accumulator = VideoAccumulator(1, SIZE)
    for frame in frames:
        accumulator.add(frame)
    assert [tube.track_id for tube in accumulator.finish().tubes] == [0, 1, 2]
