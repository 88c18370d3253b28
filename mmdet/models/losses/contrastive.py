"""The contrastive loss between objects of key and reference frames, over all images and ranks, and the match accuracy.

Source: MODEL.md 6 (loss_match, match_acc); of MODEL.md 10, Q3 is mended and Q4 is an option.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.collectives import gather_over_ranks, gather_sizes, rank, sum_gradient_over_ranks

COSINE_EPS = 1e-8  # MODEL.md 6
NO_LOGIT = -1e4  # far below any cosine / temperature: its exponential is 0 and its gradient is not NaN


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosines (..., N, M) of embeddings (..., N, E) and (..., M, E)."""
    return F.normalize(a, dim=-1, eps=COSINE_EPS) @ F.normalize(b, dim=-1, eps=COSINE_EPS).transpose(-1, -2)


def contrastive_loss(
    embeddings: Tensor,
    is_key: Tensor,
    is_reference: Tensor,
    partner: Tensor,
    temperature: float = 0.1,
    num_negatives: int = 5,
    exclude_matches: bool = False,
) -> Tensor:
    """Return -log(sum exp(positives) / sum exp(negatives)) of objects (n, E); logits are cosine / temperature.

    Rows of `embeddings` are key objects (`is_key`), reference objects (`is_reference`) or padding. `partner` (n,) is
    the row of a key object's match among the references, or -1. Positives are all matches. The negatives of a key
    object are its `num_negatives` largest logits with other key objects and as many with reference objects.
    `exclude_matches` leaves the own match out of them; the release does not (Q4; see Criterion). Without a positive or
    a negative the loss is 0.
    """
    rows = torch.arange(len(embeddings), device=embeddings.device)
    logits = cosine(embeddings, embeddings) / temperature
    matched = is_key.unsqueeze(1) & (partner.unsqueeze(1) == rows)
    other_keys = is_key.unsqueeze(1) & is_key & (rows.unsqueeze(1) != rows)
    references = is_key.unsqueeze(1) & is_reference
    if exclude_matches:
        references = references & ~matched
    count = min(num_negatives, len(rows))
    negatives = [logits.masked_fill(~mask, NO_LOGIT).topk(count, dim=1).values for mask in (other_keys, references)]
    positive = logits.masked_fill(~matched, NO_LOGIT).flatten().logsumexp(dim=0)
    negative = torch.cat(negatives).flatten().logsumexp(dim=0)
    return (negative - positive).where(matched.any() & (other_keys.any() | references.any()), 0)


def gathered_contrastive_loss(
    key: Tensor,
    reference: Tensor,
    key_valid: Tensor,
    reference_valid: Tensor,
    match: Tensor,
    temperature: float,
    num_negatives: int,
    exclude_matches: bool,
) -> Tensor:
    """Return the contrastive loss of the objects of all ranks.

    The value is the same on each, with the gradient that DDP's mean needs.

    `key`, `key_valid`: embeddings (B, G, E) of the key objects, and which rows are objects (B, G)
    `reference`, `reference_valid`: the same of the reference objects, (B, R, E) and (B, R)
    `match`: (B, G) the reference row of the same object, or -1
    `temperature`, `num_negatives`, `exclude_matches`: as in `contrastive_loss`
    """
    num_keys = key_valid.numel()
    embeddings = torch.cat((key.flatten(0, 1), reference.flatten(0, 1)))
    sizes = gather_sizes(len(embeddings))
    rows = torch.arange(len(embeddings), device=embeddings.device)
    valid = torch.cat((key_valid.flatten(), reference_valid.flatten()))
    first_reference = sum(sizes[: rank()]) + num_keys + rows[: len(key)].unsqueeze(1) * reference.shape[1]
    partner = F.pad(
        torch.where(match >= 0, first_reference + match, -1).flatten(), (0, reference_valid.numel()), value=-1
    )
    notes = torch.stack((valid & (rows < num_keys), valid & (rows >= num_keys), partner), dim=1)
    is_key, is_reference, partner = gather_over_ranks(notes, sizes).unbind(dim=1)
    loss = contrastive_loss(
        gather_over_ranks(embeddings, sizes),
        is_key.bool(),
        is_reference.bool(),
        partner,
        temperature,
        num_negatives,
        exclude_matches,
    )
    return sum_gradient_over_ranks(loss)


@torch.no_grad()
def match_accuracy(
    coefficients: Tensor, reference: Tensor, reference_valid: Tensor, match: Tensor, kept: Tensor
) -> Tensor:
    """Return (B,): the fraction of kept pairs most similar to their match, or to no reference if they have none.

    coefficients (B, G, A, E), reference (B, R, E), match (B, G), kept (B, G, A). "None" is a logit of 0.
    """
    similarity = cosine(coefficients.flatten(1, 2), reference).masked_fill(~reference_valid.unsqueeze(1), NO_LOGIT)
    chosen = F.pad(similarity, (1, 0)).argmax(dim=2).view(kept.shape) - 1
    right = (chosen == match.unsqueeze(2)) & kept
    return right.sum(dim=(1, 2)) / kept.sum(dim=(1, 2)).clamp(min=1)
