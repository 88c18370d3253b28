"""The class and the score of tracks while their video runs."""

import pytest
import torch

from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import FrameTracks, Ranking
from mmdet.tracking.accumulator import VideoAccumulator
from mmdet.tracking.running import RunningTracks


def frames(running, *rows):
    """Add frames of (track id, label, score) rows; return the labels and means after the last."""
    for frame in rows:
        ids, labels, scores = zip(*frame, strict=True) if frame else ((), (), ())
        found = running.add(
            torch.tensor(ids, dtype=torch.int64), torch.tensor(labels, dtype=torch.int64), torch.tensor(scores)
        )
    return [part.tolist() for part in found]


def test_a_track_has_the_class_of_most_of_its_frames():
    assert frames(RunningTracks(), [(4, 2, 0.5)], [(4, 1, 0.5)], [(4, 1, 0.5)])[0] == [1]


def test_of_equally_frequent_classes_the_smallest_counts_whatever_came_first():
    for order in ((2, 1), (1, 2), (1, 2, 2, 1), (2, 2, 1, 1)):
        assert frames(RunningTracks(), *[[(4, label, 0.5)] for label in order])[0] == [1]


def test_the_score_of_a_track_is_the_mean_over_the_frames_that_show_it():
    labels, scores = frames(RunningTracks(), [(0, 3, 0.25), (1, 3, 0.5)], [], [(1, 3, 1.0), (0, 3, 0.75)])
    assert labels == [3, 3]
    assert scores == [0.75, 0.5]


def test_a_frame_without_tracks_has_empty_figures():
    labels, scores = RunningTracks().add(torch.zeros(0, dtype=torch.int64), torch.zeros(0), torch.zeros(0))
    assert (labels.dtype, labels.shape) == (torch.int64, (0,))
    assert (scores.dtype, scores.shape) == (torch.float32, (0,))


def test_only_so_many_tracks_are_remembered_those_seen_last():
    running = RunningTracks(most=2)
    frames(running, [(0, 1, 0.2)], [(1, 1, 0.2)], [(0, 1, 0.4)], [(2, 1, 0.2)])
    assert len(running) == 2
    assert frames(running, [(0, 1, 0.6), (1, 5, 0.9)]) == [[1, 5], [torch.tensor(0.4).item(), torch.tensor(0.9).item()]]


def test_a_frame_may_show_more_tracks_than_are_remembered():
    rows = [(track, track, 0.5) for track in range(5)]
    running = RunningTracks(most=2)
    assert frames(running, rows)[0] == [0, 1, 2, 3, 4]
    assert len(frames(running, rows)[0]) == 5


def test_where_classes_have_scores_a_track_is_of_the_class_with_the_best_mean():
    running = RunningTracks(Ranking(label_share=0.1))
    one, label, score = torch.tensor([4]), torch.tensor([1]), torch.tensor([0.5])
    for by_class, best in (([0.4, 0.5], (1, 0.5)), ([0.45, 0.5], (1, 0.5)), ([1.0, 0.5], (0, 1.85 / 3))):
        found = running.add(one, label, score, torch.tensor([by_class]))
        assert (found[0].item(), found[1].item()) == (best[0], pytest.approx(best[1]))


def test_a_new_track_of_a_running_video_gets_its_share_and_those_of_the_first_frame_all():
    running = RunningTracks(Ranking(sure_after=4))
    assert frames(running, [(0, 1, 0.8)])[1] == [pytest.approx(0.8)]
    assert frames(running, [(0, 1, 0.8), (1, 1, 0.8)])[1] == [pytest.approx(0.8), pytest.approx(0.4)]
    assert frames(running, *[[(0, 1, 0.8)]] * 6, [(0, 1, 0.8), (2, 1, 0.8)])[1] == pytest.approx([0.8, 0.2])


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("ranking", [Ranking(), Ranking(label_share=0.3, sure_after=3)])
def test_after_the_last_frame_of_a_track_the_figures_are_those_of_the_result(ranking, by_class):
    source = torch.Generator().manual_seed(3)
    running, accumulator, last = RunningTracks(ranking), VideoAccumulator(1, (2, 2), ranking), {}
    masks = torch.ones(3, 2, 2, dtype=torch.bool)
    for _ in range(6):
        seen = FrameTracks(
            boxes=torch.zeros(3, 4),
            labels=torch.randint(3, (3,), generator=source),
            scores=torch.rand(3, generator=source),
            box_sigma=torch.zeros(3, 4),
            centerness=torch.zeros(3),
            embeddings=torch.zeros(3, 1),
            class_scores=torch.rand(3, 3, generator=source) if by_class else None,
            masks=masks,
            track_ids=torch.arange(3),
        )
        accumulator.add(seen, encode_masks(masks))
        labels, scores = running.add(seen.track_ids, seen.labels, seen.scores, seen.class_scores)
        last = {track: (labels[track].item(), scores[track].item()) for track in range(3)}
    assert last == {t.track_id: (t.label, pytest.approx(t.score)) for t in accumulator.finish().tubes}
