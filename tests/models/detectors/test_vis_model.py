"""The whole model: sizes, padding, training outputs, pairs without objects, memory updates."""

import pytest
import torch
from small_model import AS_DEEP_AS_THE_PUBLISHED, small_model

from mmdet.config import load_config
from mmdet.engine.checkpoints.release_names import from_release, translate_key
from mmdet.errors import UserError
from mmdet.models import VISModel
from mmdet.models.build import build_model
from mmdet.models.postprocess.masks import draw_masks
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth

SMALL = small_model(32, num_slots=8, vit=AS_DEEP_AS_THE_PUBLISHED)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VISModel(**SMALL)


def truth(boxes, size):
    count = len(boxes)
    masks = torch.zeros(count, *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return FrameTruth(
        boxes=torch.tensor(boxes, dtype=torch.float32).view(count, 4),
        labels=torch.arange(count) % 3,
        masks=masks,
        instance_ids=torch.arange(count),
        is_crowd=torch.zeros(count, dtype=torch.bool),
    )


def batch(boxes_of_clips, size=(64, 96)):
    generator = torch.Generator().manual_seed(0)
    meta = FrameMeta(video_id=1, frame_index=0, original_size=size, input_size=size, scale=1.0)
    count = len(boxes_of_clips)
    return ClipBatch.make(
        images=torch.randint(0, 256, (count, 2, 3, *size), dtype=torch.uint8, generator=generator),
        valid=torch.ones(count, 2, *size, dtype=torch.bool),
        truths=tuple((truth(boxes, size), truth(boxes, size)) for boxes in boxes_of_clips),
        metas=((meta, meta),) * count,
        reference_jitter=tuple(torch.zeros(len(boxes), 4) for boxes in boxes_of_clips),
    )


OBJECTS = [[4, 4, 40, 50], [30, 10, 90, 60]]


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (32, 32), (48, 80), (33, 95)])
def test_any_size_works(model, size):
    images = torch.randint(0, 256, (1, 1, 3, *size), dtype=torch.uint8)
    out = model(images, torch.ones(1, 1, *size, dtype=torch.bool))
    height, width = (-(-side // 32) * 32 for side in size)
    assert out.points.image_size == (height, width)
    assert out.mask_basis.shape[-2:] == (height // 2, width // 2)
    assert out.cls_logits.shape == (1, len(out.points.xy), 3)
    assert out.reference_embedding_map is None
    meta = FrameMeta(video_id=1, frame_index=0, original_size=size, input_size=size, scale=1.0)
    found = model.postprocess.detect(out, [meta])
    assert draw_masks(found, [[0]], meta).shape == (1, *size)


def test_under_autocast_the_mask_basis_is_reduced_in_testing_only(model):
    images, valid = torch.rand(1, 1, 3, 64, 96), torch.ones(1, 1, 64, 96, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(images, valid).mask_basis.dtype == torch.float32
        with torch.no_grad():
            assert model(images, valid).mask_basis.dtype == torch.bfloat16
    assert model(images, valid).mask_basis.dtype == torch.float32


def test_uint8_is_normalised_and_its_padding_is_zero(model):
    images = torch.randint(0, 256, (1, 1, 3, 64, 64), dtype=torch.uint8)
    valid = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    valid[..., 50:, :] = False
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    ready = (images.float() - mean) / std
    ready[..., 50:, :] = 0
    with torch.no_grad():
        torch.testing.assert_close(model(images, valid).cls_logits, model(ready, valid).cls_logits)


def test_frames_of_a_chunk_do_not_depend_on_each_other(model):
    images = torch.randint(0, 256, (3, 1, 3, 64, 64), dtype=torch.uint8)
    valid = torch.ones(3, 1, 64, 64, dtype=torch.bool)
    with torch.no_grad():
        together = model(images, valid).cls_logits
        alone = torch.cat([model(images[i : i + 1], valid[i : i + 1]).cls_logits for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("boxes", [[OBJECTS, OBJECTS[:1]], [OBJECTS, []], [[], []]])
def test_every_trainable_parameter_gets_a_gradient_with_and_without_objects(model, boxes):
    data = batch(boxes)
    losses = model.loss(model(data.images, data.valid), data)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    without = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert without == set()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    if not any(boxes):
        assert all(value == 0 for value in losses.values())


def test_training_on_one_batch_lowers_the_loss(model):
    data = batch([OBJECTS, OBJECTS])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    totals = []
    for _ in range(8):
        losses = model.loss(model(data.images, data.valid), data)
        total = sum(value for name, value in losses.items() if name.startswith("loss"))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.9 * totals[0]


def test_the_memory_is_written_after_a_step_and_only_with_objects(model):
    memory = model.head.memory
    before = memory.slots.clone()
    empty, full = batch([[], []]), batch([OBJECTS, OBJECTS])
    model.update_memory([model(empty.images, empty.valid)], [empty])
    assert torch.equal(memory.slots, before)
    model.update_memory([model(full.images, full.valid)], [full])
    assert not torch.equal(memory.slots, before)


def test_the_published_model_has_the_published_parameters(recorded_numbers):
    import json

    model = build_model(load_config("configs/vitmae_cnp_contrast_ms_1x.py"))
    assert sum(p.numel() for p in model.parameters()) == 95_343_989
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 95_191_153
    shapes = json.loads((recorded_numbers / "reference_vitb_state_dict_shapes.json").read_text())
    released = from_release({key: torch.empty(shape) for key, shape in shapes.items()})
    own = model.state_dict()
    assert {name: tuple(value.shape) for name, value in released.items()} == {
        name: tuple(value.shape) for name, value in own.items()
    }


def test_a_key_that_the_release_does_not_have_is_refused():
    with pytest.raises(KeyError, match=r"bbox_head\.extra"):
        translate_key("bbox_head.extra.weight")


def test_clips_of_more_than_two_frames_are_refused():
    model = VISModel(**small_model())
    with pytest.raises(ValueError, match="learns from pairs of frames, got clips of 3"):
        model(torch.zeros(1, 3, 3, 64, 64), torch.ones(1, 3, 64, 64, dtype=torch.bool))


def test_bgr_turns_the_colours_round_before_they_are_normalised():
    torch.manual_seed(0)
    rgb, bgr = VISModel(**SMALL), VISModel(**SMALL, channel_order="bgr", pixel_mean=(103.53, 116.28, 123.675))
    images = torch.randint(0, 256, (1, 1, 3, 32, 32), dtype=torch.uint8)
    valid = torch.ones(1, 1, 32, 32, dtype=torch.bool)
    seen = []
    for model in (rgb, bgr):
        model.pixel_std.fill_(1)
        model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        model(images, valid)
    assert torch.equal(seen[0].flip(1), seen[1])


def test_another_order_of_colours_is_refused():
    with pytest.raises(UserError, match="channel_order is 'gbr'"):
        VISModel(**SMALL, channel_order="gbr")


def test_a_head_without_a_memory_has_nothing_to_write_or_read(model):
    del model.head.memory
    assert model.update_memory([], []) is None
    assert model.read_entropy([], []) is None
