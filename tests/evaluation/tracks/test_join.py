"""What is read of annotations besides masks and boxes."""

import pytest

from mmdet.evaluation.tracks.join import occlusion_score

NO, SLIGHT, SEVERE = "no_occlusion", "slight_occlusion", "severe_occlusion"


@pytest.mark.parametrize(
    ("labels", "score"),
    [
        ([NO, SEVERE, SLIGHT, NO], (0.75 + 0.25) / 2),
        ([SLIGHT, NO, SEVERE, NO, SLIGHT], (0.75 + 0.25 + 0.25) / 3),  # of five frames three
        ([SEVERE, NO, None, SLIGHT], (0.75 + 0.25) / 2),  # of three that show it two
        ([SLIGHT], 0.25),
        ([None, None], 0.0),
        ([NO, "hidden"], None),
    ],
)
def test_occlusion_is_the_mean_of_the_more_occluded_half_of_the_frames_that_show_the_object(labels, score):
    assert occlusion_score(labels, [None if label is None else "mask" for label in labels]) == score


def test_a_frame_that_shows_the_object_without_a_label_leaves_its_occlusion_unknown():
    assert occlusion_score([NO, None], ["mask", "mask"]) is None
    assert occlusion_score([NO], ["mask", "mask"]) is None
    assert occlusion_score(None, ["mask"]) is None
