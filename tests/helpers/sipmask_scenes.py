"""Random predictions of the SipMask-VIS head for batches of pairs, the same for a pair in whatever batch it stands.

Pairs are named as the images of loss_scenes. A module of its own, so that spawned processes can import it.
"""

import torch
import torch.distributed as dist
from loss_scenes import CLASSES, HEIGHT, WIDTH, make_batch

from mmdet.models.losses.sipmask_vis.criterion import SipMaskVISCriterion
from mmdet.structures import PointGrid
from mmdet.structures.dense_outputs import DenseOutputs

STRIDES, SIZES = (8, 16, 32, 64, 128), ((8, 12), (4, 6), (2, 3), (1, 2), (1, 1))
BASES, TRACK = 3, 6
RANGES = [(-1, 20), (20, 40), (40, 80), (80, 160), (160, 1e8)]  # so that small images reach several levels


def make_leaves(images):
    """The tensors of DenseOutputs that losses reach, as leaves with gradient."""
    count = sum(height * width for height, width in SIZES)
    strides = torch.cat([torch.full((h * w, 1), float(s)) for (h, w), s in zip(SIZES, STRIDES, strict=True)])
    rows = []
    for image in images:
        source = torch.Generator().manual_seed(1000 + image)

        def random(*shape, source=source):
            return torch.rand(shape, generator=source)

        rows.append(
            {
                "cls_logits": 4 * random(count, CLASSES) - 3,
                "distances": strides * (2.5 * random(count, 4) - 0.3),
                "centerness_logits": 4 * random(count) - 2,
                "coefficients": 4 * random(count, 4, BASES) - 2,
                "mask_basis": random(BASES, HEIGHT // 2, WIDTH // 2),
                "track_map": random(TRACK, HEIGHT // 8, WIDTH // 8) - 0.5,
                "reference_track_map": random(TRACK, HEIGHT // 8, WIDTH // 8) - 0.5,
            }
        )
    return {name: torch.stack([row[name] for row in rows]).requires_grad_() for name in rows[0]}


def make_outputs(leaves):
    points = PointGrid.make((HEIGHT, WIDTH), SIZES, STRIDES, leaves["cls_logits"].device)
    return DenseOutputs(points=points, **leaves)


def make_criterion(**settings):
    return SipMaskVISCriterion({"type": "RangeAssigner", "ranges": RANGES, "center_radius": 1.5}, **settings)


def losses_and_gradients(images, device="cpu", **settings):
    """Run the criterion on pairs: detached values, and the gradient of their sum in every leaf, on the CPU."""
    leaves = {name: leaf.detach().to(device).requires_grad_() for name, leaf in make_leaves(images).items()}
    losses = make_criterion(**settings)(make_outputs(leaves), make_batch(images).to(device))
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    return {k: v.detach().cpu() for k, v in losses.items()}, {k: v.grad.cpu() for k, v in leaves.items()}


def run_rank(rank, cases, folder):
    """Run every case's images of this rank and save what came out."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=rank, world_size=2)
    torch.save([losses_and_gradients(case[rank]) for case in cases], f"{folder}/{rank}.pt")
    dist.destroy_process_group()
