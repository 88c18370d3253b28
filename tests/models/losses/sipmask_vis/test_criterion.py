"""The criterion of SipMask-VIS: its terms, what the release gets wrong, its slots, and two processes that equal one."""

import dataclasses

import pytest
import sipmask_scenes as scenes
import torch
from loss_scenes import HEIGHT, WIDTH, make_batch
from torch.nn import functional as F

from mmdet.errors import UserError
from mmdet.models.assigners.by_range import RANGES
from mmdet.models.losses.sipmask_vis import quarter_masks
from mmdet.models.losses.sipmask_vis.criterion import LOSSES, mask_errors, match_errors
from mmdet.models.losses.sipmask_vis.slots import Slots, most_points_of_an_object
from mmdet.ops.masks.crop_split import crop_split
from mmdet.registry import CRITERIA
from mmdet.structures import PointGrid
from mmdet.structures import padded_truth as truths

CASES = [([30, 21], [52, 0]), ([30, 21], [0, 1]), ([40], [20])]  # pairs of rank 0 and of rank 1
MOST = most_points_of_an_object(scenes.RANGES, scenes.STRIDES, 1.5)


def total(losses):
    return sum(value for name, value in losses.items() if name.startswith("loss"))


def slots_of(images, **changes):
    """Outputs (with single tensors replaced), truth and slots of pairs."""
    outputs = dataclasses.replace(scenes.make_outputs(scenes.make_leaves(images)), **changes)
    truth = make_batch(images).truth
    found = scenes.make_criterion().assigner(outputs.points, truth)
    return outputs, truth, found, Slots.make(outputs, truth, found, MOST)


def test_every_term_is_a_finite_scalar_with_gradient():
    losses = scenes.make_criterion()(scenes.make_outputs(scenes.make_leaves([30, 20])), make_batch([30, 20]))
    assert set(losses) == {*LOSSES, "match_acc"}
    for name in LOSSES:
        assert losses[name].shape == ()
        assert losses[name].isfinite()
        assert losses[name] > 0, name
        assert losses[name].requires_grad, name
    assert not losses["match_acc"].requires_grad
    assert 0 < losses["match_acc"] < 1


def test_every_output_learns_where_there_are_objects():
    for name, gradient in scenes.losses_and_gradients([30, 20])[1].items():
        assert gradient.isfinite().all(), name
        assert gradient.any(), name


@pytest.mark.parametrize("images", [[0], [0, 1]])
def test_without_objects_all_terms_but_the_classes_are_zero_and_connected(images):
    """B8 and B9: the release divides by zero, or takes a constant for the mask loss."""
    leaves = scenes.make_leaves(images)
    losses = scenes.make_criterion()(scenes.make_outputs(leaves), make_batch(images))
    assert losses["loss_cls"] > 0  # every point is background
    assert all(losses[name] == 0 for name in {*LOSSES, "match_acc"} - {"loss_cls"})
    total(losses).backward()
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
        assert leaf.grad.any() == (name == "cls_logits"), name


def test_a_batch_whose_predicted_boxes_are_all_too_small_learns_no_mask_and_no_match():
    """B8: the release divides by zero in match_acc and replaces a mask loss of zero by a constant."""
    leaves = scenes.make_leaves([30])
    tiny = torch.full_like(leaves["distances"], 0.4).requires_grad_()
    losses = scenes.make_criterion()(scenes.make_outputs({**leaves, "distances": tiny}), make_batch([30]))
    assert losses["loss_mask"] == losses["loss_match"] == losses["match_acc"] == 0
    assert losses["loss_bbox"] > 0
    total(losses).backward()
    for name in ("coefficients", "mask_basis", "track_map", "reference_track_map"):
        assert leaves[name].grad is not None, name
        assert not leaves[name].grad.any(), name


def test_a_crowd_teaches_neither_points_nor_masks():
    """B9: in the release crowds shift masks against boxes."""
    batch = make_batch([30], crowd=(1,))
    outputs = scenes.make_outputs(scenes.make_leaves([30]))
    found = scenes.make_criterion().assigner(outputs.points, batch.truth)
    slots = Slots.make(outputs, batch.truth, found, MOST)
    assert slots.kept.any()
    assert not (slots.owner[slots.kept] == 1).any()
    losses = scenes.make_criterion()(outputs, batch)
    assert all(losses[name].isfinite() for name in LOSSES)


def test_boxes_inverted_both_ways_pass_the_test_of_their_area_and_weigh_nothing_in_the_mask_loss():
    """B3, kept in the loss: distances may be negative, and the product of two negative sides is positive."""
    leaves = scenes.make_leaves([30])
    inverted = torch.full_like(leaves["distances"], -20.0).requires_grad_()
    outputs, truth, found, slots = slots_of([30], distances=inverted)
    assert slots.kept.sum() == found.positive.sum() > 0
    errors = mask_errors(outputs, truth, slots)
    assert errors.tolist() == [0.0]
    losses = scenes.make_criterion()(outputs, make_batch([30]))
    total(losses).backward()
    assert all(losses[name].isfinite() for name in LOSSES)
    assert inverted.grad.isfinite().all()


