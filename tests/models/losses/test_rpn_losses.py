"""The losses of the region proposal network, in cases made by hand."""

import math
from dataclasses import replace

import pytest
import torch

from mmdet.models.losses.two_stage import rpn
from mmdet.models.losses.two_stage.rpn import rpn_losses
from mmdet.structures.two_stage_outputs import BoxAssignment, RPNOutputs, Samples

ANCHORS = [[0.0, 0, 9, 9], [10, 0, 19, 9], [0, 0, 19, 19]]
SLOTS = 4


@pytest.fixture
def truth(scenes):
    """Of one image, whose first object lies half a side to the right of the first anchor."""
    batch = scenes.make_batch([10]).truth
    boxes = batch.boxes.clone()
    boxes[0, 0] = torch.tensor([5.0, 0, 14, 9])
    return replace(batch, boxes=boxes)


@pytest.fixture
def outputs():
    return RPNOutputs(
        anchors=torch.tensor(ANCHORS),
        level_counts=(2, 1),
        cls_logits=torch.zeros(1, 3, requires_grad=True),
        deltas=torch.zeros(1, 3, 4, requires_grad=True),
    )


def learn(outputs, truth, positive, negative):
    """Return the losses of the levels, if the anchors of these indices are sampled; the first object is learnt."""
    index = [*positive, *negative]
    rest = SLOTS - len(index)
    samples = Samples(
        index=torch.tensor([index + [0] * rest]),
        positive=torch.tensor([[True] * len(positive) + [False] * (SLOTS - len(positive))]),
        valid=torch.tensor([[True] * len(index) + [False] * rest]),
    )
    none = torch.zeros(1, len(ANCHORS), dtype=torch.bool)
    assigned = BoxAssignment(owner=torch.zeros(1, len(ANCHORS), dtype=torch.int64), positive=none, negative=none)
    return rpn_losses(outputs, truth, assigned, samples)


def test_every_level_has_the_losses_of_its_own_anchors(outputs, truth):
    of_class, of_box = learn(outputs, truth, positive=[0], negative=[1, 2])
    assert of_class.tolist() == pytest.approx([2 * math.log(2) / 3, math.log(2) / 3])
    assert of_box.tolist() == pytest.approx([(0.5 - 1 / 18) / 3, 0])  # |0.5| - beta / 2


def test_small_differences_count_by_their_square(outputs, truth):
    deltas = outputs.deltas.detach().clone()
    deltas[0, 0, 0] = 0.45
    _, of_box = learn(replace(outputs, deltas=deltas), truth, positive=[0], negative=[])
    assert of_box.sum().item() == pytest.approx(0.05**2 / 2 * 9 / 2)  # the missing negatives count as one


def test_an_image_without_positives_is_divided_as_if_it_had_one(outputs, truth):
    of_class, of_box = learn(outputs, truth, positive=[], negative=[0, 1])
    assert of_class.sum().item() == pytest.approx(2 * math.log(2) / 3)
    assert of_box.tolist() == [0, 0]


def test_without_any_sample_the_losses_are_zero_and_connected(outputs, truth):
    of_class, of_box = learn(outputs, truth, positive=[], negative=[])
    (of_class.sum() + of_box.sum()).backward()
    assert of_class.tolist() == of_box.tolist() == [0, 0]
    assert not outputs.cls_logits.grad.any()
    assert not outputs.deltas.grad.any()


def test_anchors_that_are_not_sampled_get_no_gradient(outputs, truth):
    of_class, of_box = learn(outputs, truth, positive=[0], negative=[2])
    (of_class.sum() + of_box.sum()).backward()
    assert outputs.cls_logits.grad[0].ne(0).tolist() == [True, False, True]
    assert outputs.deltas.grad[0].any(dim=1).tolist() == [True, False, False]


def test_padding_in_place_of_objects_spoils_no_gradient(outputs, truth):
    nowhere = replace(truth, boxes=torch.full_like(truth.boxes, -1e9))  # inverted boxes would have no logarithm
    of_class, of_box = learn(outputs, nowhere, positive=[], negative=[0, 1])
    (of_class.sum() + of_box.sum()).backward()
    assert outputs.deltas.grad.isfinite().all()


def test_two_ranks_learn_what_one_process_learns_from_all_images(outputs, truth, scenes, monkeypatch):
    images = [slice(0, 1), slice(1, 2)]
    both = scenes.make_batch([10, 10]).truth
    both = replace(both, boxes=truth.boxes.expand(2, -1, -1))
    found = RPNOutputs(
        anchors=outputs.anchors,
        level_counts=outputs.level_counts,
        cls_logits=torch.tensor([[0.0, 1, 2], [3, 4, 5]]),
        deltas=torch.linspace(-1, 1, 24).view(2, 3, 4),
    )
    samples = Samples(
        index=torch.tensor([[0, 1, 2], [0, 2, 0]]),
        positive=torch.tensor([[True, False, False], [True, True, False]]),
        valid=torch.tensor([[True, True, True], [True, True, False]]),
    )
    none = torch.zeros(2, 3, dtype=torch.bool)
    assigned = BoxAssignment(owner=torch.zeros(2, 3, dtype=torch.int64), positive=none, negative=none)
    whole = rpn_losses(found, both, assigned, samples)

    monkeypatch.setattr(rpn, "world_size", lambda: 2)
    monkeypatch.setattr(rpn, "sum_over_ranks", lambda _: torch.tensor(6))  # 1 + 2 of the first image, 2 + 1
    ranks = [
        rpn_losses(
            replace(found, cls_logits=found.cls_logits[own], deltas=found.deltas[own]),
            replace(truth, boxes=both.boxes[own]),
            replace(assigned, owner=assigned.owner[own]),
            Samples(index=samples.index[own], positive=samples.positive[own], valid=samples.valid[own]),
        )
        for own in images
    ]
    for term in (0, 1):
        torch.testing.assert_close((ranks[0][term] + ranks[1][term]) / 2, whole[term])
