"""The tracker by looks: ids through motion, crossings and gaps, and state that belongs to one video only."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmdet.registry import TRACKERS
from mmdet.structures import FrameObjects, Ranking
from mmdet.tracking import AppearanceTracker

CLASSES = 3


def detect(*rows, class_scores=True, noise=0.0, seed=0):
    """Each row is (look, x of the box, label, score)."""
    count, source = len(rows), torch.Generator().manual_seed(seed)
    x = torch.tensor([row[1] for row in rows], dtype=torch.float32)
    labels = torch.tensor([row[2] for row in rows], dtype=torch.int64)
    scores = torch.tensor([row[3] for row in rows], dtype=torch.float32)
    looks = torch.eye(8)[[row[0] for row in rows]].view(count, 8) + noise * torch.randn(count, 8, generator=source)
    return FrameObjects(
        boxes=torch.stack([x, torch.zeros(count), x + 20, torch.full((count,), 20.0)], dim=1),
        labels=labels,
        scores=scores,
        box_sigma=torch.zeros(count, 4),
        centerness=torch.zeros(count),
        embeddings=5 * looks,
        class_scores=F.one_hot(labels, CLASSES) * scores[:, None] + 0.01 if class_scores else None,
    )


def run(tracker, frames):
    state, ids = tracker.start(), []
    for frame in frames:
        state, own = tracker.assign(state, frame)
        ids.append(own.tolist())
    return ids


A, B, C = (0, 0, 1, 0.9), (1, 50, 1, 0.8), (2, 100, 2, 0.7)
NONE = detect()


@pytest.fixture
def tracker():
    return AppearanceTracker()


def test_objects_keep_their_ids_whatever_their_order(tracker):
    assert run(tracker, [detect(A, B, C), detect(C, A, B), detect(B, A)]) == [[0, 1, 2], [2, 0, 1], [1, 0]]


def test_an_object_keeps_its_id_while_it_moves(tracker):
    frames = [detect((0, 15 * step, 1, 0.9), (1, 300 - 15 * step, 1, 0.9), noise=0.2, seed=step) for step in range(20)]
    assert run(tracker, frames) == [[0, 1]] * 20


@pytest.mark.parametrize("gap", [0, 3])
def test_objects_of_one_class_that_cross_keep_their_ids(tracker, gap):
    """They lie on each other in the middle, or are not seen there."""
    frames = []
    for step in range(21):
        both = ((0, 10 * step, 1, 0.9), (1, 200 - 10 * step, 1, 0.9))
        both = both if step % 2 else both[::-1]
        frames.append(NONE if abs(step - 10) < gap else detect(*both, noise=0.2, seed=step))
    for step, ids in enumerate(run(tracker, frames)):
        first, second = (0, 1) if step % 2 == 0 else (1, 0)
        assert ids in ([], [first, second]), step


def test_objects_that_look_alike_are_told_apart_by_their_places(tracker):
    frames = [detect((0, 4 * step, 1, 0.9), (0, 200 - 4 * step, 1, 0.9)) for step in range(10)]
    assert run(tracker, frames) == [[0, 1]] * 10


def test_alike_objects_are_looked_for_where_they_were_going(tracker):
    """Each jumps to where the other was a frame before: without motion they would swap."""
    frames = [detect((0, 20 * step, 1, 0.9), (0, 20 * step + 20, 1, 0.9)) for step in range(6)]
    slow = [detect((0, 8 * step, 1, 0.9), (0, 8 * step + 20, 1, 0.9)) for step in range(4)]
    begun = [detect((0, 24 + 12 * step, 1, 0.9), (0, 44 + 12 * step, 1, 0.9)) for step in range(1, 4)]
    assert run(tracker, slow + begun) == [[0, 1]] * 7
    state = tracker.start()
    for frame in frames[:2]:
        state, _ = tracker.assign(state, frame)
    state = replace(state, motion=np.full((2, 4), [20, 0, 20, 0], np.float32), boxes=frames[1].boxes.numpy().copy())
    assert tracker.assign(state, frames[2])[1].tolist() == state.track_ids.tolist()


def test_an_object_that_is_gone_for_long_comes_back_under_its_id(tracker):
    away = [detect(B)] * 15 + [NONE] * 15
    assert run(tracker, [detect(A, B), *away, detect((0, 500, 1, 0.9), (1, 10, 1, 0.9))])[-1] == [0, 1]


def test_another_look_of_another_class_is_a_new_object(tracker):
    assert run(tracker, [detect(A), detect(C)]) == [[0], [1]]


def test_a_detection_takes_a_track_that_no_better_one_takes(tracker):
    alike = detect((0, 0, 1, 0.9), (0, 400, 1, 0.9))
    assert run(tracker, [detect(A), alike]) == [[0], [0, 1]]


def test_a_pair_that_does_not_match_does_not_pull_others_apart():
    """Two detections are like the track of the first; the second is not enough like any other track."""
    tracker = AppearanceTracker(box_weight=0.0, class_weight=0.0, least=0.5)
    state, _ = tracker.assign(tracker.start(), detect((0, 0, 1, 0.9), (1, 0, 1, 0.9)))
    both = detect((0, 0, 1, 0.9), (2, 0, 1, 0.9))
    looks = F.normalize(torch.tensor([[0.8, 0.6, 0, 0, 0, 0, 0, 0], [0.6, 0, 0.8, 0, 0, 0, 0, 0]]), dim=1)
    # to tracks 0 and 1: 0.8, 0.6 and 0.6, 0: the larger sum of all pairs is that of the crossed ones
    assert tracker.assign(state, replace(both, embeddings=looks))[1].tolist() == [0, 2]


def test_a_look_of_no_numbers_matches_nothing_and_does_not_end_the_video(tracker):
    broken = replace(detect(A), embeddings=torch.full((1, 8), torch.nan))
    assert run(tracker, [detect(A, B), broken, detect(A, B), broken]) == [[0, 1], [2], [0, 1], [3]]


def test_a_track_that_missed_a_frame_is_looked_for_two_steps_on():
    tracker = AppearanceTracker()
    state = tracker.start()
    for frame in (detect((0, 0, 1, 0.9)), detect((0, 10, 1, 0.9)), NONE):
        state, _ = tracker.assign(state, frame)
    fits = []
    for x in (20, 30):
        found = detect((0, x, 1, 0.9))
        looks = np.eye(8, dtype=np.float32)[:1]
        fits.append(tracker.gain(state, looks, found.boxes.numpy(), found.class_scores.numpy()).item())
    assert fits[1] == pytest.approx(fits[0] + 0.5 * (1 - 11 / 31), abs=0.02)  # the overlap at 30 is whole


def test_ids_are_never_used_again():
    tracker = AppearanceTracker()
    frames = [detect((look, 60 * look, look % 3, 0.9)) for look in (0, 1, 2, 0, 3, 4)]
    assert run(tracker, frames) == [[0], [1], [2], [0], [3], [4]]


def test_a_forgotten_tracks_id_is_not_used_again():
    tracker = AppearanceTracker(max_tracks=2)
    frames = [detect((look, 200 * look, look % 3, 0.9)) for look in (0, 1, 2, 0, 2, 4)]
    assert run(tracker, frames) == [[0], [1], [2], [3], [2], [4]]  # 0 was seen longest ago when 2 came


def test_no_more_tracks_are_kept_than_allowed():
    tracker = AppearanceTracker(max_tracks=3)
    state = tracker.start()
    for look in range(8):
        state, _ = tracker.assign(state, detect((look, 300 * look, 0, 0.9), (7 - look, 300 * look + 100, 1, 0.9)))
        assert len(state) <= 3
    assert len({len(getattr(state, name)) for name in ("track_ids", "looks", "class_sums", "boxes", "motion")}) == 1


def test_poor_detections_continue_tracks_but_start_none():
    tracker = AppearanceTracker(birth_score=0.5)
    frames = [detect((0, 0, 1, 0.3)), detect(A), detect((0, 0, 1, 0.3), (1, 80, 1, 0.3)), detect(B)]
    assert run(tracker, frames) == [[-1], [0], [0, -1], [1]]


def test_the_share_that_a_match_needs_is_a_setting():
    frames = [detect(A), detect((1, 400, 1, 0.9))]  # another look of the same class
    assert run(AppearanceTracker(least=0.3, least_look=0.0), frames) == [[0], [0]]
    assert run(AppearanceTracker(least=0.7, least_look=0.0), frames) == [[0], [1]]


def test_a_newcomer_of_the_same_class_does_not_take_the_id_of_one_that_has_left(tracker):
    assert run(tracker, [detect(A), NONE, NONE, NONE, detect((1, 400, 1, 0.9)), detect(A)]) == [
        [0],
        [],
        [],
        [],
        [1],
        [0],
    ]


def test_an_object_in_its_place_keeps_its_id_though_it_looks_otherwise(tracker):
    assert run(tracker, [detect(A), detect((1, 5, 1, 0.9))]) == [[0], [0]]


def test_a_model_without_scores_of_classes_is_tracked_by_its_labels(tracker):
    first, second, third = (detect(*rows, class_scores=False) for rows in ([A], [A, C], [C, (3, 300, 0, 0.9)]))
    assert run(tracker, [first, second, third]) == [[0], [0, 1], [1, 2]]


def test_more_classes_than_before_widen_what_is_known(tracker):
    state, _ = tracker.assign(tracker.start(), detect((0, 0, 0, 0.9), class_scores=False))
    assert state.class_sums.shape == (1, 1)
    state, ids = tracker.assign(state, detect((0, 0, 0, 0.9), (1, 90, 2, 0.5), class_scores=False))
    assert ids.tolist() == [0, 1]
    np.testing.assert_allclose(state.class_sums, [[1.8, 0, 0], [0, 0, 0.5]], rtol=1e-6)
    state, ids = tracker.assign(state, detect((0, 0, 0, 0.9), class_scores=False))  # narrower again
    assert ids.tolist() == [0]


def test_a_track_whose_class_wavers_goes_by_all_it_was(tracker):
    wavering = [detect((0, 0, label, 0.9)) for label in (1, 1, 2, 1)]
    assert run(tracker, wavering) == [[0]] * 4


def test_states_are_never_changed(tracker):
    state, _ = tracker.assign(tracker.start(), detect(A, B))
    before = copy.deepcopy(state)
    for frame in (detect((0, 30, 1, 0.9), C), NONE, detect(C)):
        tracker.assign(state, frame)
    for name in before.__dataclass_fields__:
        assert np.array_equal(getattr(state, name), getattr(before, name)), name


def test_detections_are_neither_changed_nor_kept(tracker):
    frame = detect(A, B)
    kept = copy.deepcopy(frame)
    state, _ = tracker.assign(tracker.start(), frame)
    state, _ = tracker.assign(state, frame)
    assert all(torch.equal(getattr(frame, name), getattr(kept, name)) for name in kept.__dataclass_fields__)
    frame.boxes.fill_(-1)
    frame.class_scores.fill_(-1)
    assert (state.boxes >= 0).all()
    assert (state.class_sums >= 0).all()


def test_two_videos_at_once_are_tracked_as_one_after_the_other(tracker):
    first = [detect((0, 5 * step, 1, 0.9), (1, 90, 2, 0.9)) for step in range(6)]
    second = [detect((1, 5 * step, 1, 0.9)) if step % 2 else NONE for step in range(6)]
    states, ids = [tracker.start(), tracker.start()], ([], [])
    for frames in zip(first, second, strict=True):
        for place, frame in enumerate(frames):
            states[place], own = tracker.assign(states[place], frame)
            ids[place].append(own.tolist())
    assert ids == (run(tracker, first), run(tracker, second))


def test_frames_without_objects_are_counted(tracker):
    state = tracker.start()
    for _ in range(3):
        state, ids = tracker.assign(state, NONE)
        assert ids.tolist() == []
        assert ids.dtype == torch.int64
    assert state.frame == 3


def test_a_place_counts_for_tracks_that_were_seen_just_now_alone():
    tracker = AppearanceTracker()
    state, _ = tracker.assign(tracker.start(), detect(A))
    looks, boxes, classes = np.eye(8, dtype=np.float32)[:1], state.boxes, state.class_sums
    fits = []
    for _ in range(4):
        fits.append(tracker.gain(state, looks, boxes, classes).item())
        state, _ = tracker.assign(state, NONE)
    assert fits[0] == fits[1] == pytest.approx(fits[2] + 0.5)
    assert fits[2] == fits[3]


def test_an_embedding_of_zero_matches_by_class_and_place(tracker):
    blind = replace(detect(A), embeddings=torch.zeros(1, 8))
    assert run(tracker, [detect(A), blind, detect(A)]) == [[0]] * 3


def test_it_is_built_from_a_config_and_says_how_its_tracks_are_written():
    tracker = TRACKERS.build({"type": "AppearanceTracker", "label_share": 0.2, "sure_after": 3})
    assert tracker.ranking == Ranking(label_share=0.2, sure_after=3)
