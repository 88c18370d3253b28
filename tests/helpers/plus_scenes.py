"""Random predictions of the dynamic head for batches of pairs, the same for a pair in whatever batch it stands.

Pairs are named as the images of loss_scenes. A module of its own, so that spawned processes can import it.
"""

import torch
import torch.distributed as dist
from loss_scenes import CLASSES, HEIGHT, SIZES, STRIDES, WIDTH, make_batch, make_points

from mmdet.models.losses.aligned_criterion import AlignedCriterion
from mmdet.models.losses.identity_contrast import identity_contrast
from mmdet.ops.masks.dynamic import num_weights
from mmdet.structures.dynamic_outputs import DynamicOutputs

MASK_CHANNELS, EMBEDDING = 4, 6


def make_leaves(images):
    """The tensors of DynamicOutputs that losses reach, (pairs, 2, ...), as leaves with gradient."""
    count = sum(height * width for height, width in SIZES)
    rows = []
    for image in images:
        source = torch.Generator().manual_seed(1000 + image)

        def random(*shape, source=source):
            return torch.rand((2, *shape), generator=source)

        rows.append(
            {
                "cls_logits": 4 * random(count, CLASSES) - 3,
                "box_ltrb": 0.05 + 0.3 * random(count, 4),
                "box_sigma": 0.02 + 0.2 * random(count, 4),
                "quality_logits": 4 * random(count) - 2,
                "mask_weights": 2 * random(count, num_weights(MASK_CHANNELS)) - 1,
                "embeddings": random(count, EMBEDDING) - 0.5,
                "mask_features": random(MASK_CHANNELS, HEIGHT // 4, WIDTH // 4) - 0.5,
            }
        )
    return {name: torch.stack([row[name] for row in rows]).requires_grad_() for name in rows[0]}


def make_outputs(leaves):
    """Keys first, then references."""
    points = make_points(leaves["cls_logits"].device)
    reach = torch.cat([torch.full((h * w,), 8.0 * s) for (h, w), s in zip(SIZES, STRIDES, strict=True)])
    frames = {name: leaf.transpose(0, 1).flatten(0, 1) for name, leaf in leaves.items()}
    return DynamicOutputs(points=points, memory_query=torch.zeros(0), reach=reach.to(points.xy.device), **frames)


def make_criterion(**settings):
    return AlignedCriterion({"type": "TaskAlignedAssigner", "topk": 5}, **settings)


def losses_and_gradients(images, device="cpu", **settings):
    """Run the criterion on pairs: detached values, and the gradient of their sum in every leaf, on the CPU."""
    leaves = {name: leaf.detach().to(device).requires_grad_() for name, leaf in make_leaves(images).items()}
    losses = make_criterion(**settings)(make_outputs(leaves), make_batch(images).to(device))
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    return {k: v.detach().cpu() for k, v in losses.items()}, {k: v.grad.cpu() for k, v in leaves.items()}


def make_identities(clips, frames=2, objects=3, slots=2, seed=0):
    """Embeddings (clips, T, G, A, E), weights and ids of random objects, some of them in one frame only or in none."""
    source = torch.Generator().manual_seed(seed)
    ids = torch.stack([torch.randperm(objects + 1, generator=source)[:objects] for _ in range(frames * clips)])
    ids = ids.view(clips, frames, objects)
    ids = ids.masked_fill(torch.rand(ids.shape, generator=source) < 0.1, -1)
    embeddings = torch.rand(clips, frames, objects, slots, EMBEDDING, generator=source) - 0.5
    weights = torch.rand(clips, frames, objects, slots, generator=source)
    weights = weights.masked_fill(torch.rand(weights.shape, generator=source) < 0.2, 0)
    return embeddings, weights, ids


def contrast(embeddings, weights, ids):
    """The loss of clips, the hits, and the gradient of the embeddings (clips, T, ...)."""
    leaf = embeddings.clone().requires_grad_()
    frames = [tensor.transpose(0, 1).flatten(0, 1) for tensor in (leaf, weights, ids)]
    loss, hits = identity_contrast(*frames, temperature=0.1, clip_length=ids.shape[1])
    loss.backward()
    return loss.detach(), hits, leaf.grad


def run_rank(rank, cases, shares, folder):
    """Run this rank's pairs of every case of the criterion, and its share of the identities; save what came out."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=rank, world_size=2)
    losses = [losses_and_gradients(case[rank]) for case in cases]
    contrasts = []
    for share in shares:
        first, second, frames = share
        own = slice(0, first) if rank == 0 else slice(first, first + second)
        contrasts.append(contrast(*(tensor[own] for tensor in make_identities(first + second, frames))))
    torch.save({"losses": losses, "contrasts": contrasts}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
