import math

import pytest
import torch
from torch.nn import functional as F

from mmdet.models.losses.contrastive import contrastive_loss, cosine, gathered_contrastive_loss, match_accuracy


def scene(seed=0, keys=8, references=7, padding=2):
    source = torch.Generator().manual_seed(seed)
    count = keys + references + padding
    rows = torch.arange(count)
    partner = torch.full((count,), -1)
    partner[: keys - 2] = keys + torch.randperm(references, generator=source)[: keys - 2]
    embeddings = (torch.rand(count, 6, generator=source) - 0.5).requires_grad_()
    return embeddings, rows < keys, (rows >= keys) & (rows < keys + references), partner


def reference_loss(embeddings, is_key, is_reference, partner, exclude_matches):
    """The loss as MODEL.md 6 says it, object by object."""
    keys, references = is_key.nonzero().flatten().tolist(), is_reference.nonzero().flatten().tolist()
    logit = F.cosine_similarity(embeddings[:, None], embeddings[None], dim=2, eps=1e-8) / 0.1
    positive = sum(logit[i, partner[i]].exp() for i in keys if partner[i] >= 0)
    negative = 0.0
    for i in keys:
        others = sorted((logit[i, j] for j in keys if j != i), reverse=True)[:5]
        across = sorted((logit[i, j] for j in references if not (exclude_matches and j == partner[i])), reverse=True)[
            :5
        ]
        negative = negative + sum(value.exp() for value in others + across)
    return -(positive / negative).log()


@pytest.mark.parametrize("exclude_matches", [True, False])
@pytest.mark.parametrize(("keys", "references"), [(8, 7), (3, 2), (9, 20)])
def test_loss_and_gradient_equal_those_object_by_object(keys, references, exclude_matches):
    arguments = scene(1, keys, max(references, keys - 2))
    loss = contrastive_loss(*arguments, exclude_matches=exclude_matches)
    expected = reference_loss(*arguments, exclude_matches)
    torch.testing.assert_close(loss, expected)
    actual, wanted = (torch.autograd.grad(value, arguments[0])[0] for value in (loss, expected))
    torch.testing.assert_close(actual, wanted)


def test_matches_among_the_negatives_bound_the_loss_and_without_them_it_has_no_bound():
    """Q4: kept as in the release, as leaving the matches out costs AP; both values are tested."""
    embeddings = torch.eye(4)[[0, 1, 0, 1]]  # two objects, orthogonal, seen again unchanged
    is_key = torch.tensor([True, True, False, False])
    partner = torch.tensor([2, 3, -1, -1])
    without = contrastive_loss(embeddings, is_key, ~is_key, partner, exclude_matches=True)
    assert without.item() == pytest.approx(math.log(4) - math.log(2) - 10, rel=1e-5)
    # positives: 2 of e^10; negatives: the same 2, and e^0 from each key to the other key and to the other reference
    default = contrastive_loss(embeddings, is_key, ~is_key, partner)
    assert default.item() == pytest.approx(math.log((2 * math.exp(10) + 4) / (2 * math.exp(10))), rel=1e-2)
    assert default.item() > 0


def test_without_a_positive_pair_the_loss_is_zero_and_connected():
    """Q3: the release puts copies of 10 in place of missing positives."""
    embeddings, is_key, is_reference, partner = scene()
    loss = contrastive_loss(embeddings, is_key, is_reference, torch.full_like(partner, -1))
    loss.backward()
    assert loss == 0
    assert not embeddings.grad.any()


@pytest.mark.parametrize("exclude_matches", [True, False])
def test_without_a_negative_the_loss_is_zero(exclude_matches):
    embeddings = torch.ones(2, 3, requires_grad=True)
    is_key = torch.tensor([True, False])
    loss = contrastive_loss(embeddings, is_key, ~is_key, torch.tensor([1, -1]), exclude_matches=exclude_matches)
    loss.backward()
    assert loss == 0
    assert not embeddings.grad.any()


def test_rows_of_padding_change_nothing():
    embeddings, is_key, is_reference, partner = scene(padding=3)
    count = len(embeddings) - 3
    padded = contrastive_loss(embeddings, is_key, is_reference, partner)
    bare = contrastive_loss(embeddings[:count], is_key[:count], is_reference[:count], partner[:count])
    torch.testing.assert_close(padded, bare)


def test_zero_embeddings_have_a_finite_gradient():
    embeddings = torch.zeros(4, 3, requires_grad=True)
    is_key = torch.tensor([True, True, False, False])
    contrastive_loss(embeddings, is_key, ~is_key, torch.tensor([2, 3, -1, -1])).backward()
    assert embeddings.grad.isfinite().all()


def test_rows_of_a_batch_find_their_matches():
    source = torch.Generator().manual_seed(5)
    key, reference = torch.rand(2, 3, 4, generator=source), torch.rand(2, 2, 4, generator=source)
    match = torch.tensor([[1, -1, 0], [0, -1, -1]])
    key_valid = torch.tensor([[True, True, True], [True, False, False]])
    reference_valid = torch.tensor([[True, True], [True, False]])
    found = gathered_contrastive_loss(key, reference, key_valid, reference_valid, match, 0.1, 5, True)
    expected = contrastive_loss(
        torch.cat((key[0], key[1, :1], reference[0], reference[1, :1])),
        torch.tensor([True] * 4 + [False] * 3),
        torch.tensor([False] * 4 + [True] * 3),
        torch.tensor([5, -1, 4, 6, -1, -1, -1]),
        exclude_matches=True,
    )
    torch.testing.assert_close(found, expected)


def test_accuracy_counts_kept_pairs_that_choose_their_match():
    reference = torch.eye(3)[None, :2]
    coefficients = torch.tensor([[[[1.0, 0, 0], [0, 1, 0]], [[0, 0, 1], [0.1, -1, 0]]]])
    match = torch.tensor([[0, -1]])
    kept = torch.tensor([[[True, True], [False, True]]])
    valid = torch.tensor([[True, True]])
    assert match_accuracy(coefficients, reference, valid, match, kept).tolist() == pytest.approx([1 / 3])
    all_negative = match_accuracy(-coefficients.abs(), reference, valid, match, kept)
    assert all_negative.tolist() == pytest.approx([1 / 3])  # nothing is similar: right for the object without match


def test_padding_is_never_chosen_as_a_match():
    reference = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    coefficients = torch.tensor([[[[0.1, 1.0]]]])
    accuracy = match_accuracy(
        coefficients, reference, torch.tensor([[True, False]]), torch.tensor([[0]]), torch.tensor([[[True]]])
    )
    assert accuracy.tolist() == [1]


def test_cosine_of_parallel_embeddings_is_one():
    torch.testing.assert_close(cosine(torch.tensor([[3.0, 4.0]]), torch.tensor([[6.0, 8.0]])), torch.ones(1, 1))