@pytest.mark.parametrize("shift", [-1000.0, 1000.0])
def test_the_track_map_is_read_at_its_border_for_boxes_far_outside(shift):
    """B4: in the release negative indices wrap around, and large ones raise."""
    leaves = scenes.make_leaves([30])
    moved = leaves["distances"].detach().abs() + 8 + torch.tensor([-shift, -shift, shift, shift])
    outputs, truth, _, slots = slots_of([30], distances=moved)
    assert slots.kept.any()
    row, column = (0, 0) if shift < 0 else (HEIGHT // 8 - 1, WIDTH // 8 - 1)
    corner = leaves["track_map"][:, :, row, column]
    at_corner = dataclasses.replace(outputs, track_map=corner[:, :, None, None].expand_as(leaves["track_map"]))
    torch.testing.assert_close(match_errors(outputs, truth, slots), match_errors(at_corner, truth, slots))


def test_masks_and_matches_equal_plain_sums_over_the_kept_points():
    outputs, truth, found, slots = slots_of([30, 52])
    errors, (matches, right) = mask_errors(outputs, truth, slots), match_errors(outputs, truth, slots)
    for image in range(2):
        points = found.positive[image].nonzero().flatten()
        boxes = outputs.boxes[image, points].detach() / 2
        keep = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) > 1
        points, boxes, owner = points[keep], boxes[keep], found.owner[image, points[keep]]
        assert sorted(points.tolist()) == sorted(slots.points[image][slots.kept[image]].tolist())
        maps = torch.einsum("nqe,ehw->nqhw", outputs.coefficients[image, points], outputs.mask_basis[image]).sigmoid()
        masks = truth.half_masks[image, owner].float()
        inside = crop_split(masks[:, None].expand(-1, 4, -1, -1), boxes)
        sums = F.binary_cross_entropy(crop_split(maps, boxes), inside, reduction="none").sum((1, 2))
        sums = sums / (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1]) / len(points)
        own = {
            int(p): q for p, q, k in zip(slots.points[image], slots.quality[image], slots.kept[image], strict=True) if k
        }
        quality = torch.stack([own[int(point)] for point in points])
        expected = (quality / (quality.sum() + 1e-4) * len(points) * sums).sum()
        torch.testing.assert_close(errors[image], expected)
        centres = ((boxes[:, :2] + boxes[:, 2:]) / 8).floor().long()
        cells = centres[:, 0].clamp(0, WIDTH // 8 - 1), centres[:, 1].clamp(0, HEIGHT // 8 - 1)
        features = outputs.track_map[image][:, cells[1], cells[0]].T
        count = int(truth.reference_valid[image].sum())
        middles = (truth.reference_boxes[image, :count].view(-1, 2, 2).mean(1) / 8).floor().long()
        at = middles[:, 0].clamp(0, WIDTH // 8 - 1), middles[:, 1].clamp(0, HEIGHT // 8 - 1)
        logits = F.pad(features @ outputs.reference_track_map[image][:, at[1], at[0]], (1, 0))
        target = truth.match[image, owner] + 1
        torch.testing.assert_close(matches[image], F.cross_entropy(logits, target))
        assert right[image] == (logits.argmax(1) == target).sum()


def test_all_slots_and_kept_slots_give_the_same_losses_and_gradients(monkeypatch):
    """A GPU computes all slots, the CPU the kept ones."""
    outputs, truth, _, slots = slots_of([30, 52])
    boxes, owner, masks = slots.boxes, slots.owner, truth.half_masks
    found = []
    for at_once in (2**24, 5000):
        monkeypatch.setattr(quarter_masks, "PIXELS_AT_ONCE", at_once)
        for function, extra in ((quarter_masks.errors_of_slots, ()), (quarter_masks.errors_of_kept, (slots.kept,))):
            basis = outputs.mask_basis.detach().requires_grad_()
            coefficients = torch.rand(*boxes.shape[:2], 4, scenes.BASES, generator=torch.Generator().manual_seed(1))
            coefficients = (4 * coefficients - 2).requires_grad_()
            errors = function(basis, coefficients, boxes, owner, masks, *extra).where(slots.kept, 0)
            found.append((errors.detach(), *torch.autograd.grad((errors * errors).sum(), (basis, coefficients))))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-4, atol=1e-3)


def test_the_written_gradient_of_the_mask_loss_is_that_of_autograd():
    outputs, truth, _, slots = slots_of([30])
    chosen = slots.kept[0].nonzero().flatten()
    boxes, masks = slots.boxes[0, chosen], truth.half_masks[0]
    owner = slots.owner[0, chosen]
    results = []
    for written in (True, False):
        basis = outputs.mask_basis[0].detach().requires_grad_()
        own = (
            30 * torch.rand(len(chosen), 4, scenes.BASES, generator=torch.Generator().manual_seed(2)) - 15
        ).requires_grad_()
        if written:
            errors = quarter_masks._QuarterErrors.apply(3, basis, own, boxes, owner, masks)
        else:
            errors = quarter_masks.quarter_errors(basis, own, boxes, masks[owner])
        results.append((errors.detach(), *torch.autograd.grad(errors.sum(), (basis, own))))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-4)


