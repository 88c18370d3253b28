import pytest
import torch
from torch.nn import functional as F

from mmdet.models.losses.targets import (
    PaddedTruth,
    centerness_target,
    closest_objects,
    inside_boxes,
    jitter_boxes,
    memory_targets,
    pad_truths,
)
from mmdet.structures import PointGrid


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


def test_truths_are_padded_to_the_largest_number_of_objects(scenes):
    batch = scenes.make_batch([10, 30, 0])
    truth = pad_truths(batch)
    assert truth.valid.sum(dim=1).tolist() == [1, 3, 0]
    assert truth.boxes.shape == (3, 3, 4)
    assert truth.reference_boxes.shape == (3, 2, 4)
    assert torch.equal(truth.boxes[1], batch.truths[1][0].boxes)
    assert not truth.boxes[0, 1:].any()
    assert truth.has_objects.tolist() == [True, True, False]


def test_a_batch_without_objects_has_one_row_of_padding(scenes):
    truth = pad_truths(scenes.make_batch([0, 1]))
    assert truth.boxes.shape == (2, 1, 4)
    assert truth.half_masks.shape == (2, 1, scenes.HEIGHT // 2, scenes.WIDTH // 2)
    assert truth.reference_valid.shape == (2, 1)
    assert not truth.valid.any()
    assert truth.match.tolist() == [[-1], [-1]]


def test_crowd_rows_are_no_objects_and_match_nothing(scenes):
    truth = pad_truths(scenes.make_batch([40], crowd=(1,)))
    assert truth.valid.tolist() == [[True, False, True, True]]
    assert truth.is_crowd.tolist() == [[False, True, False, False]]
    assert truth.match[0, 1] == -1


def test_objects_find_themselves_in_the_reference(scenes):
    batch = scenes.make_batch([40, 20])
    truth = pad_truths(batch)
    for image, (key, reference) in enumerate(batch.truths):
        ids = reference.instance_ids.tolist()
        expected = [ids.index(i) if i in ids else -1 for i in key.instance_ids.tolist()]
        assert truth.match[image, : len(expected)].tolist() == expected


def test_half_masks_are_the_bilinear_half_above_one_half(scenes):
    batch = scenes.make_batch([20])
    half = F.interpolate(batch.truths[0][0].masks.float()[None], scale_factor=0.5, mode="bilinear")[0] > 0.5
    assert torch.equal(pad_truths(batch).half_masks[0], half)


def test_jitter_moves_centres_and_stretches_sides():
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    moved = jitter_boxes(boxes, torch.tensor([[0.1, -0.05, 0.2, 0.0]]))
    torch.testing.assert_close(moved, torch.tensor([[10.0, 18.0, 34.0, 58.0]]))


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


@pytest.mark.parametrize("crowd", [(), (0,)])
def test_points_of_crowd_regions_are_not_written_to_the_memory(scenes, crowd):
    truth = pad_truths(scenes.make_batch([10], crowd=crowd))
    _, inside = memory_targets(scenes.make_points(), truth)
    assert inside.any() == (not crowd)
