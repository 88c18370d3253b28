"""The tracker: births, matches, drops, forgetting, and state that belongs to one video only."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmdet.errors import UserError
from mmdet.ops.boxes import pairwise_iou
from mmdet.structures import FrameDetections
from mmdet.tracking import Tracker, TrackState
from mmdet.tracking.affinity import affinity, legacy_iou
from mmdet.tracking.matching import greedy
from mmdet.tracking.tracker import kept_rows


def detect(*rows, dim=8):
    """Each row is (embedding index, x of the box, label, score)."""
    count = len(rows)
    x = torch.tensor([row[1] for row in rows], dtype=torch.float32).view(-1)
    return FrameDetections(
        boxes=torch.stack([x, torch.zeros(count), x + 20, torch.full((count,), 20.0)], dim=1),
        labels=torch.tensor([row[2] for row in rows], dtype=torch.int64),
        scores=torch.tensor([row[3] for row in rows], dtype=torch.float32),
        box_sigma=torch.zeros(count, 4),
        centerness=torch.zeros(count),
        embeddings=torch.eye(dim)[[row[0] for row in rows]].view(count, dim),
        masks=torch.zeros(count, 4, 4, dtype=torch.bool),
    )


def tracked(tracker, state, frame):
    """The next state and the ids of a frame's tracks."""
    state, ids = tracker.assign(state, frame)
    return state, [ids[row].item() for row in kept_rows(ids)]


def run(tracker, frames):
    state, ids = tracker.start(), []
    for frame in frames:
        state, own = tracked(tracker, state, frame)
        ids.append(own)
    return ids


A, B, C = (0, 0, 1, 0.9), (1, 50, 1, 0.8), (2, 100, 2, 0.7)


@pytest.fixture(params=["greedy", "one_to_one"])
def tracker(request):
    return Tracker(matching=request.param)


def test_objects_keep_their_ids_whatever_their_order(tracker):
    assert run(tracker, [detect(A, B), detect(B, A), detect(A, B)]) == [[0, 1], [1, 0], [0, 1]]


def test_an_object_of_another_class_far_away_is_new(tracker):
    # No appearance, no overlap and no class in common: a new object has the label term of its column (Q14).
    assert run(tracker, [detect(A), detect(A, C)]) == [[0], [0, 1]]


def test_a_new_track_has_the_next_number_however_many_objects_were_seen(tracker):
    assert run(tracker, [detect(A), detect(A), detect(A, B), detect(B), detect(B, C)]) == [
        [0],
        [0],
        [0, 1],
        [1],
        [1, 2],
    ]


def test_an_object_that_is_dropped_uses_up_no_number():
    twin, far = (0, 2, 1, 0.6), (3, 300, 5, 0.9)
    state, tracker = Tracker().start(), Tracker()
    raw = []
    for frame in (detect(A), detect(A, twin), detect(A, twin, far)):
        state, ids = tracker.assign(state, frame)
        raw.append(ids.tolist())
    assert raw == [[0], [0, -1], [0, -1, 1]]
    assert state.next_id == 2


def test_empty_first_frame_starts_no_tracks(tracker):
    assert run(tracker, [detect(), detect(A)]) == [[], [0]]


def test_an_object_that_returns_has_its_id_again(tracker):
    assert run(tracker, [detect(A, B), detect(A), detect(), detect(A, B)]) == [[0, 1], [0], [], [0, 1]]


def test_ids_of_a_frame_are_unique(tracker):
    twin = (0, 2, 1, 0.6)
    for ids in run(tracker, [detect(A), detect(A, twin), detect(A, twin)]):
        assert len(set(ids)) == len(ids)


def test_greedy_drops_a_weaker_rival_and_one_to_one_gives_it_another_track():
    twin = (0, 2, 1, 0.6)
    frames = [detect(A), detect(A, twin)]
    state, _ = Tracker().assign(Tracker().start(), frames[0])
    assert Tracker().assign(state, frames[1])[1].tolist() == [0, -1]
    assert run(Tracker(matching="one_to_one"), frames)[1] == [0, 1]


