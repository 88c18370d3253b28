"""The class and the mean score of tracks while their video runs."""

import torch

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
