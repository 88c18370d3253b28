"""The small model in training: outputs, the assigner's choices, every loss term and the gradients, memory held."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmdet.models.losses.targets import pad_truths
from mmdet.models.release_layout import translate_key
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth


@pytest.fixture
def recorded(golden, size):
    return np.load(golden / "seed0" / f"train_{size}.npz")


@pytest.fixture
def notes(golden, size):
    return json.loads((golden / "seed0" / "notes.json").read_text())[size]["train"]


@pytest.fixture
def batch(recorded):
    images = np.stack([recorded["img_i8"], recorded["ref_i8"]], axis=1)
    images = torch.from_numpy(images).float() / 32
    height, width = images.shape[-2:]
    truths, jitter = [], []
    for image in range(len(images)):
        pids = recorded[f"gt_pids_{image}"]
        masks = torch.from_numpy(recorded[f"gt_masks_{image}"]).bool()
        reference_boxes = torch.from_numpy(recorded[f"ref_bboxes_{image}"])
        key = FrameTruth(
            boxes=torch.from_numpy(recorded[f"gt_bboxes_{image}"]),
            labels=torch.from_numpy(recorded[f"gt_labels_{image}"]) - 1,
            masks=masks,
            instance_ids=torch.tensor([pid if pid > 0 else 1000 + row for row, pid in enumerate(pids)]),
            is_crowd=torch.zeros(len(pids), dtype=torch.bool),
        )
        count = len(reference_boxes)
        reference = FrameTruth(
            boxes=reference_boxes,
            labels=torch.zeros(count, dtype=torch.int64),
            masks=torch.zeros(count, height, width, dtype=torch.bool),
            instance_ids=torch.arange(1, count + 1),
            is_crowd=torch.zeros(count, dtype=torch.bool),
        )
        truths.append((key, reference))
        jitter.append(torch.from_numpy(recorded[f"ref_offsets_{image}"]))
    meta = FrameMeta(video_id=1, frame_index=0, original_size=(height, width), input_size=(height, width), scale=1.0)
    return ClipBatch(
        images=images,
        valid=torch.ones(len(images), 2, height, width, dtype=torch.bool),
        truths=tuple(truths),
        metas=((meta, meta),) * len(images),
        reference_jitter=tuple(jitter),
    )


def test_training_outputs_with_the_memory_held(small_model, batch, recorded):
    out = small_model(batch.images, batch.valid)
    for name, actual in (("reg", out.box_ltrb), ("center", out.centerness_logits[..., None])):
        expected = torch.cat([torch.from_numpy(recorded[f"{name}_{level}"]).flatten(2) for level in range(4)], 2)
        expected = expected.transpose(1, 2)
        expected = expected[..., :4].sigmoid() if name == "reg" else expected
        assert ((actual - expected).abs().max() / expected.abs().max()) <= 1e-4


def test_assigner_choices(small_model, batch, recorded):
    with torch.no_grad():
        out = small_model(batch.images, batch.valid)
    truth = pad_truths(batch)
    found = small_model.criterion.assigner(out.points, out.box_sigma, truth)
    for image in range(len(batch.truths)):
        for name, actual in (
            ("closest", found.closest),
            ("pos", found.positive),
            ("neg", found.negative),
            ("mask", found.in_box),
        ):
            assert actual[image].tolist() == recorded[f"assign_{name}_{image}"].tolist(), name
        np.testing.assert_allclose(found.centerness[image], recorded[f"assign_cent_{image}"], atol=1e-5)


def test_every_loss_term(small_model, batch, notes):
    losses = small_model.loss(small_model(batch.images, batch.valid), batch)
    expected = notes["losses"]
    assert set(losses) == set(expected) - {"loss"}
    for name, value in losses.items():
        assert value.item() == pytest.approx(expected[name], rel=2e-4), name


def replay_memory(model, recorded):
    """Let the memory be read as the release did: level l is weighted by memory l and recalls from memory l + 1.

    The release wrote each level to the memory before reading it; here a read is pure. Offsets of the deformable
    convolutions have kinks, so their gradients agree to rounding only for the very same memory.
    """
    memory = model.head.memory
    versions = [torch.from_numpy(recorded[f"mem_{index}"]) for index in range(5)]
    counts = [recorded[f"reg_{level}"].shape[2] * recorded[f"reg_{level}"].shape[3] for level in range(4)]

    def read(query):
        contexts = []
        for level, part in enumerate(query.split(counts, dim=1)):
            before = F.normalize(versions[level][:, : memory.channels], dim=1)
            weights = (F.normalize(part.detach(), dim=-1) @ before.T).softmax(-1)
            slots = versions[level + 1] + memory.slots - memory.slots.detach()
            contexts.append(memory.fc2(F.gelu(memory.fc1(weights @ F.normalize(slots, dim=1)))))
        return torch.cat(contexts, dim=1)

    memory.read = read


def test_gradients_with_the_recorded_memory(small_model, batch, recorded, notes):
    replay_memory(small_model, recorded)
    losses = small_model.loss(small_model(batch.images, batch.valid), batch)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    parameters = dict(small_model.named_parameters())
    noise = notes["grad_rel_max_change_under_1e6_input_noise"]
    checked = 0
    for key in recorded.files:
        if not key.startswith("grad:"):
            continue
        key = key.removeprefix("grad:")
        tolerance = max(1e-3, 3 * (noise[key] or 0))
        name = f"grad:{key}"
        if key == "bbox_head.mem.feat_units.weight":
            tolerance, name = 5e-3, f"grad_clean:{key}"
        expected = torch.from_numpy(recorded[name].astype(np.float32))
        actual = parameters[translate_key(key)].grad
        error = ((actual - expected).abs().max() / expected.abs().max()).item()
        assert error <= tolerance, f"{key}: {error:.2e} of the maximum, {tolerance:.2e} allowed"
        checked += 1
    assert checked >= 20


def test_parameters_without_gradient_are_those_that_are_frozen(small_model, batch, notes):
    losses = small_model.loss(small_model(batch.images, batch.valid), batch)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    frozen = {translate_key(key) for key, norm in notes["grad_l2"].items() if norm is None}
    assert {name for name, p in small_model.named_parameters() if p.grad is None} == frozen
    assert {name for name, p in small_model.named_parameters() if not p.requires_grad} == frozen
