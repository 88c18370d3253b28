import dataclasses

import pytest
import torch
from torch.nn import functional as F

from mmdet.models.losses import mask as mask_module
from mmdet.models.losses.mask import cropped_errors, errors_of_all, errors_of_kept, large_pairs, mask_loss
from mmdet.models.losses.pairs import Pairs
from mmdet.models.postprocess.masks import crop_to_boxes
from mmdet.ops.boxes import aligned_iou

SIZE = (12, 16)  # of the basis


@pytest.fixture
def scene():
    """(basis, coefficients, masks, pairs) of two images with two objects and three slots."""
    source = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.rand(shape, generator=source)

    corner = random(2, 2, 3, 2) * 8
    true_corner = random(2, 2, 1, 2) * 8
    pairs = Pairs(
        valid=torch.tensor([[[1, 1, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]]).bool(),
        boxes=torch.cat((corner, corner + 9 + 10 * random(2, 2, 3, 2)), dim=3).requires_grad_(),
        sigma=torch.ones(2, 2, 3, 4),
        class_probs=random(2, 2, 3),
        centerness=random(2, 2, 3),
        true_boxes=torch.cat((true_corner, true_corner + 12), dim=3),
    )
    basis = (random(2, 4, *SIZE) - 0.3).requires_grad_()
    coefficients = (random(2, 2, 3, 4) - 0.3).requires_grad_()
    return basis, coefficients, random(2, 2, *SIZE) > 0.5, pairs


def reference_loss(basis, coefficients, masks, pairs, image):
    """The loss of one image as MODEL.md 6 says it, pair by pair."""
    rows = pairs.valid[image].nonzero().tolist()
    boxes = [pairs.boxes[image, g, a].detach() / 2 for g, a in rows]
    weights = torch.stack(
        [
            aligned_iou(box, pairs.true_boxes[image, g, 0] / 2, 1) * pairs.class_probs[image, g, a]
            for box, (g, a) in zip(boxes, rows, strict=True)
        ]
    )
    weights = weights / (weights.sum() + 1e-4) * len(rows)
    total = 0.0
    for weight, box, (g, a) in zip(weights, boxes, rows, strict=True):
        predicted = torch.einsum("e,ehw->hw", coefficients[image, g, a], basis[image]).sigmoid()
        target = masks[image, g].float()
        errors = 0.0
        for y in range(SIZE[0]):
            for x in range(SIZE[1]):
                if box[0] <= x < box[2] and box[1] <= y < box[3]:
                    errors = errors + F.binary_cross_entropy(predicted[y, x], target[y, x])
        total = total + weight * errors / (box[2] - box[0]) / (box[3] - box[1]) / len(rows)
    return total


def test_crop_equals_the_golden(part):
    data = part("crop_data")[0].clone().requires_grad_()
    cropped = crop_to_boxes(data.permute(2, 0, 1), part("crop_rois")).permute(1, 2, 0)
    torch.testing.assert_close(cropped, part("crop_out"))
    cropped.backward(part("crop_gout"))
    torch.testing.assert_close(data.grad, part("crop_gdata")[0])


def test_loss_and_gradients_equal_those_pair_by_pair(scene):
    basis, coefficients, masks, pairs = scene
    losses = mask_loss(basis, coefficients, masks, pairs, pairs.valid)
    expected = reference_loss(basis, coefficients, masks, pairs, 0)
    torch.testing.assert_close(losses[0], expected)
    found = torch.autograd.grad(losses.sum(), (basis, coefficients))
    for actual, reference in zip(found, torch.autograd.grad(expected, (basis, coefficients)), strict=True):
        torch.testing.assert_close(actual, reference)


def test_an_image_without_kept_pairs_has_zero_loss_and_gradient(scene):
    basis, coefficients, masks, pairs = scene
    losses = mask_loss(basis, coefficients, masks, pairs, pairs.valid)
    losses.sum().backward()
    assert losses[1] == 0
    assert not basis.grad[1].any()
    assert not coefficients.grad[1].any()


def test_predicted_boxes_get_no_gradient(scene):
    basis, coefficients, masks, pairs = scene
    mask_loss(basis, coefficients, masks, pairs, pairs.valid).sum().backward()
    assert pairs.boxes.grad is None


@pytest.mark.parametrize("images_at_once", [1, 2])
def test_computing_every_slot_equals_computing_the_kept_ones(scene, monkeypatch, images_at_once):
    basis, coefficients, masks, pairs = scene
    monkeypatch.setattr(mask_module, "PIXELS_AT_ONCE", images_at_once * pairs.valid[0].numel() * SIZE[0] * SIZE[1])
    kept, boxes = large_pairs(pairs), pairs.boxes.detach() / 2
    assert kept.any()
    assert not kept.all()
    found = []
    for form in (errors_of_all, lambda *inputs: errors_of_kept(*inputs, kept)):
        inputs = basis.detach().requires_grad_(), coefficients.detach().requires_grad_()
        errors = form(*inputs, boxes, masks)
        found.append((errors[kept], *torch.autograd.grad(errors[kept].sum(), inputs)))
    for every, only in zip(*found, strict=True):
        torch.testing.assert_close(every, only)


def test_errors_of_very_wrong_logits_stay_finite():
    basis = torch.full((1, 1, 2, 2), 200.0, requires_grad=True)
    errors = cropped_errors(
        basis, torch.ones(1, 1, 1), torch.tensor([[[0.0, 0.0, 2.0, 2.0]]]), torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    )
    errors.sum().backward()
    assert errors.item() == 800
    assert (basis.grad == 1).all()


def test_boxes_up_to_four_half_pixels_learn_no_mask(scene):
    pairs = scene[3]
    boxes = torch.zeros(2, 2, 3, 4)
    boxes[..., 2:] = 8.5
    boxes[0, 0, 0, 2] = 8
    kept = large_pairs(dataclasses.replace(pairs, boxes=boxes))
    assert kept[0].tolist() == [[False, True, False], [True, False, False]]
