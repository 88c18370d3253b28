import numpy as np
import pytest

from mmdet.evaluation.tracks.box_tracks import box_ious, box_track_of, read_box_track
from mmdet.evaluation.tracks.mask_tracks import read_mask_tracks
from mmdet.ops.masks.segmentations import encode_masks


def test_track_iou_is_the_sum_of_intersections_over_the_sum_of_unions():
    result = read_box_track([[0, 0, 4, 2], None, [1, 1, 2, 2], [0, 0, 1, 1]], is_xyxy=False)
    truth = read_box_track([[2, 0, 4, 2], [0, 0, 5, 1], None], is_xyxy=False)
    # frame 0: 4 of 12; frame 1: 0 of 5; frame 2: 0 of 4; the fourth frame has no truth to compare with
    assert box_ious([result], [truth]).tolist() == [[4 / 21]]


def test_boxes_of_results_may_be_corners():
    corners = read_box_track([[1, 2, 4, 6]], is_xyxy=True)
    assert corners.boxes.tolist() == read_box_track([[1, 2, 3, 4]], is_xyxy=False).boxes.tolist()
    assert corners.mean_area == 12


def test_touching_boxes_do_not_overlap():
    first, second = ([read_box_track([[x, 0, 2, 2]], is_xyxy=False)] for x in (0, 2))
    assert box_ious(first, second).tolist() == [[0.0]]


def test_tracks_that_show_nothing_have_iou_zero():
    empty = read_box_track([None, None], is_xyxy=False)
    assert box_ious([empty], [empty]).tolist() == [[0.0]]
    assert empty.mean_area == 0


def test_the_box_of_a_mask_goes_around_its_pixels():
    mask = np.zeros((1, 10, 12), bool)
    mask[0, 3:7, 2:9] = True
    (track,) = read_mask_tracks([[None, encode_masks(mask)[0]]], (10, 12))
    assert box_track_of(track).boxes.tolist() == [[0, 0, 0, 0], [2, 3, 9, 7]]


@pytest.mark.parametrize(
    ("boxes", "is_xyxy"),
    [
        ([[0, 0, 1]], False),
        ([None, "box"], False),
        ([[0, 0, -1, 2]], False),
        ([[5, 0, 4, 2]], True),
        ([[0, 0, float("nan"), 1]], False),
        ([[0, 0, True, 1]], False),
    ],
)
def test_what_is_no_box_is_named_with_its_frame(boxes, is_xyxy):
    with pytest.raises(ValueError, match=f"frame {len(boxes) - 1}: "):
        read_box_track(boxes, is_xyxy)
