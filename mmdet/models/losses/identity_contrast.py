"""The contrast between the objects of all frames: every point of an object is most like the same object elsewhere.

Source: Pang et al., Quasi-Dense Similarity Learning for Multiple Object Tracking (CVPR 2021), equation 5: all of an
object's points learn, other objects of the same frame count among the negatives, and in clips of more than two frames
every other look at the object counts as a positive.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet.ops.collectives import gather_over_ranks, gather_sizes, rank, sum_gradient_over_ranks, world_size

NO_LOGIT = -1e4  # far below any cosine / temperature


def identity_contrast(
    embeddings: Tensor, weights: Tensor, ids: Tensor, temperature: float, clip_length: int = 2
) -> tuple[Tensor, Tensor]:
    """Return the mean loss over all ranks, alike on each, and the fraction of points most like their own object.

    `embeddings`: (F, G, A, E) of the points of each object; `weights`: (F, G, A), 0 for empty slots
    `ids`: (F, G) of objects in their clip, -1 for none; first frames of all clips come first, then second ones, ...
    `clip_length`: frames of a clip; F is a multiple of it
    A point is compared with the weighted mean of each object's points: with the same object in the clip's other frames
    against all other objects. Points of objects that only one frame shows do not count.
    """
    frames, objects = ids.shape
    frame = torch.arange(frames, device=ids.device)
    clip = (
        frame % (frames // clip_length) * world_size() + rank()
    )  # numbers that no other rank gives, however many frames it has
    notes = torch.stack((ids, clip[:, None].expand_as(ids), frame[:, None].expand_as(ids)), dim=2).flatten(0, 1)
    # Every process compares all objects of all processes, so that each gets the whole gradient of its own.
    sizes = gather_sizes(frames * objects)
    own = gather_over_ranks(F.normalize(embeddings.flatten(0, 1), dim=-1), sizes)  # (n, A, E)
    weights = gather_over_ranks(weights.flatten(0, 1), sizes)
    ids, clip, frame = gather_over_ranks(notes, sizes).unbind(dim=1)
    shown = (weights.sum(dim=1) > 0) & (ids >= 0)
    means = F.normalize((own * weights[..., None]).sum(dim=1), dim=-1)
    same = (ids[:, None] == ids) & (clip[:, None] == clip)
    match = same & shown & (frame[:, None] != frame)
    logits = torch.einsum("nae,me->nam", own, means) / temperature
    right = logits.masked_fill(~match[:, None], NO_LOGIT).amax(dim=2)
    unlike = (-logits).masked_fill(~match[:, None], NO_LOGIT).logsumexp(dim=2)  # -right if the match is the only one
    others = logits.masked_fill(~(shown & ~same)[:, None], NO_LOGIT)
    counted = weights.where((match.any(dim=1) & shown)[:, None], 0)
    total = counted.sum().clamp(min=1e-6)
    loss = (F.softplus(others.logsumexp(dim=2) + unlike) * counted).sum() / total
    hits = ((right > others.amax(dim=2)) * counted).sum() / total
    return sum_gradient_over_ranks(loss), hits.detach()