def test_greedy_lets_a_stronger_later_rival_take_over():
    weak, strong = (0, 12, 1, 0.3), (0, 0, 1, 0.9)
    tracker = Tracker()
    state, _ = tracker.assign(tracker.start(), detect(A))
    after, raw = tracker.assign(state, detect(weak, strong))
    assert raw.tolist() == [0, 0]
    assert after.boxes[0, 0] == 0
    assert kept_rows(raw) == [1]  # the strong one


def test_two_videos_interleaved_equal_one_after_the_other(tracker):
    first, second = [detect(A, B), detect(B), detect(B, C)], [detect(C), detect(C, A), detect(A)]
    alone = run(tracker, first), run(tracker, second)
    states, together = [tracker.start(), tracker.start()], ([], [])
    for frames in zip(first, second, strict=True):
        for video, frame in enumerate(frames):
            states[video], ids = tracked(tracker, states[video], frame)
            together[video].append(ids)
    assert together == alone


def test_forgotten_tracks_do_not_return_and_ids_never_repeat():
    tracker = Tracker(max_tracks=2)
    far = [(index, 100 * index, index, 0.9) for index in range(5)]
    ids = run(tracker, [detect(far[0]), detect(far[1]), detect(far[2]), detect(far[3]), detect(far[0])])
    assert ids == [[0], [1], [2], [3], [4]]
    state = tracker.start()
    for row in far:
        state, _ = tracker.assign(state, detect(row))
    assert state.track_ids.tolist() == [3, 4]


def test_a_track_has_box_appearance_and_time_of_what_continued_it_and_the_state_before_stays(tracker):
    before, _ = tracker.assign(tracker.start(), detect(A))
    after, ids = tracker.assign(before, detect((1, 5, 1, 0.8)))
    assert ids.tolist() == [0]
    for state, x, appearance, frame in ((before, 0, 0, 0), (after, 5, 1, 1)):
        assert state.boxes.tolist() == [[x, 0, x + 20, 20]]
        assert state.embeddings.argmax(axis=1).tolist() == [appearance]
        assert (state.last_seen.tolist(), state.frame) == ([frame], frame + 1)


def test_frames_that_show_nothing_count_as_time(tracker):
    state = tracker.start()
    for frame in (detect(A), detect(), detect(), detect(A, C)):
        state, _ = tracker.assign(state, frame)
    assert (state.last_seen.tolist(), state.frame) == ([3, 3], 4)
    state, _ = tracker.assign(state, detect())
    state, _ = tracker.assign(state, detect(C))
    assert (state.last_seen.tolist(), state.frame) == ([3, 5], 6)


def test_state_does_not_change_when_the_caller_changes_its_tensors():
    tracker = Tracker()
    frame = detect(A)
    state, _ = tracker.assign(tracker.start(), frame)
    frame.boxes.fill_(-1)  # on the CPU the release's returned boxes were the state's own (Q24)
    assert state.boxes[0].tolist() == [0, 0, 20, 20]


def test_wrong_settings_are_named():
    with pytest.raises(UserError, match="did you mean greedy"):
        Tracker(matching="gready")
    with pytest.raises(UserError, match="max_tracks is 0"):
        Tracker(max_tracks=0)


def test_appearance_counts_by_its_direction_alone(tracker):
    frames = [detect(A, B), detect((0, 50, 1, 0.9), (1, 0, 1, 0.8))]  # the two change places
    assert run(tracker, frames) == [[0, 1], [0, 1]]
    faint = [replace(frame, embeddings=frame.embeddings * 1e-3) for frame in frames]
    assert run(tracker, faint) == [[0, 1], [0, 1]]
    assert faint[0].embeddings.max() == pytest.approx(1e-3)  # the caller's own are as they were


