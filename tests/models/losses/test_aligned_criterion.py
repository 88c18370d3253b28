"""The criterion of the dynamic head: its terms, their normalisers, and two processes that give what one does."""

import dataclasses

import pytest
import torch

from mmdet.errors import UserError
from mmdet.models.assigners.task_aligned import AlignedAssignment
from mmdet.models.losses import aligned_criterion
from mmdet.models.losses.aligned_criterion import WEIGHTS, class_targets, quality_focal, sigma_errors
from mmdet.registry import CRITERIA
from mmdet.structures import padded_truth as truths

OF_OBJECTS = set(WEIGHTS) - {"loss_cls"}


def total(losses):
    return sum(value for name, value in losses.items() if name.startswith("loss"))


def test_every_term_is_a_finite_scalar_with_gradient(plus):
    criterion = CRITERIA.build({"type": "AlignedCriterion", "assigner": {"type": "TaskAlignedAssigner"}})
    losses = criterion(plus.make_outputs(plus.make_leaves([30, 20])), plus.make_batch([30, 20]))
    assert set(losses) == {*WEIGHTS, "match_acc"}
    for name in WEIGHTS:
        assert losses[name].shape == ()
        assert losses[name].isfinite()
        assert losses[name] > 0, name
        assert losses[name].requires_grad, name
    assert not losses["match_acc"].requires_grad
    assert 0 <= losses["match_acc"] <= 1


def test_every_output_learns_where_there_are_objects(plus):
    for name, gradient in plus.losses_and_gradients([30, 20])[1].items():
        assert gradient.isfinite().all(), name
        assert gradient[:, 0].any(), name
        assert gradient[:, 1].any(), f"{name} of references"


@pytest.mark.parametrize("images", [[0], [0, 1]])
def test_without_objects_all_terms_but_the_classes_are_zero_and_connected(plus, images):
    leaves = plus.make_leaves(images)
    losses = plus.make_criterion()(plus.make_outputs(leaves), plus.make_batch(images))
    assert all(losses[name] == 0 for name in OF_OBJECTS)
    assert losses["loss_cls"] > 0  # every point is background
    total(losses).backward()
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.any() == (name == "cls_logits"), name


def test_points_in_crowds_alone_learn_nothing(plus):
    outputs, batch = plus.make_outputs(plus.make_leaves([20])), plus.make_batch([20])
    frames = batch.truth.frames
    covered = dataclasses.replace(
        frames,
        boxes=torch.tensor([0.0, 0.0, 96.0, 64.0]).expand_as(frames.boxes),
        valid=torch.zeros_like(frames.valid),
        is_crowd=torch.ones_like(frames.is_crowd),
        ids=torch.full_like(frames.ids, -1),
    )
    batch = dataclasses.replace(batch, truth=dataclasses.replace(batch.truth, frames=covered))
    losses = plus.make_criterion()(outputs, batch)
    assert all(losses[name] == 0 for name in WEIGHTS)


@pytest.mark.parametrize("images", [[30, 21], [52, 0], [0]])
def test_rows_of_padding_change_nothing(plus, monkeypatch, images):
    few = plus.losses_and_gradients(images)
    monkeypatch.setattr(truths, "ROWS_MULTIPLE", 16)
    assert plus.make_batch(images).truth.frames.boxes.shape[1] == 16
    torch.testing.assert_close(plus.losses_and_gradients(images), few)


def test_weights_scale_single_terms(plus):
    plain, _ = plus.losses_and_gradients([30])
    weighted, _ = plus.losses_and_gradients([30], loss_weights={"loss_cls": 2.0, "loss_match": 0.0})
    expected = {**plain, "loss_cls": 2 * plain["loss_cls"], "loss_match": 0 * plain["loss_match"]}
    torch.testing.assert_close(weighted, expected)


def test_a_misspelt_loss_weight_is_an_error_that_names_its_neighbour(plus):
    with pytest.raises(UserError, match="'loss_box'.*loss_bbox"):
        plus.make_criterion(loss_weights={"loss_box": 1.0})


def test_references_without_masks_are_an_error_that_names_the_remedy(plus):
    with pytest.raises(UserError, match="reference_masks=True in every data set"):
        plus.make_criterion()(plus.make_outputs(plus.make_leaves([20])), plus.make_batch([20], reference_masks=False))


def test_outputs_in_half_precision_are_taken(plus):
    leaves = {name: leaf.detach().bfloat16().requires_grad_() for name, leaf in plus.make_leaves([30]).items()}
    losses = plus.make_criterion()(plus.make_outputs(leaves), plus.make_batch([30]))
    total(losses).backward()
    assert all(losses[name].dtype == torch.float32 and losses[name].isfinite() for name in WEIGHTS)
    assert all(leaf.grad.dtype == torch.bfloat16 and leaf.grad.isfinite().all() for leaf in leaves.values())


def test_losses_are_computed_in_float32_under_autocast(plus):
    leaves, batch = plus.make_leaves([30]), plus.make_batch([30])
    plain = plus.make_criterion()(plus.make_outputs(leaves), batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = plus.make_criterion()(plus.make_outputs(leaves), batch)
    for name, value in inside.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, plain[name], rtol=0, atol=0)


def test_losses_and_gradients_stay_finite_at_extreme_outputs(plus):
    leaves = plus.make_leaves([30])
    leaves = {name: (leaf.detach() * 1e3).requires_grad_() for name, leaf in leaves.items()}
    losses = plus.make_criterion()(plus.make_outputs(leaves), plus.make_batch([30]))
    total(losses).backward()
    assert all(value.isfinite() for value in losses.values())
    assert all(leaf.grad.isfinite().all() for leaf in leaves.values())


