"""Losses of sampled regions, on a few numbers."""

import math

import pytest
import torch

from mmdet.models.assigners.sampled_regions import SampledRegions
from mmdet.models.losses.two_stage.roi_losses import box_loss, class_loss, identity_loss, mask_loss

UNIT = (1.0, 1.0, 1.0, 1.0)


def sampled(positive, valid=None, owner=None, labels=None, box=(0.0, 0.0, 9.0, 9.0)):
    count = len(positive[0])
    rows = torch.tensor(positive)
    zeros = torch.zeros(rows.shape, dtype=torch.int64)
    return SampledRegions(
        boxes=torch.tensor(box).expand(*rows.shape, 4),
        valid=torch.ones_like(rows) if valid is None else torch.tensor(valid),
        positive=rows,
        owner=zeros if owner is None else torch.tensor(owner),
        labels=zeros if labels is None else torch.tensor(labels)[:, :count],
    )


def test_regions_that_are_not_positive_learn_the_background():
    logits = torch.tensor([[[0.0, 2.0, 0.0], [3.0, 0.0, 0.0], [9.0, 0.0, 0.0]]])
    loss, right = class_loss(logits, sampled([[True, False, False]], valid=[[True, True, False]]))
    expected = math.log(2 + math.exp(2)) - 2 + math.log(2 + math.exp(3)) - 3
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert right.tolist() == [2]


def test_a_box_learns_the_differences_of_its_own_class():
    boxes = torch.tensor([[[5.0, 0.0, 14.0, 9.0]]])  # half a side to the right
    deltas = torch.zeros(1, 2, 3, 4, requires_grad=True)
    loss = box_loss(deltas, sampled([[True, False]], labels=[[1, 0]]), boxes, UNIT)
    assert loss.item() == pytest.approx(0.5 * 0.5**2)
    loss.sum().backward()
    assert deltas.grad.nonzero().tolist() == [[0, 0, 2, 0]]


def test_objects_without_an_area_spoil_no_gradient():
    deltas = torch.zeros(1, 1, 3, 4, requires_grad=True)
    boxes = torch.tensor([[[5.0, 5.0, 4.0, 4.0]]])
    box_loss(deltas, sampled([[False]]), boxes, UNIT).sum().backward()
    assert deltas.grad.isfinite().all()


def identities(positive, match=((1, -1),)):
    """Two objects in the reference frame; the first region is like the second one."""
    vectors = torch.tensor([[[0.0, 2.0], [1.0, 1.0], [0.0, 0.0]]], requires_grad=True)
    reference = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    found = identity_loss(
        vectors,
        reference,
        torch.tensor([[True, True, False]]),
        torch.tensor(match),
        sampled([positive], owner=[[0, 1, 0]]),
    )
    return *found, vectors


def test_identities_are_chosen_among_new_and_the_objects_of_the_reference():
    loss, right, _ = identities([True, True, False])
    first = math.log(1 + 1 + math.exp(2)) - 2
    second = math.log(1 + 2 * math.exp(1))
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)
    assert right.tolist() == [1]


def test_b7_an_image_with_one_positive_region_learns_its_identity_too():
    loss, right, vectors = identities([True, False, False])
    assert loss.item() == pytest.approx(math.log(2 + math.exp(2)) - 2, rel=1e-5)
    assert right.tolist() == [1]
    loss.sum().backward()
    assert vectors.grad[0, 0].any()


def test_b7_without_any_positive_region_the_identity_loss_is_zero_and_connected():
    loss, right, vectors = identities([False, False, False])
    assert loss.item() == 0
    assert right.tolist() == [0]
    loss.sum().backward()
    assert not vectors.grad.any()


def test_masks_learn_their_part_of_the_object_in_the_map_of_its_class():
    masks = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    masks[..., :, :5] = True  # the left half of the region
    logits = torch.zeros(1, 1, 3, 4, 4)
    logits[0, 0, 2, :, :2], logits[0, 0, 2, :, 2:] = 50.0, -50.0
    assert mask_loss(logits, sampled([[True]], labels=[[1]]), masks).item() == pytest.approx(0, abs=1e-6)
    assert mask_loss(logits, sampled([[True]], labels=[[0]]), masks).item() == pytest.approx(math.log(2))
    assert mask_loss(logits, sampled([[False]], labels=[[0]]), masks).item() == 0
