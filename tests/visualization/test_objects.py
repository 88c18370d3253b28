"""From results and streams to what is drawn."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from mmdet.ops.masks.segmentations import encode_masks
from mmdet.structures import FrameTracks, TrackTube, VideoResult
from mmdet.visualization.draw import DrawStyle, Trails, class_color, track_color
from mmdet.visualization.objects import objects_of_frame, objects_of_tracks

NAMES = ("disc", "triangle")


def frame_tracks(scores=(0.9, 0.2), size=(20, 40)):
    count = len(scores)
    return FrameTracks(
        boxes=torch.tensor([[2.0, 4, 12, 14]]).repeat(count, 1),
        labels=torch.arange(count) % 2,
        scores=torch.tensor(scores),
        box_sigma=torch.tensor([[0.1, 0.2, 0.3, 0.4]]).repeat(count, 1),
        centerness=torch.ones(count),
        embeddings=torch.zeros(count, 4),
        masks=torch.ones(count, *size, dtype=torch.bool),
        track_ids=torch.arange(count) + 5,
    )


@dataclass(frozen=True)
class NamedTracks:
    """Tracks that know the class and the mean score of each so far."""

    tracks: FrameTracks
    track_labels: torch.Tensor
    track_scores: torch.Tensor

    def __getattr__(self, name):
        return getattr(self.tracks, name)


def texts(objects):
    return [item.label_text for item in objects]


def test_a_frame_of_a_stream_shows_its_own_classes_and_scores():
    assert texts(objects_of_tracks(frame_tracks(), NAMES)) == ["5 disc 0.90", "6 triangle 0.20"]


def test_tracks_that_know_their_class_and_mean_score_show_them():
    tracks = NamedTracks(frame_tracks(), torch.tensor([1, 1]), torch.tensor([0.5, 0.25]))
    drawn = objects_of_tracks(tracks, NAMES)
    assert texts(drawn) == ["5 triangle 0.50", "6 triangle 0.25"]
    assert [item.score for item in drawn] == [0.5, 0.25]


def test_labels_and_scores_can_be_given():
    drawn = objects_of_tracks(frame_tracks(), NAMES, labels=torch.tensor([1, 0]), scores=torch.tensor([0.5, 0.75]))
    assert texts(drawn) == ["5 triangle 0.50", "6 disc 0.75"]


def test_the_threshold_is_on_the_scores_that_are_shown():
    tracks = NamedTracks(frame_tracks((0.9, 0.2)), torch.tensor([0, 1]), torch.tensor([0.3, 0.4]))
    assert texts(objects_of_tracks(tracks, NAMES, 0.4)) == ["6 triangle 0.40"]
    assert objects_of_tracks(tracks, NAMES, 0.5) == []


def test_the_uncertainty_of_a_stream_is_in_shares_of_the_box():
    (item, _) = objects_of_tracks(frame_tracks(size=(20, 40)), NAMES)
    assert item.sigma == pytest.approx((1, 2, 3, 4))
    assert item.box == (2, 4, 12, 14)
    assert item.mask.shape == (20, 40)


def test_a_stream_without_objects_draws_none():
    assert objects_of_tracks(frame_tracks(()), NAMES) == []


def test_trails_of_a_stream_are_those_given():
    trails, tracks = Trails(), frame_tracks()
    trails.update(tracks.track_ids, tracks.boxes)
    assert [item.trail for item in objects_of_tracks(tracks, NAMES, trails=trails)] == [((7, 9),)] * 2


@pytest.mark.parametrize(
    ("color_by", "colors"), [("track", [track_color(5), track_color(6)]), ("class", [class_color(0), class_color(1)])]
)
def test_colours_go_by_track_or_by_class(color_by, colors):
    drawn = objects_of_tracks(frame_tracks(), NAMES, style=DrawStyle(color_by=color_by))
    assert [item.color for item in drawn] == colors


def result():
    (rle,) = encode_masks(np.ones((1, 20, 40), bool))
    tube = TrackTube(
        track_id=3,
        segmentations=(rle, rle, None, rle),
        boxes=((0.0, 0.0, 2.0, 2.0), (2.0, 0.0, 4.0, 2.0), None, (6.0, 0.0, 8.0, 2.0)),
        labels=(1, 0, None, 1),
        scores=(0.6, 0.9, None, 0.3),
    )
    return VideoResult(video_id=1, size=(20, 40), num_frames=4, tubes=(tube, replace(tube, track_id=4)))


def test_objects_of_a_result_have_the_class_and_score_of_their_track_in_every_frame():
    assert {text for frame in (0, 1, 3) for text in texts(objects_of_frame(result(), frame, NAMES))} == {
        "3 triangle 0.60",
        "4 triangle 0.60",
    }
    assert objects_of_frame(result(), 2, NAMES) == []
    assert objects_of_frame(result(), 1, NAMES)[0].score == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("frames", "trail"), [(0, ()), (1, ((7, 1),)), (3, ((3, 1), (7, 1))), (30, ((1, 1), (3, 1), (7, 1)))]
)
def test_trails_of_a_result_are_the_centres_in_its_last_frames(frames, trail):
    assert objects_of_frame(result(), 3, NAMES, DrawStyle(trails=frames))[0].trail == trail


def test_objects_of_a_result_have_the_colour_of_their_class_if_asked_for():
    assert {item.color for item in objects_of_frame(result(), 0, NAMES, DrawStyle(color_by="class"))} == {
        class_color(1)
    }
