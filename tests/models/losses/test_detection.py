import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from mmdet.models.assigners import UncertaintyAssigner
from mmdet.models.losses.detection import box_loss, centerness_loss, class_loss, focal_loss
from mmdet.models.losses.pairs import Pairs
from mmdet.ops.boxes import giou


@pytest.fixture
def scene(scenes):
    """(outputs, truth, assignment, pairs) of two images with objects and one without."""
    images = [20, 30, 0]
    outputs = scenes.make_outputs(scenes.make_leaves(images))
    truth = scenes.make_batch(images).truth
    assignment = UncertaintyAssigner()(outputs.points, outputs.box_sigma, truth)
    return outputs, truth, assignment, Pairs.make(outputs, truth, assignment)


def test_focal_loss_equals_the_golden(part, part_notes):
    logits, labels = part("focal_logits").clone().requires_grad_(), part("focal_targets")
    losses = focal_loss(logits, labels[:, None] - 1 == torch.arange(40)) * (labels >= 0)[:, None]
    torch.testing.assert_close(losses, part("focal_loss"))
    assert losses.sum().item() == pytest.approx(part_notes["focal_sum"])
    losses.backward(part("focal_dloss"))
    torch.testing.assert_close(logits.grad, part("focal_grad"))


def test_focal_loss_weighs_the_cross_entropy_by_how_wrong_a_probability_is():
    logits = torch.tensor([0.75, 0.75]).logit()
    losses = focal_loss(logits, torch.tensor([True, False]), gamma=2.0, alpha=0.3)
    expected = -0.3 * 0.25**2 * math.log(0.75), -0.7 * 0.75**2 * math.log(0.25)
    torch.testing.assert_close(losses, torch.tensor(expected))


def test_class_loss_is_the_focal_sum_by_positives(scene):
    outputs, truth, assignment, _ = scene
    ignored = torch.arange(len(outputs.points.xy)) % 3 == 0  # some points beside the positive ones count nowhere
    assignment = dataclasses.replace(assignment, negative=assignment.negative & ~ignored)
    losses = class_loss(outputs.cls_logits, truth, assignment, 2.0, 0.25)
    for image in range(2):
        total = 0.0
        for point in (assignment.positive | assignment.negative)[image].nonzero().flatten().tolist():
            target = torch.zeros(outputs.cls_logits.shape[2], dtype=torch.bool)
            if assignment.positive[image, point]:
                target[truth.labels[image, assignment.closest[image, point]]] = True
            total += focal_loss(outputs.cls_logits[image, point], target).sum().item()
        assert losses[image].item() == pytest.approx(total / assignment.positive[image].sum().item(), rel=1e-5)
    assert losses[2] == 0


def test_class_loss_of_an_image_without_positives_is_zero_though_it_has_negatives(scene):
    outputs, truth, assignment, _ = scene
    assert assignment.negative[2].any()
    assert class_loss(outputs.cls_logits, truth, assignment, 2.0, 0.25)[2] == 0


def test_box_loss_is_the_mean_of_one_minus_giou(scene):
    outputs, truth, assignment, pairs = scene
    points = assignment.positive[0].nonzero().flatten()
    true_boxes = truth.boxes[0, assignment.closest[0, points]]
    expected = (1 - giou(outputs.boxes[0, points], true_boxes)).mean()
    torch.testing.assert_close(box_loss(pairs)[0], expected)


def test_box_loss_ignores_centerness_but_is_zero_without_any(scene):
    pairs = scene[3]
    losses = box_loss(pairs)
    torch.testing.assert_close(box_loss(dataclasses.replace(pairs, centerness=pairs.centerness * 0.5)), losses)
    assert not box_loss(dataclasses.replace(pairs, centerness=pairs.centerness * 0)).any()


def test_cross_entropy_of_centerness_equals_the_golden(part, part_notes):
    loss = F.binary_cross_entropy_with_logits(part("bce_logits"), part("bce_target"))
    assert loss.item() == pytest.approx(part_notes["bce_mean"], rel=1e-6)


def test_centerness_loss_is_the_mean_over_points_in_boxes(scene):
    outputs, _, assignment, _ = scene
    losses = centerness_loss(outputs.centerness_logits, assignment)
    inside = assignment.in_box[1]
    expected = F.binary_cross_entropy_with_logits(
        outputs.centerness_logits[1, inside], assignment.centerness[1, inside]
    )
    torch.testing.assert_close(losses[1], expected)
    assert losses[2] == 0
