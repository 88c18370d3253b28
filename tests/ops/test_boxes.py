import pytest
import torch

from mmdet.ops.boxes import aligned_iou, area, centres, giou, pairwise_iou, points_ltrb
from mmdet.structures import PointGrid


def test_area_of_half_open_and_of_legacy_boxes():
    boxes = torch.tensor([[1.0, 2.0, 4.0, 7.0], [3.0, 3.0, 3.0, 3.0]])
    assert area(boxes).tolist() == [15.0, 0.0]
    assert area(boxes, offset=1).tolist() == [24.0, 1.0]


def test_centres_are_x_then_y():
    assert centres(torch.tensor([0.0, 2.0, 4.0, 10.0])).tolist() == [2.0, 6.0]


def test_iou_of_boxes_that_touch_is_zero():
    assert aligned_iou(torch.tensor([0.0, 0, 2, 2]), torch.tensor([2.0, 0, 4, 2])) == 0


def test_iou_of_two_boxes_without_area_is_nan():
    boxes = torch.tensor([[5.0, 5, 5, 9]])
    assert pairwise_iou(boxes, boxes).isnan().all()


def test_legacy_aligned_iou_equals_the_golden(part):
    expected = part("overlaps_aligned_plus1")
    torch.testing.assert_close(aligned_iou(part("giou_pred"), part("giou_target"), offset=1), expected)


@pytest.mark.parametrize(("offset", "name"), [(1.0, "overlaps_matrix_plus1"), (0.0, "jaccard_no_plus1")])
def test_pairwise_iou_equals_the_golden(part, offset, name):
    torch.testing.assert_close(pairwise_iou(part("giou_pred"), part("giou_target"), offset), part(name))


def test_pairwise_iou_of_a_batch_is_that_of_its_items(part):
    boxes = torch.stack((part("giou_pred"), part("giou_target")))
    both = pairwise_iou(boxes, boxes[:, :5])
    torch.testing.assert_close(both[1], pairwise_iou(boxes[1], boxes[1, :5]))
    assert both.shape == (2, 12, 5)


def test_giou_and_its_gradient_equal_the_golden(part, part_notes):
    predicted = part("giou_pred").clone().requires_grad_()
    loss = (1 - giou(predicted, part("giou_target"))).mean()
    loss.backward()
    assert loss.item() == pytest.approx(part_notes["giou_loss"], rel=1e-6)
    torch.testing.assert_close(predicted.grad, part("giou_grad"))


def test_giou_of_boxes_without_area_has_a_finite_gradient():
    boxes = torch.zeros(1, 4, requires_grad=True)
    giou(boxes, torch.zeros(1, 4)).sum().backward()
    assert boxes.grad.isfinite().all()


def test_ltrb_equals_the_golden(part):
    torch.testing.assert_close(points_ltrb(part("points_5x7_s8"), part("cent_gts")).transpose(0, 1), part("ltrb"))


def test_decoded_boxes_equal_the_golden(part):
    points = PointGrid.make((40, 56), ((5, 7),), (8,), torch.device("cpu"))
    torch.testing.assert_close(points.xy / points.box_scale[:2], part("decode_relpos"))
    torch.testing.assert_close(points.decode(part("decode_mu")) / points.box_scale, part("decode_xyxy"))
