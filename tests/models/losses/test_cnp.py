import dataclasses

import pytest
import torch

from mmdet.models.losses.cnp import cnp_loss, mixture_nll, uncertainty_target
from mmdet.models.losses.pairs import Pairs
from mmdet.ops.boxes import aligned_iou

NUM_POINTS = 30


@pytest.fixture
def golden_pairs(part):
    """(mu, sigma, pairs) of the golden mixture: the objects' points put in slots, 3 an object."""
    mu, sigma = part("cnp_mu").clone().requires_grad_(), part("cnp_sigma").clone().requires_grad_()
    slots = torch.zeros(1, 3, 3, dtype=torch.int64)
    valid = torch.zeros(1, 3, 3, dtype=torch.bool)
    target = torch.zeros(1, 3, 3)
    used = [0, 0, 0]
    for (point, row), value in zip(part("cnp_pair").tolist(), part("cnp_tgt_uncert").tolist(), strict=True):
        place = (0, row, used[row])
        slots[place], valid[place], target[place] = point, True, value
        used[row] += 1
    pairs = Pairs(
        valid=valid,
        boxes=mu[slots],
        sigma=sigma[slots],
        class_probs=target,
        centerness=part("cnp_cent")[slots],
        true_boxes=part("cnp_gts")[None, :, None],
    )
    return mu, sigma, pairs


def test_loss_and_gradients_equal_the_golden(golden_pairs, part, part_notes, monkeypatch):
    mu, sigma, pairs = golden_pairs
    monkeypatch.setattr("mmdet.models.losses.cnp.uncertainty_target", lambda pairs: pairs.class_probs)
    loss = cnp_loss(pairs, torch.ones(4), NUM_POINTS).sum()
    loss.backward()
    assert loss.item() == pytest.approx(part_notes["cnp_GMM"], rel=1e-6)
    torch.testing.assert_close(mu.grad, part("cnp_GMM_gmu"))
    torch.testing.assert_close(sigma.grad, part("cnp_GMM_gsigma"))


def reference_loss(pairs, scale, image, num_points):
    """The loss of an image as MODEL.md 6 says it, object by object and point by point."""
    objects = [row for row in range(pairs.valid.shape[1]) if pairs.valid[image, row].any()]
    total = 0.0
    for row in objects:
        points = pairs.valid[image, row].nonzero().flatten().tolist()
        weights = torch.stack([pairs.centerness[image, row, point] for point in points])
        densities, errors = [], []
        for point in points:
            own = image, row, point
            sigma, true_box = pairs.sigma[own], pairs.true_boxes[image, row, 0]
            gaussian = torch.distributions.Normal(pairs.boxes[own] / scale, sigma)
            densities.append(gaussian.log_prob(true_box / scale).sum().exp())
            wrong = 2 - pairs.class_probs[own] - aligned_iou(pairs.boxes[own], true_box, 1.0)
            differences = (sigma - wrong).abs()
            errors.append(torch.where(differences < 1, differences.square() / 2, differences - 0.5).mean())
        likelihood = (weights / weights.sum() * torch.stack(densities)).sum()
        total = total - likelihood.log() / (num_points or len(objects)) + sum(errors) / len(errors)
    return total


@pytest.mark.parametrize("num_points", [NUM_POINTS, None])
def test_the_loss_equals_that_object_by_object(num_points):
    source = torch.Generator().manual_seed(1)
    corner = torch.rand(2, 3, 3, 2, generator=source) * 30
    pairs = Pairs(
        valid=torch.tensor([[[1, 1, 1], [1, 0, 1], [0, 0, 0]], [[0, 1, 0], [0, 0, 0], [0, 0, 0]]]).bool(),
        boxes=torch.cat((corner, corner + 10 + 20 * torch.rand(2, 3, 3, 2, generator=source)), dim=3),
        sigma=0.2 + 2 * torch.rand(2, 3, 3, 4, generator=source),
        class_probs=torch.rand(2, 3, 3, generator=source),
        centerness=torch.rand(2, 3, 3, generator=source),
        true_boxes=torch.tensor([5.0, 8.0, 35.0, 40.0]).expand(2, 3, 1, 4),
    )
    scale = torch.tensor([96.0, 64.0, 96.0, 64.0])
    expected = torch.stack([reference_loss(pairs, scale, image, num_points) for image in range(2)])
    torch.testing.assert_close(cnp_loss(pairs, scale, num_points), expected)


def test_a_mixture_is_the_weighted_sum_of_its_gaussians():
    source = torch.Generator().manual_seed(0)
    mean, sigma = torch.rand(3, 4, generator=source), 0.1 + torch.rand(3, 4, generator=source)
    weight, target = torch.rand(3, generator=source), torch.rand(4, generator=source)
    density = torch.distributions.Normal(mean, sigma).log_prob(target).sum(dim=1).exp()
    expected = -(weight / weight.sum() * density).sum().log()
    valid = torch.ones(3, dtype=torch.bool)
    torch.testing.assert_close(mixture_nll(mean, sigma, weight, valid, target), expected)


def test_a_hopeless_box_has_a_finite_loss_and_gradient():
    mean = torch.zeros(2, 4, requires_grad=True)
    sigma = torch.full((2, 4), 0.01)
    loss = mixture_nll(mean, sigma, torch.zeros(2), torch.ones(2, dtype=torch.bool), torch.ones(4))
    loss.backward()
    assert loss.isfinite()
    assert mean.grad.isfinite().all()


def test_a_mixture_without_components_is_zero_with_zero_gradient():
    mean = torch.zeros(2, 3, 4, requires_grad=True)
    valid = torch.tensor([[False, False, False], [True, False, True]])
    losses = mixture_nll(mean, torch.ones(2, 3, 4), torch.ones(2, 3), valid, torch.ones(2, 4))
    losses.sum().backward()
    assert losses[0] == 0
    assert not mean.grad[0].any()
    assert not mean.grad[1, 1].any()
    assert mean.grad[1, 0].all()


def test_uncertainty_target_is_what_class_and_legacy_overlap_lack():
    pairs = Pairs(
        valid=torch.ones(1, 1, 1, dtype=torch.bool),
        boxes=torch.tensor([[[[0.0, 0.0, 9.0, 9.0]]]]),
        sigma=torch.ones(1, 1, 1, 4),
        class_probs=torch.tensor([[[0.75]]]),
        centerness=torch.ones(1, 1, 1),
        true_boxes=torch.tensor([[[[0.0, 0.0, 9.0, 19.0]]]]),
    )
    assert uncertainty_target(pairs).item() == pytest.approx(0.25 + 0.5)
    far = dataclasses.replace(pairs, boxes=pairs.boxes + 100, class_probs=torch.zeros(1, 1, 1))
    assert uncertainty_target(far).item() == 2
