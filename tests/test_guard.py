"""Figures of a tiny model whose parameters and images are formulas: a change of numbers shows without any other data.

They guard against unintended change and prove nothing else (tests/parity compares with the release). After an intended
change write them anew, and say in the commit why they moved:

    PYTHONPATH=.:tests/helpers python tests/test_guard.py --write
"""

import json
import math
import sys
from pathlib import Path

import pytest
import torch
from small_model import AS_DEEP_AS_THE_PUBLISHED, small_model

from mmdet.engine.inference.detector import Detector
from mmdet.models import VISModel
from mmdet.parity.checks import of_maximum
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth
from mmdet.structures.chunk_detections import unpack_rows
from mmdet.tracking import Tracker

GUARD = Path(__file__).parent / "data" / "guard.json"
TOLERANCE = 1e-4  # of a list's maximum: other processors and versions of torch round differently
AREA_TOLERANCE = 1e-3  # of mask areas: a pixel may lie on the threshold
SIZE = (64, 96)
OBJECTS = [[8, 6, 48, 50], [40, 12, 92, 60]]
SAMPLES = 12  # values kept of a large tensor
MODEL = small_model(vit=AS_DEEP_AS_THE_PUBLISHED, max_per_image=5)


def formula(name, shape):
    """Values in [-1, 1] that are a function of the parameter's name and the element's index alone."""
    phase = sum((place + 1) * ord(letter) for place, letter in enumerate(name)) % 1000
    index = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(1.7 * index + 0.013 * index.square() + phase).view(shape)


def make_model():
    model = VISModel(**MODEL)
    state = {}
    for name, value in model.state_dict().items():
        wave = formula(name, value.shape)
        if name == "backbone.pos_embed":
            state[name] = value  # a fixed table
        elif value.dim() > 1:
            fan_in = value[0].numel() if name != "head.memory.slots" else 1
            state[name] = 1.5 * wave / math.sqrt(fan_in)
        else:
            state[name] = (0.1 * wave) + (1 if name.endswith("weight") or name == "head.scales" else 0)
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model


def make_images(frames):
    """(frames, 3, H, W) uint8: integer formulas, another ground inside the objects, which move with the frame."""
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    images = []
    for frame in range(frames):
        image = torch.stack([(3 * x + 2 * y + 40 * channel + 5 * frame) % 200 for channel in range(3)])
        for number, (x1, y1, x2, y2) in enumerate(OBJECTS):
            inside = (x >= x1 + frame) & (x < x2 + frame) & (y >= y1) & (y < y2)
            ground = torch.stack([(x * y // 7 + 90 * number + 30 * channel) % 256 for channel in range(3)])
            image = torch.where(inside, ground, image)
        images.append(image)
    return torch.stack(images).to(torch.uint8)


def make_truth(shift):
    boxes = torch.tensor(OBJECTS, dtype=torch.float32) + torch.tensor([shift, 0, shift, 0])
    masks = torch.zeros(len(OBJECTS), *SIZE, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = True
    return FrameTruth(
        boxes=boxes,
        labels=torch.tensor([0, 2]),
        masks=masks,
        instance_ids=torch.tensor([7, 4]),
        is_crowd=torch.zeros(2, dtype=torch.bool),
    )


def make_batch():
    meta = FrameMeta(video_id=1, frame_index=0, original_size=SIZE, input_size=SIZE, scale=1.0)
    return ClipBatch.make(
        images=make_images(2)[None],
        valid=torch.ones(1, 2, *SIZE, dtype=torch.bool),
        truths=((make_truth(0), make_truth(1)),),
        metas=((meta, meta),),
        reference_jitter=(torch.tensor([[0.02, -0.01, 0.03, 0.0], [-0.04, 0.02, 0.0, 0.05]]),),
    )


def sampled(values):
    """Return values at even distances through a tensor, and the root mean square of all."""
    flat = values.detach().double().flatten()
    chosen = flat[torch.linspace(0, len(flat) - 1, min(SAMPLES, len(flat)), dtype=torch.float64).long()]
    return [*chosen.tolist(), flat.square().mean().sqrt().item()]


def network_figures(model):
    out = model(make_images(1)[None], torch.ones(1, 1, *SIZE, dtype=torch.bool))
    names = ("cls_logits", "box_ltrb", "box_sigma", "centerness_logits", "mask_basis", "embedding_map", "memory_query")
    return {name: sampled(getattr(out, name)) for name in names}


def video_figures(model):
    tracker, detector = Tracker(), Detector(model, torch.device("cpu"), None, cuda_graph=False, compile=False)
    state, figures = tracker.start(), {}
    for index, image in enumerate(make_images(3)):
        meta = FrameMeta(video_id=1, frame_index=index, original_size=(80, 120), input_size=SIZE, scale=0.8)
        valid = torch.ones(1, 1, *SIZE, dtype=torch.bool)
        chunk, _ = detector.detect(ClipBatch(images=image[None, None], valid=valid, truth=None, metas=((meta,),)), None)
        (found,) = unpack_rows(chunk.rows)
        masks = detector.draw(chunk, [range(len(found))], meta)
        state, ids = tracker.assign(state, found)
        figures[f"frame {index} boxes"] = found.boxes.flatten().tolist()
        figures[f"frame {index} scores"] = found.scores.tolist()
        figures[f"frame {index} labels and ids"] = [*found.labels.tolist(), *ids.tolist()]
        figures[f"frame {index} mask areas"] = masks.sum((1, 2)).tolist()
    return figures


def training_figures(model):
    batch = make_batch()
    out = model(batch.images, batch.valid)
    losses = model.loss(out, batch)
    torch.stack([value for name, value in losses.items() if name.startswith("loss")]).sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    chosen = ("backbone.cls_token", "neck.extra_conv.bias", "head.box_conv.bias", "head.memory.slots")
    model.update_memory([out], [batch])
    return {
        **{name: [value.item()] for name, value in losses.items()},
        **{f"gradient {name}": sampled(gradients[name]) for name in chosen},
        "memory after a step": sampled(model.head.memory.slots),
    }


PARTS = {"network": network_figures, "video": video_figures, "training": training_figures}


@pytest.mark.parametrize("part", PARTS)
def test_figures_stay_as_they_are(part):
    recorded = json.loads(GUARD.read_text())[part]
    figures = PARTS[part](make_model())
    assert list(figures) == list(recorded)
    checks = [
        of_maximum(name, figures[name], recorded[name], AREA_TOLERANCE if "areas" in name else TOLERANCE)
        for name in figures
    ]
    assert not [str(check) for check in checks if not check.passed]


def write():
    """Write the figures of this checkout."""
    figures = {part: run(make_model()) for part, run in PARTS.items()}
    rounded = json.loads(json.dumps(figures), parse_float=lambda text: float(f"{float(text):.8g}"))
    GUARD.write_text(json.dumps(rounded, indent=1) + "\n")


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    write()
