"""Losses of drawn masks against loops over pixels."""

import numpy as np
import pytest
import torch

from mmdet.models.losses.mask_overlap import dice_errors, mask_iou, mask_losses, near_errors
from mmdet.ops.masks.dynamic import dynamic_masks


@pytest.fixture
def drawn():
    """Logits (1, 2, 3, h, w) of two objects with three slots, and their masks (1, 2, 1, h, w)."""
    source = torch.Generator().manual_seed(0)
    logits = 6 * torch.rand(1, 2, 3, 8, 12, generator=source) - 3
    return logits, torch.rand(1, 2, 1, 8, 12, generator=source) > 0.6


def each(logits, masks):
    """Logits and true mask of every slot as float64 arrays."""
    for row in range(2):
        for slot in range(3):
            yield row, slot, logits[0, row, slot].double().numpy(), masks[0, row, 0].numpy()


def test_dice_is_that_of_a_loop_over_pixels(drawn):
    found = dice_errors(*drawn)
    for row, slot, logit, mask in each(*drawn):
        both = squares = pixels = 0.0
        for value, true in zip(logit.ravel(), mask.ravel(), strict=True):
            prob = 1 / (1 + np.exp(-value))
            both, squares, pixels = both + prob * true, squares + prob**2, pixels + true
        assert found[0, row, slot].item() == pytest.approx(1 - (2 * both + 1) / (squares + pixels + 1), rel=1e-5)


def test_a_perfect_mask_has_no_dice_error_and_an_opposite_one_nearly_all():
    mask = torch.zeros(1, 20, 20, dtype=torch.bool)
    mask[:, 4:15, 3:18] = True
    perfect = torch.where(mask, 50.0, -50.0)
    assert dice_errors(perfect, mask).item() == pytest.approx(0, abs=1e-6)
    assert dice_errors(-perfect, mask).item() > 0.99


def test_the_cross_entropy_counts_pixels_in_and_around_the_box(drawn):
    logits, masks = drawn
    boxes = torch.tensor([[[4.0, 2.0, 8.0, 6.0], [-20.0, -20.0, 40.0, 40.0]]])
    found = near_errors(logits, masks, boxes)
    for row, slot, logit, mask in each(logits, masks):
        x1, y1, x2, y2 = boxes[0, row].tolist()
        across, down = 0.15 * (x2 - x1) + 2, 0.15 * (y2 - y1) + 2
        errors = []
        for i in range(8):
            for j in range(12):
                if x1 - across <= j + 0.5 <= x2 + across and y1 - down <= i + 0.5 <= y2 + down:
                    prob = 1 / (1 + np.exp(-logit[i, j]))
                    errors.append(-np.log(prob if mask[i, j] else 1 - prob))
        assert len(errors) == (len(logit.ravel()) if row == 1 else 8 * 10)
        assert found[0, row, slot].item() == pytest.approx(np.mean(errors), rel=1e-5)


def test_what_is_far_from_the_box_costs_nothing():
    logits, mask = torch.full((1, 1, 1, 30, 30), -40.0), torch.zeros(1, 1, 1, 30, 30, dtype=torch.bool)
    logits[..., 20:, 20:] = 40.0
    assert near_errors(logits, mask, torch.tensor([[[2.0, 2.0, 8.0, 8.0]]])).item() == pytest.approx(0, abs=1e-6)


def test_a_box_of_padding_costs_a_finite_error(drawn):
    assert near_errors(*drawn, torch.full((1, 2, 4), -99.0)).tolist() == [[[0.0] * 3] * 2]


def test_iou_is_that_of_sets_of_pixels(drawn):
    found = mask_iou(*drawn)
    for row, slot, logit, mask in each(*drawn):
        mine = {tuple(place) for place in np.argwhere(logit > 0)}
        true = {tuple(place) for place in np.argwhere(mask)}
        assert found[0, row, slot].item() == pytest.approx(len(mine & true) / len(mine | true))


def test_the_iou_of_two_empty_masks_is_zero():
    assert mask_iou(torch.full((1, 4, 4), -1.0), torch.zeros(1, 4, 4, dtype=torch.bool)).tolist() == [0]


def losses_of(plus, images, slots):
    outputs, truth = plus.make_outputs(plus.make_leaves(images)), plus.make_batch(images).truth.frames
    found = plus.make_criterion().assigner(outputs.points, outputs.cls_logits.sigmoid(), outputs.boxes, truth)
    return *mask_losses(outputs, truth, found, slots), found


def test_only_the_best_slots_draw(plus):
    _, weight, found = losses_of(plus, [30, 20], slots=2)
    assert weight == found.targets[..., :2].sum()
    assert weight < found.targets.sum()


def test_more_slots_than_points_are_all_of_them(plus):
    _, weight, found = losses_of(plus, [30], slots=100)
    assert weight == found.targets.sum()


def test_the_quality_is_learnt_from_the_iou_of_the_mask_that_is_drawn(plus):
    sums, _, found = losses_of(plus, [10], slots=1)
    outputs, truth = plus.make_outputs(plus.make_leaves([10])), plus.make_batch([10]).truth.frames
    point = found.slots[0, 0, 0]
    logits = dynamic_masks(
        outputs.mask_features[:1],
        outputs.mask_weights[:1, point][:, None],
        outputs.points.xy[point].view(1, 1, 2),
        outputs.reach[point].view(1, 1),
        4,
    )
    large = torch.nn.functional.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)
    iou = mask_iou(large, truth.half_masks[:1, :1])
    quality = outputs.quality_logits[0, point].sigmoid()
    expected = -(iou * quality.log() + (1 - iou) * (1 - quality).log())
    torch.testing.assert_close(sums["loss_quality"], (expected * found.targets[0, 0, 0]).squeeze())