def assigned(slots, valid, targets, points=4):
    """An assignment of one frame."""
    valid = torch.tensor([valid])
    return AlignedAssignment(
        slots=torch.tensor([slots]),
        valid=valid,
        targets=torch.tensor([targets]).where(valid, 0),
        ignored=torch.zeros(1, points, dtype=torch.bool),
    )


def test_targets_stand_at_the_classes_of_the_objects_points(plus):
    found = assigned([[2, 0], [1, 2]], [[True, True], [True, False]], [[0.75, 0.5], [0.25, 0.0]])
    truth = dataclasses.replace(plus.make_batch([20]).truth.frames, labels=torch.tensor([[1, 2]]))
    expected = torch.zeros(1, 4, 3)
    expected[0, 2, 1], expected[0, 0, 1], expected[0, 1, 2] = 0.75, 0.5, 0.25
    assert torch.equal(class_targets(torch.zeros(1, 4, 3), truth, found), expected)


def test_empty_slots_write_no_target_even_where_they_point_at_anothers_point(plus):
    found = assigned([[3], [3]], [[True], [False]], [[0.5], [0.0]])
    truth = dataclasses.replace(plus.make_batch([20]).truth.frames, labels=torch.tensor([[0, 0]]))
    targets = class_targets(torch.zeros(1, 4, 3), truth, found)
    assert targets[0, 3, 0] == 0.5
    assert targets.sum() == 0.5


def test_quality_focal_is_cross_entropy_times_the_errors_power():
    scores, targets = torch.tensor([0.2, 0.9, 0.5], dtype=torch.float64), torch.tensor([0.0, 1.0, 0.3]).double()
    entropy = -(targets * scores.log() + (1 - targets) * (1 - scores).log())
    expected = (targets - scores).abs() ** 1.5 * entropy
    torch.testing.assert_close(quality_focal(scores.logit(), targets, 1.5), expected)


def test_errors_of_sigma_are_relative_to_the_size_of_the_object(plus):
    outputs = plus.make_outputs(plus.make_leaves([10]))  # 96 x 64
    outputs = dataclasses.replace(outputs, box_sigma=torch.tensor([0.1, 0.2, 0.3, 0.4]).expand_as(outputs.box_sigma))
    boxes, true = torch.tensor([0.0, 0.0, 48.0, 32.0]), torch.tensor([9.6, 0.0, 48.0, 32.0])
    found = assigned([[5]], [[True]], [[1.0]], points=128)
    outputs = dataclasses.replace(outputs, box_sigma=outputs.box_sigma[:1])
    error = sigma_errors(outputs, boxes.view(1, 1, 1, 4), true.view(1, 1, 1, 4), found)
    # errors of the sides: 0.1, 0, 0, 0; the true sides: 0.4 and 0.5 of the image
    assert error.item() == pytest.approx((0 + 0.2 + 0.3 + 0.4) / 4 / 0.45, rel=1e-5)


def test_terms_are_sums_over_the_targets_of_all_frames(plus):
    """Against the parts, put together by hand."""
    outputs, batch = plus.make_outputs(plus.make_leaves([30, 20])), plus.make_batch([30, 20])
    criterion = plus.make_criterion()
    found = criterion.assigner(outputs.points, outputs.cls_logits.sigmoid(), outputs.boxes, batch.truth.frames)
    weight = found.targets.sum()
    assert weight > 1
    targets = class_targets(outputs.cls_logits, batch.truth.frames, found)
    expected = quality_focal(outputs.cls_logits, targets, 2.0).sum() / weight
    losses = criterion(outputs, batch)
    torch.testing.assert_close(losses["loss_cls"], expected * WEIGHTS["loss_cls"])
    summed = 0.0
    for frame, row, slot in torch.nonzero(found.valid).tolist():
        own = outputs.boxes[frame, found.slots[frame, row, slot]]
        error = 1 - aligned_criterion.giou(own, batch.truth.frames.boxes[frame, row])
        summed = summed + error * found.targets[frame, row, slot]
    torch.testing.assert_close(losses["loss_bbox"], WEIGHTS["loss_bbox"] * summed / weight)


@pytest.mark.dist
def test_two_ranks_give_the_losses_of_one_process(plus, two_ranks, case):
    index, images = case
    expected, _ = plus.losses_and_gradients([*images[0], *images[1]])
    for name, value in expected.items():
        mean = sum(found["losses"][index][0][name] for found in two_ranks) / 2
        torch.testing.assert_close(mean, value, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.dist
def test_two_ranks_give_the_gradients_of_one_process(plus, two_ranks, case):
    index, images = case
    _, expected = plus.losses_and_gradients([*images[0], *images[1]])
    for name, gradient in expected.items():
        halves = torch.cat([found["losses"][index][1][name] for found in two_ranks]) / 2  # DDP's mean
        torch.testing.assert_close(halves, gradient, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("images", [[30, 20], [52, 0], [0, 1]])
def test_the_gpu_gives_the_losses_and_gradients_of_the_cpu(plus, images):
    torch.testing.assert_close(
        plus.losses_and_gradients(images, "cuda"), plus.losses_and_gradients(images), rtol=1e-3, atol=1e-4
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_nothing_waits_for_the_gpu(plus):
    leaves = {name: leaf.detach().cuda().requires_grad_() for name, leaf in plus.make_leaves([30, 0]).items()}
    outputs, batch = plus.make_outputs(leaves), plus.make_batch([30, 0]).to("cuda")
    criterion = plus.make_criterion()
    torch.cuda.set_sync_debug_mode("error")
    try:
        total(criterion(outputs, batch)).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