def test_no_object_is_learnt_by_more_points_than_there_are_slots():
    assert most_points_of_an_object(RANGES, (8, 16, 32, 64, 128), 1.5) == 18
    sizes = tuple((-(-512 // s), -(-640 // s)) for s in (8, 16, 32, 64, 128))
    points = PointGrid.make((512, 640), sizes, (8, 16, 32, 64, 128), torch.device("cpu"))
    criterion = CRITERIA.build({"type": "SipMaskVISCriterion", "assigner": {"type": "RangeAssigner"}})
    source, most = torch.Generator().manual_seed(0), 0
    for _ in range(40):
        batch = make_batch([40])
        corner = torch.rand(1, 4, 2, generator=source) * torch.tensor([500.0, 400.0])
        boxes = torch.cat((corner, corner + 10 + 300 * torch.rand(1, 4, 2, generator=source)), dim=2)
        truth = dataclasses.replace(batch.truth, boxes=boxes)
        found = criterion.assigner(points, truth)
        counts = [int(((found.owner[0] == row) & found.positive[0]).sum()) for row in range(4)]
        most = max(most, *counts)
    assert 9 < most <= 18


@pytest.mark.parametrize("images", [[30, 21], [52, 0], [0]])
def test_rows_of_padding_change_nothing(monkeypatch, images):
    few = scenes.losses_and_gradients(images)
    monkeypatch.setattr(truths, "ROWS_MULTIPLE", 16)
    torch.testing.assert_close(scenes.losses_and_gradients(images), few)


def test_weights_scale_single_terms():
    plain, _ = scenes.losses_and_gradients([30])
    weighted, _ = scenes.losses_and_gradients([30], loss_weights={"loss_cls": 2.0, "loss_match": 0.0})
    expected = {**plain, "loss_cls": 2 * plain["loss_cls"], "loss_match": 0 * plain["loss_match"]}
    torch.testing.assert_close(weighted, expected)


def test_a_misspelt_loss_weight_is_an_error_that_names_its_neighbour():
    with pytest.raises(UserError, match="'loss_box'.*loss_bbox"):
        scenes.make_criterion(loss_weights={"loss_box": 1.0})


def test_an_assigner_without_a_radius_is_an_error_that_names_the_remedy():
    with pytest.raises(UserError, match="center_radius"):
        CRITERIA.build({"type": "SipMaskVISCriterion", "assigner": {"type": "RangeAssigner", "center_radius": None}})


def test_outputs_in_half_precision_are_taken():
    leaves = {name: leaf.detach().bfloat16().requires_grad_() for name, leaf in scenes.make_leaves([30]).items()}
    losses = scenes.make_criterion()(scenes.make_outputs(leaves), make_batch([30]))
    total(losses).backward()
    assert all(losses[name].dtype == torch.float32 and losses[name].isfinite() for name in LOSSES)
    assert all(leaf.grad.dtype == torch.bfloat16 and leaf.grad.isfinite().all() for leaf in leaves.values())


@pytest.mark.dist
def test_two_ranks_give_the_losses_and_gradients_of_one_process(tmp_path):
    torch.multiprocessing.spawn(scenes.run_rank, args=(CASES, str(tmp_path)), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for index, images in enumerate(CASES):
        losses, gradients = scenes.losses_and_gradients([*images[0], *images[1]])
        for name, value in losses.items():
            mean = sum(found[index][0][name] for found in ranks) / 2
            torch.testing.assert_close(mean, value, msg=lambda text, name=name: f"{name}: {text}")
        for name, gradient in gradients.items():
            halves = torch.cat([found[index][1][name] for found in ranks]) / 2  # DDP's mean
            torch.testing.assert_close(halves, gradient, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("images", [[30, 20], [52, 0], [0, 1]])
def test_the_gpu_gives_the_losses_and_gradients_of_the_cpu(images):
    torch.testing.assert_close(
        scenes.losses_and_gradients(images, "cuda"), scenes.losses_and_gradients(images), rtol=1e-3, atol=1e-4
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_nothing_waits_for_the_gpu():
    leaves = {name: leaf.detach().cuda().requires_grad_() for name, leaf in scenes.make_leaves([30, 0]).items()}
    outputs, batch, criterion = scenes.make_outputs(leaves), make_batch([30, 0]).to("cuda"), scenes.make_criterion()
    total(criterion(outputs, batch)).backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        total(criterion(outputs, batch)).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert leaves["coefficients"].grad.any()
