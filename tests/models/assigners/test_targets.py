import dataclasses

import pytest
import torch
from torch.nn import functional as F

from mmdet.models.assigners.targets import centerness_target, closest_objects, inside_boxes, memory_targets
from mmdet.structures import PaddedTruth, PointGrid


def truth_of(boxes):
    boxes = torch.as_tensor(boxes)[None]
    valid = torch.ones(boxes.shape[:2], dtype=torch.bool)
    rows = torch.zeros(boxes.shape[:2], dtype=torch.int64)
    masks = torch.zeros(*boxes.shape[:2], 1, 1, dtype=torch.bool)
    return PaddedTruth(
        boxes=boxes,
        labels=rows,
        valid=valid,
        is_crowd=~valid,
        half_masks=masks,
        reference_boxes=boxes,
        reference_valid=valid,
        match=rows - 1,
    )


def test_inside_counts_the_border_unless_strict():
    points = PointGrid.make((8, 24), ((1, 3),), (8,), torch.device("cpu"))  # x = 4, 12, 20 at y = 4
    box = torch.tensor([[[4.0, 0.0, 12.0, 8.0]]])
    valid = torch.tensor([[True]])
    assert inside_boxes(points, box, valid).tolist() == [[[True, True, False]]]
    assert not inside_boxes(points, box, valid, strict=True).any()
    assert not inside_boxes(points, box, ~valid).any()


def test_the_closest_object_need_not_contain_the_point():
    points = PointGrid.make((8, 24), ((1, 3),), (8,), torch.device("cpu"))
    truth = truth_of([[0.0, 0.0, 24.0, 8.0], [21.0, 3.0, 23.0, 5.0]])  # centres at x = 12 and 22
    closest, distance = closest_objects(points, truth)
    assert closest.tolist() == [[0, 0, 1]]
    assert distance.tolist() == [[8, 0, 2]]


def test_centerness_of_the_finest_level_equals_the_golden(part):
    points = PointGrid.make((40, 56), ((5, 7),), (8,), torch.device("cpu"))
    target = centerness_target(points, truth_of(part("cent_gts")))
    torch.testing.assert_close(target[0], part("centerness_target"))


def test_centerness_is_the_root_of_what_the_nearer_sides_are_of_the_farther_ones():
    points = PointGrid.make((16, 32), ((2, 4),), (8,), torch.device("cpu"))
    target = centerness_target(points, truth_of([[0.0, 0.0, 32.0, 16.0], [18.0, 2.0, 22.0, 6.0]]))
    large = ((4 / 28) * (4 / 12)) ** 0.5, ((12 / 20) * (4 / 12)) ** 0.5
    expected = [[large[0], large[1], 1.0, large[0]], [large[0], large[1], large[1], large[0]]]  # of both the larger
    torch.testing.assert_close(target.view(2, 4), torch.tensor(expected))


def test_crowd_regions_have_no_centerness():
    points = PointGrid.make((16, 32), ((2, 4),), (8,), torch.device("cpu"))
    truth = truth_of([[0.0, 0.0, 32.0, 16.0], [0.0, 0.0, 8.0, 8.0]])
    crowd = dataclasses.replace(truth, valid=torch.tensor([[False, True]]), is_crowd=torch.tensor([[True, False]]))
    assert centerness_target(points, crowd).tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]]


def test_centerness_of_coarser_levels_is_the_finest_resized(scenes):
    points = scenes.make_points()
    target = centerness_target(points, truth_of([[5.0, 5.0, 70.0, 50.0]]))
    finest = target[:, :96].view(1, 1, 8, 12)
    assert torch.equal(target[0, 96:120], F.interpolate(finest, size=(4, 6), mode="bilinear").flatten())
    assert target.shape == (1, 128)


def test_the_memory_learns_the_smallest_box_that_contains_the_point():
    points = PointGrid.make((32, 64), ((4, 8),), (8,), torch.device("cpu"))
    large, small = [0.0, 0.0, 40.0, 32.0], [8.0, 8.0, 24.0, 24.0]
    target, inside = memory_targets(points, truth_of([large, small]))
    assert torch.equal(inside[0], points.xy[:, 0] < 40)
    at = {tuple(xy): row for row, xy in enumerate(points.xy.tolist())}
    expected = 2 * (torch.tensor([4.0 / 64, 4.0 / 32, 12.0 / 64, 12.0 / 32]) - 0.5)
    torch.testing.assert_close(target[0, at[12.0, 12.0]], expected)
    expected = 2 * (torch.tensor([36.0 / 64, 4.0 / 32, 4.0 / 64, 28.0 / 32]) - 0.5)
    torch.testing.assert_close(target[0, at[36.0, 4.0]], expected)


def test_a_point_on_the_border_of_a_box_is_not_written_to_the_memory():
    points = PointGrid.make((8, 24), ((1, 3),), (8,), torch.device("cpu"))  # x = 4, 12, 20 at y = 4
    assert memory_targets(points, truth_of([[4.0, 0.0, 20.0, 8.0]]))[1].tolist() == [[False, True, False]]


@pytest.mark.parametrize("crowd", [(), (0,)])
def test_points_of_crowd_regions_are_not_written_to_the_memory(scenes, crowd):
    truth = scenes.make_batch([10], crowd=crowd).truth
    _, inside = memory_targets(scenes.make_points(), truth)
    assert inside.any() == (not crowd)