def test_an_affinity_is_log_likelihood_log_score_overlap_and_class_by_their_weights():
    state, _ = Tracker().assign(Tracker().start(), detect(A, B))
    seen = detect((0, 10, 1, 0.5), (2, 50, 3, 0.25))  # looks like A, moved by half its width; looks like neither
    found = affinity(
        seen.embeddings, seen.boxes.numpy(), seen.labels.numpy(), seen.scores, state, 0.1, weights=(3.0, 2.0, 10.0)
    )
    nothing, same = -math.log(2 + math.exp(10)), 10 - math.log(2 + math.exp(10))
    of_score, overlap = 3 * math.log(0.5), 11 * 21 / (2 * 21 * 21 - 11 * 21)
    expected = [
        [nothing + of_score + 10, same + of_score + 2 * overlap + 10, nothing + of_score + 10],
        [-math.log(3) + 2 * of_score + 10, -math.log(3) + 2 * of_score, -math.log(3) + 2 * of_score + 2],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("scores", "choices", "writers"),
    [
        ([[0, 5], [0, 5]], [1, -1], [0]),  # as good as the one before is not better
        ([[0, 5], [0, 5.5], [0, 5.2]], [1, 1, -1], [1]),
        ([[-5, -3]], [1], [0]),
        ([[-300, -200]], [-1], []),  # worse than what the first has to beat
        ([[1, 0, 0], [2, 0, 0]], [0, 0], []),
        ([[0, 1, 3], [0, 4, 2]], [2, 1], [0, 1]),
    ],
)
def test_greedy_takes_the_best_column_of_each_row_if_it_beats_the_row_that_has_it(scores, choices, writers):
    assert greedy(np.array(scores, np.float32)) == (choices, writers)


@pytest.mark.parametrize(("count", "kept"), [(5, [0, 1, 2, 3, 4]), (3, [0, 2, 3]), (2, [2, 3]), (1, [3])])
def test_of_tracks_seen_equally_long_ago_the_newer_are_remembered(count, kept):
    rows = np.arange(5)
    state = TrackState(
        track_ids=rows,
        embeddings=np.eye(5, dtype=np.float32),
        boxes=np.tile(rows[:, None], (1, 4)).astype(np.float32),
        labels=rows,
        last_seen=np.array([3, 1, 3, 3, 2]),
        next_id=5,
        frame=4,
    ).most_recent(count)
    assert state.track_ids.tolist() == state.labels.tolist() == state.boxes[:, 0].tolist() == kept
    assert state.embeddings.argmax(axis=1).tolist() == kept


def test_overlaps_are_those_of_the_ops():
    generator = torch.Generator().manual_seed(0)
    boxes = 40 * torch.rand(2, 30, 4, generator=generator)
    boxes[..., 2:] += boxes[..., :2]
    expected = pairwise_iou(boxes[0], boxes[1], offset=1.0)
    assert 0 < expected.mean() < 1
    assert torch.equal(torch.from_numpy(legacy_iou(boxes[0].numpy(), boxes[1].numpy())), expected)


def test_of_equal_ids_the_last_row_stands_and_dropped_ones_do_not():
    assert kept_rows(torch.tensor([4, -1, 2, 4, -1, 0])) == [2, 3, 5]
    assert kept_rows(torch.tensor([], dtype=torch.int64)) == []


def test_inner_products_compare_embeddings_as_they_are():
    tracker = Tracker(affinity="inner_product")
    frame = detect(A)
    state, _ = tracker.assign(tracker.start(), replace(frame, embeddings=5 * frame.embeddings))
    assert state.embeddings.tolist() == (5 * frame.embeddings).tolist()
    assert (tracker.temperature, Tracker().temperature) == (1.0, 0.1)


def test_another_affinity_is_refused_with_what_there_is():
    with pytest.raises(UserError, match="affinity 'cosin'.*cosine"):
        Tracker(affinity="cosin")
