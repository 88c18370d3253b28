"""The losses of the FCOS family against plain sums over positive points, and what must not reach the gradient."""

import math

import torch
from torch.nn import functional as F

from mmdet.models.losses.dense import centerness_target, dense_losses
from mmdet.structures import PointGrid
from mmdet.structures.dense_outputs import DenseOutputs, RangeAssignment

POINTS = PointGrid.make((32, 48), ((4, 6), (2, 3)), (8, 16), torch.device("cpu"))
COUNT, CLASSES = 30, 3


def outputs(seed=0, images=2):
    source = torch.Generator().manual_seed(seed)
    return DenseOutputs(
        points=POINTS,
        cls_logits=(4 * torch.rand(images, COUNT, CLASSES, generator=source) - 2).requires_grad_(),
        distances=(12 * torch.rand(images, COUNT, 4, generator=source)).requires_grad_(),
        centerness_logits=(4 * torch.rand(images, COUNT, generator=source) - 2).requires_grad_(),
    )


def assignment(positive, ignored=(), images=2):
    """`positive`: (image, point, class); distances are drawn."""
    labels = torch.full((images, COUNT), -1)
    for image, point, label in positive:
        labels[image, point] = label
    marks = torch.zeros(images, COUNT, dtype=torch.bool)
    for place in ignored:
        marks[place] = True
    ltrb = 1 + 10 * torch.rand(images, COUNT, 4, generator=torch.Generator().manual_seed(7))
    ltrb = ltrb.where(labels[..., None] >= 0, -3.0)  # as far from points that no object contains
    return RangeAssignment(labels=labels, owner=torch.zeros_like(labels), ltrb=ltrb, ignored=marks)


POSITIVE = ((0, 3, 1), (0, 9, 0), (1, 27, 2))


def inclusive_iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    sizes = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return width * height / (sum(sizes) - width * height)


def test_losses_equal_plain_sums_over_the_positives():
    out, found = outputs(), assignment(POSITIVE)
    losses = dense_losses(out, found)
    weights, errors, centers = [], [], []
    for image, point, _ in POSITIVE:
        left, top, right, bottom = found.ltrb[image, point].tolist()
        share = min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom)
        x, y = POINTS.xy[point].tolist()
        own = out.boxes[image, point].tolist()
        weights.append(math.sqrt(share))
        errors.append(-math.log(inclusive_iou(own, (x - left, y - top, x + right, y + bottom))))
        logit = out.centerness_logits[image, point]
        centers.append(F.binary_cross_entropy_with_logits(logit, torch.tensor(weights[-1])).item())
    expected = sum(w * e for w, e in zip(weights, errors, strict=True)) / sum(weights)
    assert math.isclose(losses["loss_bbox"].item(), expected, rel_tol=1e-5)
    assert math.isclose(losses["loss_centerness"].item(), sum(centers) / 3, rel_tol=1e-5)
    one_hot = F.one_hot(found.labels.clamp(min=0), CLASSES) * (found.labels >= 0)[..., None]
    probs = out.cls_logits.sigmoid()
    right = torch.where(one_hot.bool(), probs, 1 - probs)
    focal = torch.where(one_hot.bool(), 0.25, 0.75) * (1 - right) ** 2 * -right.log()
    assert math.isclose(losses["loss_cls"].item(), focal.sum().item() / (3 + 2), rel_tol=1e-5)


def test_points_that_are_ignored_have_no_part_in_the_class_loss():
    out = outputs()
    dense_losses(out, assignment(POSITIVE, ignored=[(1, 4)]))["loss_cls"].backward()
    assert not out.cls_logits.grad[1, 4].any()
    assert out.cls_logits.grad[1, 5].any()


def test_without_positives_box_and_centerness_are_zero_and_connected():
    out = outputs()
    losses = dense_losses(out, assignment(()))
    assert losses["loss_bbox"] == losses["loss_centerness"] == 0
    sum(losses.values()).backward()
    for leaf in (out.cls_logits, out.distances, out.centerness_logits):
        assert leaf.grad.isfinite().all()


def test_wild_distances_of_background_points_leave_the_gradient_finite():
    out = outputs()
    with torch.no_grad():
        out.distances[0, 20] = -1e30
        out.distances[0, 21] = torch.inf
    dense_losses(out, assignment(POSITIVE))["loss_bbox"].backward()
    assert out.distances.grad.isfinite().all()
    assert not out.distances.grad[0, 20:22].any()
    assert out.distances.grad[0, 3].any()


def test_centerness_is_one_in_the_middle_and_zero_where_nothing_is_learnt():
    found = assignment(((0, 3, 1),))
    found.ltrb[0, 3] = torch.tensor([5.0, 2.0, 5.0, 2.0])
    target = centerness_target(found)
    assert target[0, 3] == 1
    assert target.sum() == 1
