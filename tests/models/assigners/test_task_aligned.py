"""Which points learn an object by how well they predict it already, in cases made by hand."""

import pytest
import torch

from mmdet.models.assigners.task_aligned import TaskAlignedAssigner
from mmdet.registry import ASSIGNERS
from mmdet.structures import PointGrid
from mmdet.structures.padded_truth import FrameRows

SIDE = 8  # of a cell; the grid is one level of 4 x 4 points
CLASSES = 3


@pytest.fixture
def grid():
    return PointGrid.make((32, 32), ((4, 4),), (SIDE,), torch.device("cpu"))


def rows(*frames, crowd=(), labels=None, padding=0):
    """The truth of frames given as lists of boxes; `crowd` names (frame, row) that are crowd regions."""
    count = max(1, *(len(frame) for frame in frames)) + padding
    boxes = torch.zeros(len(frames), count, 4)
    valid = torch.zeros(len(frames), count, dtype=torch.bool)
    is_crowd = torch.zeros_like(valid)
    for index, frame in enumerate(frames):
        boxes[index, : len(frame)] = torch.tensor(frame).view(-1, 4)
        valid[index, : len(frame)] = True
    for place in crowd:
        valid[place], is_crowd[place] = False, True
    known = torch.zeros_like(valid, dtype=torch.int64)
    if labels is not None:
        known[:, : len(labels)] = torch.tensor(labels)
    return FrameRows(
        boxes=boxes,
        labels=known,
        valid=valid,
        is_crowd=is_crowd,
        half_masks=torch.zeros(len(frames), count, 16, 16, dtype=torch.bool),
        ids=torch.where(valid, torch.arange(count), -1),
    )


def predictions(grid, box, score=0.5, frames=1):
    """Equal predictions at all points: class scores and boxes, to be changed at some."""
    points = len(grid.xy)
    return (
        torch.full((frames, points, CLASSES), score),
        torch.tensor(box, dtype=torch.float32).expand(frames, points, 4).clone(),
    )


def learners(found, frame=0, row=0):
    """The points that learn an object, with their targets."""
    valid = found.valid[frame, row]
    points, targets = found.slots[frame, row][valid], found.targets[frame, row][valid]
    return dict(zip(points.tolist(), targets.tolist(), strict=True))


BOX = [0.0, 0.0, 16.0, 16.0]  # holds the points 0, 1, 4, 5


def test_only_points_inside_the_box_learn(grid):
    found = TaskAlignedAssigner(topk=10)(grid, *predictions(grid, BOX), rows([BOX]))
    assert set(learners(found)) == {0, 1, 4, 5}


def test_the_best_aligned_points_are_chosen_best_first(grid):
    probs, boxes = predictions(grid, BOX)
    probs[0, [0, 1, 4, 5], 0] = torch.tensor([0.1, 0.9, 0.5, 0.7])
    found = TaskAlignedAssigner(topk=3)(grid, probs, boxes, rows([BOX]))
    assert found.slots[0, 0].tolist() == [1, 5, 4]
    assert found.valid[0, 0].all()


def test_alignment_is_score_to_alpha_times_iou_to_beta(grid):
    probs, boxes = predictions(grid, BOX)
    probs[0, 0, 0], boxes[0, 5] = 0.2, torch.tensor([0.0, 0.0, 16.0, 12.0])  # of IoU 0.75
    found = TaskAlignedAssigner(alpha=0.5, beta=2.0)(grid, probs, boxes, rows([BOX]))
    targets = learners(found)
    assert targets[1] == pytest.approx(1.0)
    assert targets[0] == pytest.approx((0.2 / 0.5) ** 0.5)
    assert targets[5] == pytest.approx(0.75**2)


def test_the_best_point_gets_the_best_iou_as_its_target(grid):
    probs, boxes = predictions(grid, [0.0, 0.0, 16.0, 8.0], score=0.01)  # of IoU 0.5
    boxes[0, 4] = torch.tensor([0.0, 0.0, 16.0, 4.0])
    targets = learners(TaskAlignedAssigner()(grid, probs, boxes, rows([BOX])))
    assert max(targets.values()) == targets[0] == pytest.approx(0.5)
    assert targets[4] == pytest.approx(0.5 * (0.25 / 0.5) ** 6)


def test_the_score_of_the_objects_own_class_counts(grid):
    probs, boxes = predictions(grid, BOX, score=0.1)
    probs[0, 1, 2], probs[0, 4, 0] = 0.9, 0.9
    found = TaskAlignedAssigner(topk=1)(grid, probs, boxes, rows([BOX], labels=[2]))
    assert set(learners(found)) == {1}


