import torch

from mmdet.visualization.trails import Trails


def test_a_trail_leads_from_the_oldest_centre_to_the_newest():
    trails = Trails()
    for x in range(3):
        trails.update(torch.tensor([7]), torch.tensor([[x, 0.0, x + 10.0, 4.0]]))
    assert trails.of(7) == ((5, 2), (6, 2), (7, 2))
    assert trails.of(8) == ()


def test_points_of_a_track_that_is_away_for_a_while_remain():
    trails = Trails(frames=5)
    for ids in ([1], [], [1]):
        trails.update(ids, [(0, 0, 2, 2)] * len(ids))
    assert trails.of(1) == ((1, 1), (1, 1))


def test_what_is_older_than_the_frames_is_forgotten():
    trails = Trails(frames=3)
    for frame in range(1000):
        trails.update([frame, 10**6], [(frame, 0, frame, 0)] * 2)
    assert trails.of(10**6) == ((997, 0), (998, 0), (999, 0))
    assert trails.of(990) == ()
    assert len(trails._points) == 4
