"""Which boxes learn an object by how much they overlap it, in cases made by hand."""

import pytest
import torch

from mmdet.models.assigners import MaxIoUAssigner

OBJECT = [10.0, 10, 29, 29]  # 20 x 20 pixels


def assign(truth, boxes, valid=None, **settings):
    """Return what every box of the first image learns: a row of the truth, None for background, "ignored"."""
    boxes = torch.tensor(boxes)
    valid = torch.ones(1, len(boxes), dtype=torch.bool) if valid is None else torch.tensor([valid])
    found = MaxIoUAssigner(**settings)(boxes, valid, truth)
    rows = zip(found.owner[0].tolist(), found.positive[0].tolist(), found.negative[0].tolist(), strict=True)
    assert not (found.positive & found.negative).any()
    return [owner if positive else None if negative else "ignored" for owner, positive, negative in rows]


@pytest.fixture
def truth(truth_of):
    return truth_of([[OBJECT]])


def rows_of(height):
    """A box of the object's upper rows: its IoU is height / 20."""
    return [10.0, 10, 29, 9 + height]


def test_a_box_between_the_thresholds_is_ignored(truth):
    assert assign(truth, [OBJECT, rows_of(14), rows_of(13), rows_of(6), rows_of(5)]) == [
        0,
        0,
        "ignored",
        "ignored",
        None,
    ]


def test_all_boxes_that_share_an_objects_best_overlap_learn_it(truth):
    lower = [10.0, 20, 29, 29]
    assert assign(truth, [rows_of(10), lower, rows_of(9)]) == [0, 0, "ignored"]


def test_an_object_that_no_box_overlaps_enough_is_learnt_by_none(truth):
    assert assign(truth, [rows_of(5), rows_of(4)]) == [None, None]


def test_a_box_that_is_best_for_an_object_learns_it_though_it_overlaps_another_more(truth_of):
    other = [10.0, 10, 29, 20]  # the upper 11 rows of the object
    assert assign(truth_of([[OBJECT, other]]), [OBJECT]) == [1]
    assert assign(truth_of([[other, OBJECT]]), [OBJECT]) == [1]


def test_of_equal_objects_without_a_best_box_the_first_is_learnt(truth_of):
    # the best box of both is the second, which the last object has
    assert assign(truth_of([[OBJECT, OBJECT]]), [rows_of(15), OBJECT]) == [0, 1]


def test_boxes_outside_neither_learn_nor_stand_in_the_way(truth):
    assert assign(truth, [OBJECT, rows_of(10)], valid=[False, True]) == ["ignored", 0]


def test_an_image_without_objects_is_background(truth_of):
    assert assign(truth_of([[], [OBJECT]]), [OBJECT, rows_of(3)]) == [None, None]


def test_background_in_a_crowd_region_is_ignored(truth_of):
    truth = truth_of([[OBJECT, [100.0, 100, 200, 200]]], crowd=[(0, 1)])
    assert assign(truth, [OBJECT, [120.0, 120, 140, 140], [300.0, 300, 320, 320]]) == [0, "ignored", None]


def test_boxes_may_differ_from_image_to_image(truth_of):
    boxes = torch.tensor([[OBJECT], [rows_of(3)]])
    found = MaxIoUAssigner(0.5, 0.5, 0.5)(boxes, torch.ones(2, 1, dtype=torch.bool), truth_of([[OBJECT], [OBJECT]]))
    assert found.positive.tolist() == [[True], [False]]