def test_a_point_that_two_objects_want_goes_to_the_one_that_its_box_overlaps_more(grid):
    wide = [0.0, 0.0, 32.0, 16.0]
    probs, boxes = predictions(grid, wide)
    boxes[0, [0, 4]] = torch.tensor(BOX)
    found = TaskAlignedAssigner(topk=8)(grid, probs, boxes, rows([wide, BOX]))
    assert set(learners(found, row=0)) == {1, 2, 3, 5, 6, 7}
    assert set(learners(found, row=1)) == {0, 4}


def test_an_object_of_whose_points_another_takes_the_best_scales_by_those_left(grid):
    probs, boxes = predictions(grid, BOX)
    boxes[0, 5] = torch.tensor([0.0, 0.0, 8.0, 16.0])
    whole, half = BOX, [4.0, 4.0, 12.0, 14.0]
    found = TaskAlignedAssigner()(grid, probs, boxes, rows([whole, half]))
    left = learners(found, row=1)
    assert not set(left) & set(learners(found, row=0))
    assert all(0 < target <= 1 for target in left.values())


def test_the_same_box_twice_is_learnt_once_per_point(grid):
    found = TaskAlignedAssigner()(grid, *predictions(grid, BOX), rows([BOX, BOX]))
    both = [learners(found, row=row) for row in range(2)]
    assert set(both[0]) | set(both[1]) == {0, 1, 4, 5}
    assert not set(both[0]) & set(both[1])


def test_points_in_crowds_alone_are_ignored(grid):
    crowd = [8.0, 0.0, 32.0, 16.0]
    found = TaskAlignedAssigner()(grid, *predictions(grid, BOX), rows([BOX, crowd], crowd=[(0, 1)]))
    assert torch.nonzero(found.ignored[0]).flatten().tolist() == [2, 3, 6, 7]
    assert set(learners(found)) == {0, 1, 4, 5}
    assert not found.valid[0, 1].any()


def test_an_object_between_all_points_is_learnt_by_none(grid):
    found = TaskAlignedAssigner()(grid, *predictions(grid, BOX), rows([[5.0, 5.0, 11.0, 11.0]]))
    assert not found.valid.any()
    assert not found.targets.any()


def test_an_object_that_no_point_overlaps_yet_is_learnt_by_none(grid):
    found = TaskAlignedAssigner()(grid, *predictions(grid, [24.0, 24.0, 32.0, 32.0]), rows([BOX]))
    assert not found.valid.any()
    assert found.targets.isfinite().all()


def test_frames_without_objects_assign_nothing(grid):
    found = TaskAlignedAssigner()(grid, *predictions(grid, BOX, frames=2), rows([], [BOX]))
    assert not found.valid[0].any()
    assert not found.ignored.any()
    assert set(learners(found, frame=1)) == {0, 1, 4, 5}


def test_rows_of_padding_change_nothing(grid):
    probs, boxes = predictions(grid, BOX)
    few, more = (TaskAlignedAssigner()(grid, probs, boxes, rows([BOX], padding=count)) for count in (0, 3))
    assert torch.equal(more.valid[:, :1], few.valid)
    assert torch.equal(more.targets[:, :1], few.targets)
    assert not more.valid[:, 1:].any()
    assert not more.targets[:, 1:].any()


@pytest.mark.parametrize("box", [[8.0, 8.0, 8.0, 8.0], [4.0, 0.0, 4.0, 16.0]])
def test_a_truth_without_area_is_learnt_by_none(grid, box):
    found = TaskAlignedAssigner()(grid, *predictions(grid, box), rows([box]))
    assert not found.valid.any()
    assert found.targets.isfinite().all()


def test_predictions_without_area_or_of_nan_do_not_spoil_the_others(grid):
    probs, boxes = predictions(grid, BOX)
    boxes[0, 0], boxes[0, 1] = torch.tensor([4.0, 4.0, 4.0, 4.0]), torch.nan
    found = TaskAlignedAssigner()(grid, probs, boxes, rows([BOX]))
    assert set(learners(found)) == {4, 5}
    assert found.targets.isfinite().all()


def test_fewer_points_than_topk_are_all_candidates(grid):
    found = TaskAlignedAssigner(topk=1000)(grid, *predictions(grid, BOX), rows([BOX]))
    assert found.slots.shape == (1, 1, 16)


def test_the_assigner_is_built_from_a_config():
    assigner = ASSIGNERS.build({"type": "TaskAlignedAssigner", "topk": 4})
    assert assigner.topk == 4
