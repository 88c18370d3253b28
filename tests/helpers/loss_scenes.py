"""Random predictions for batches of small images, the same for an image in whatever batch it stands.

Images are named by a number; its tens are the number of objects. A module of its own, so that spawned processes can
import it.
"""

from dataclasses import replace

import torch
import torch.distributed as dist

from mmdet.models.losses.criterion import Criterion
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth, HeadOutputs, PointGrid

HEIGHT, WIDTH, CLASSES, CHANNELS = 64, 96, 5, 6
STRIDES = (8, 16, 32, 64)
SIZES = ((8, 12), (4, 6), (2, 3), (1, 2))
META = FrameMeta(video_id=0, frame_index=0, original_size=(HEIGHT, WIDTH), input_size=(HEIGHT, WIDTH), scale=1.0)


def make_points(device="cpu"):
    return PointGrid.make((HEIGHT, WIDTH), SIZES, STRIDES, torch.device(device))


def make_frame(count, source, crowd=()):
    """Truth of one frame: `count` objects with their ids in a random order."""
    corner = torch.rand(count, 2, generator=source) * torch.tensor([WIDTH * 0.5, HEIGHT * 0.5])
    side = 10 + torch.rand(count, 2, generator=source) * torch.tensor([WIDTH * 0.4, HEIGHT * 0.4])
    return FrameTruth(
        boxes=torch.cat((corner, corner + side), dim=1),
        labels=torch.randint(CLASSES, (count,), generator=source),
        masks=torch.rand(count, HEIGHT, WIDTH, generator=source) > 0.4,
        instance_ids=torch.randperm(count + 1, generator=source)[:count] + 7,
        is_crowd=torch.tensor([row in crowd for row in range(count)], dtype=torch.bool),
    )


def make_batch(images, crowd=(), reference_masks=True):
    truths, jitter = [], []
    for image in images:
        source = torch.Generator().manual_seed(image)
        count = image // 10
        key, reference = make_frame(count, source, crowd), make_frame(max(0, count - 1), source)
        truths.append((key, reference if reference_masks else replace(reference, masks=reference.masks[:, :0, :0])))
        jitter.append(torch.rand(max(0, count - 1), 4, generator=source) * 0.1 - 0.05)
    return ClipBatch.make(
        images=torch.zeros(len(images), 2, 3, HEIGHT, WIDTH, dtype=torch.uint8),
        valid=torch.ones(len(images), 2, HEIGHT, WIDTH, dtype=torch.bool),
        truths=tuple(truths),
        metas=((META, META),) * len(images),
        reference_jitter=tuple(jitter),
    )


def make_leaves(images):
    """The tensors of HeadOutputs that losses reach, as leaves with gradient."""
    count = sum(height * width for height, width in SIZES)
    rows = []
    for image in images:
        source = torch.Generator().manual_seed(1000 + image)

        def random(*shape, source=source):
            return torch.rand(shape, generator=source)

        rows.append(
            {
                "cls_logits": 4 * random(count, CLASSES) - 2,
                "box_ltrb": 0.05 + 0.4 * random(count, 4),
                "box_sigma": 0.1 + random(count, 4),
                "centerness_logits": 4 * random(count) - 2,
                "mask_basis": random(CHANNELS, HEIGHT // 2, WIDTH // 2) - 0.3,
                "embedding_map": random(CHANNELS, HEIGHT // 8, WIDTH // 8) - 0.5,
                "reference_embedding_map": random(CHANNELS, HEIGHT // 8, WIDTH // 8) - 0.5,
            }
        )
    return {name: torch.stack([row[name] for row in rows]).requires_grad_() for name in rows[0]}


def make_outputs(leaves):
    points = make_points(leaves["cls_logits"].device)
    return HeadOutputs(points=points, memory_query=torch.zeros(0), **leaves)


def losses_and_gradients(images, device="cpu", **settings):
    """Run the criterion on images: detached values, and the gradient of their sum in every leaf, on the CPU."""
    criterion = Criterion({"type": "UncertaintyAssigner"}, **settings)
    leaves = {name: leaf.detach().to(device).requires_grad_() for name, leaf in make_leaves(images).items()}
    losses = criterion(make_outputs(leaves), make_batch(images).to(device))
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    return {k: v.detach().cpu() for k, v in losses.items()}, {k: v.grad.cpu() for k, v in leaves.items()}


def run_rank(rank, cases, folder):
    """Run every case's images of this rank and save what came out."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=rank, world_size=2)
    torch.save([losses_and_gradients(case[rank]) for case in cases], f"{folder}/{rank}.pt")
    dist.destroy_process_group()
