"""The whole second model: sizes, padding, what learns, its optional memory, and outputs far from the usual."""

import dataclasses

import pytest
import torch
from small_model import small_plus_model

from mmdet.models import PlusModel
from mmdet.models.postprocess.masks import draw_all
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth
from mmdet.structures.chunk_detections import unpack_rows

MEMORY = {"type": "CNPMemory", "num_slots": 6}
PER_FRAME = ("cls_logits", "box_ltrb", "box_sigma", "quality_logits", "mask_weights", "embeddings", "mask_features")
OBJECTS = [[4, 4, 40, 50], [30, 10, 90, 60]]


def make_model(seed=0, **head):
    torch.manual_seed(seed)
    return PlusModel(**small_plus_model(head=head))


@pytest.fixture
def model():
    return make_model()


def frames_of(*size, clips=1, frames=1, seed=0):
    source = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (clips, frames, 3, *size), dtype=torch.uint8, generator=source)
    return images, torch.ones(clips, frames, *size, dtype=torch.bool)


def truth(boxes, size):
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return FrameTruth(
        boxes=torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        labels=torch.arange(len(boxes)),
        masks=masks,
        instance_ids=torch.arange(len(boxes)),
        is_crowd=torch.zeros(len(boxes), dtype=torch.bool),
    )


def make_batch(*boxes_of_clips, size=(64, 96), frames=2):
    images, valid = frames_of(*size, clips=len(boxes_of_clips), frames=frames)
    meta = FrameMeta(video_id=1, frame_index=0, original_size=size, input_size=size, scale=1.0)
    return ClipBatch.make(
        images=images,
        valid=valid,
        truths=[(truth(boxes, size),) * frames for boxes in boxes_of_clips],
        metas=((meta,) * frames,) * len(boxes_of_clips),
        reference_jitter=[torch.zeros(len(boxes), 4) for boxes in boxes_of_clips],
    )


@pytest.mark.parametrize("size", [(64, 96), (160, 224), (32, 32), (48, 80), (33, 95)])
def test_any_size_works(model, size):
    out = model(*frames_of(*size))
    height, width = (-(-side // 32) * 32 for side in size)
    points = len(out.points.xy)
    assert out.points.image_size == (height, width)
    assert points == sum(-(-height // stride) * -(-width // stride) for stride in (8, 16, 32, 64))
    assert out.cls_logits.shape == (1, points, 3)
    assert out.box_ltrb.shape == out.box_sigma.shape == (1, points, 4)
    assert out.mask_features.shape == (1, 4, height // 4, width // 4)
    assert out.reach.shape == (points,)
    meta = FrameMeta(video_id=1, frame_index=0, original_size=size, input_size=size, scale=1.0)
    found = draw_all(model.postprocess.detect(out, [meta]), meta)
    assert found.masks.shape[2:] == size


def test_keys_come_first_then_references(model):
    images, valid = frames_of(64, 96, clips=2, frames=2)
    together = model.eval()(images, valid)
    for clip in range(2):
        for frame in range(2):
            alone = model(images[clip : clip + 1, frame : frame + 1], valid[clip : clip + 1, frame : frame + 1])
            for name in PER_FRAME:
                torch.testing.assert_close(getattr(together, name)[2 * frame + clip], getattr(alone, name)[0])


def test_frames_of_a_video_are_those_of_single_images(model):
    images, valid = frames_of(64, 96, clips=3)
    outputs, context = model.eval().continue_video(images, valid, None)
    assert context is None
    assert torch.equal(outputs.cls_logits, model(images, valid).cls_logits)


def test_padding_is_zero_after_normalising(model):
    images, valid = frames_of(64, 64)
    valid[..., 50:, :] = False
    other = images.clone()
    other[..., 50:, :] = 77
    first, second = model.eval()(images, valid), model(other, valid)
    assert torch.equal(first.mask_features, second.mask_features)


def test_all_levels_share_the_heads_weights_and_differ_in_stride_and_scale(model):
    source = torch.Generator().manual_seed(0)
    pyramid = [torch.rand(1, 16, 16 // 2**level, 24 // 2**level, generator=source) for level in range(4)]
    head, start = model.head, 0
    with torch.no_grad():
        head.scales.copy_(torch.tensor([0.5, 1.0, 1.5, 2.0]))
        out = head(pyramid, torch.zeros(1, 3, 128, 192))
        for level, features in enumerate(pyramid):
            own, stride = slice(start, start := start + features[0, 0].numel()), 8 * 2**level
            classes = head.cls_conv(head.cls_tower(features))[0].flatten(1).T
            boxes = head.box_conv(head.box_tower(features))[0].flatten(1).T
            distances = 2 * stride * (boxes[:, :4] * head.scales[level]).exp()
            torch.testing.assert_close(out.cls_logits[0, own], classes)
            torch.testing.assert_close(out.box_ltrb[0, own] * out.points.box_scale, distances)
            torch.testing.assert_close(out.quality_logits[0, own], boxes[:, 8])
            assert (out.reach[own] == 8 * stride).all()


def test_objects_start_as_boxes_of_a_few_strides(model):
    out = model(*frames_of(64, 96))
    boxes = out.box_ltrb * out.points.box_scale
    strides = out.reach / 8
    assert ((boxes / strides[:, None] > 1.2) & (boxes / strides[:, None] < 3.3)).all()


def test_at_the_start_a_memory_changes_nothing():
    """Its last layer starts at zero, and the other parts draw the same weights."""
    images = frames_of(64, 96)
    plain, remembering = make_model()(*images), make_model(memory=MEMORY)(*images)
    for name in (*PER_FRAME, "memory_query"):
        assert torch.equal(getattr(plain, name), getattr(remembering, name)), name


def test_what_is_read_from_the_memory_changes_classes_alone():
    images, model = frames_of(64, 96), make_model(memory=MEMORY)
    before = model(*images)
    torch.nn.init.normal_(model.head.memory.fc2.weight, std=10.0)
    after = model(*images)
    assert not torch.equal(before.cls_logits, after.cls_logits)
    assert all(torch.equal(getattr(before, name), getattr(after, name)) for name in PER_FRAME[1:])


@pytest.mark.parametrize("memory", [None, MEMORY])
def test_every_parameter_gets_a_gradient_and_none_is_left_out(memory):
    model, batch = make_model(memory=memory), make_batch(OBJECTS, OBJECTS[:1])
    losses = model.loss(model(batch.images, batch.valid), batch)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            asleep = "memory" in name and "fc2" not in name  # behind a layer of zeros
            assert parameter.grad.any() or asleep, name


def test_without_objects_all_parameters_still_get_a_gradient(model):
    """DDP would wait forever for a parameter that only some batches use."""
    batch = make_batch([], [])
    losses = model.loss(model(batch.images, batch.valid), batch)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    for name, parameter in model.named_parameters():
        assert not parameter.requires_grad or parameter.grad is not None, name


def test_some_steps_lower_the_loss(model):
    batch = make_batch(OBJECTS, OBJECTS[:1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    totals = []
    for _ in range(12):
        losses = model.loss(model(batch.images, batch.valid), batch)
        total = sum(value for name, value in losses.items() if name.startswith("loss"))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.8 * totals[0]


def test_the_memory_is_written_with_the_objects_of_both_frames():
    model, batch = make_model(memory=MEMORY), make_batch(OBJECTS, [])
    outputs = model(batch.images, batch.valid)
    before = model.head.memory.slots.clone()
    counts = model.update_memory([outputs], [batch])
    inside = sum(
        ((x1 < x) & (x < x2) & (y1 < y) & (y < y2) for x1, y1, x2, y2 in OBJECTS for x, y in [outputs.points.xy.T]),
        start=torch.zeros(len(outputs.points.xy), dtype=torch.bool),
    )
    assert counts.sum() == 2 * inside.sum()  # key and reference show the same
    assert not torch.equal(model.head.memory.slots, before)


def test_a_memory_tells_how_evenly_its_slots_are_read_where_objects_are(model):
    remembering, batch = make_model(memory=MEMORY), make_batch(OBJECTS, [])
    entropy = remembering.read_entropy([remembering(batch.images, batch.valid)], [batch])
    assert 0.9 < entropy <= 1  # at a temperature of 1 all slots count nearly alike
    nothing = make_batch([], [])
    assert remembering.read_entropy([remembering(nothing.images, nothing.valid)], [nothing]) == -1
    assert model.read_entropy([model(batch.images, batch.valid)], [batch]) is None


def test_a_step_that_was_skipped_writes_nothing():
    model, batch = make_model(memory=MEMORY), make_batch(OBJECTS)
    before = model.head.memory.slots.clone()
    model.update_memory([model(batch.images, batch.valid)], [batch], torch.tensor(False))
    assert torch.equal(model.head.memory.slots, before)


def test_without_a_memory_nothing_is_written(model):
    batch = make_batch(OBJECTS)
    assert model.update_memory([model(batch.images, batch.valid)], [batch]) is None


@pytest.mark.parametrize("factor", [0.0, 1e4, -1e4])
def test_outputs_are_finite_at_extreme_weights(model, factor):
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.mul_(factor)
    out = model(*frames_of(64, 96))
    assert all(getattr(out, name).isfinite().all() for name in PER_FRAME)
    assert (out.box_ltrb >= 0).all()
    assert (out.box_sigma >= 0).all()


@pytest.mark.parametrize("value", [0, 255])
def test_pictures_of_one_colour_give_finite_outputs_and_losses(model, value):
    batch = make_batch(OBJECTS)
    batch = dataclasses.replace(batch, images=torch.full_like(batch.images, value))
    out = model(batch.images, batch.valid)
    assert all(getattr(out, name).isfinite().all() for name in PER_FRAME)
    assert all(loss.isfinite() for loss in model.loss(out, batch).values())


def test_predictions_are_float32_under_autocast(model):
    with torch.autocast("cpu", torch.bfloat16):
        out = model(*frames_of(64, 96))
    assert {getattr(out, name).dtype for name in PER_FRAME} == {torch.float32}


def test_class_tensors_have_a_row_per_class(model):
    named = dict(model.named_parameters())
    assert model.num_classes == 3
    assert [len(named[name]) for name in model.class_tensors] == [3, 3]


def test_frozen_parts_get_no_gradient_and_rest():
    model = PlusModel(**small_plus_model(), frozen=["backbone.*"]).train()
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())
    assert not model.backbone.training
    assert all(parameter.requires_grad for parameter in model.head.parameters())


def test_detections_have_a_score_for_every_class(model):
    meta = FrameMeta(video_id=1, frame_index=0, original_size=(64, 96), input_size=(64, 96), scale=1.0)
    model.postprocess.score_threshold = 0.0
    found = model.postprocess.detect(model(*frames_of(64, 96)), [meta])
    (objects,) = unpack_rows(found.rows, found.num_class_scores)
    assert objects.class_scores.shape == (len(objects), 3)
    assert torch.equal(objects.class_scores.amax(dim=1), objects.scores)
    assert torch.equal(objects.class_scores.argmax(dim=1), objects.labels)
    assert objects.embeddings.shape == (len(objects), 8)


@pytest.mark.parametrize("frames", [3, 4])
def test_all_frames_of_longer_clips_are_learnt(model, frames):
    batch = make_batch(OBJECTS, OBJECTS[:1], frames=frames)
    outputs = model(batch.images, batch.valid)
    for name in ("cls_logits", "mask_weights", "embeddings"):
        getattr(outputs, name).retain_grad()
    losses = model.loss(outputs, batch)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    assert losses["loss_match"] > 0
    for name in ("cls_logits", "mask_weights", "embeddings"):
        learnt = getattr(outputs, name).grad.flatten(1).abs().sum(dim=1)
        assert learnt.shape == (2 * frames,)
        assert (learnt > 0).all()


def test_a_pair_of_the_same_frames_costs_what_a_longer_clip_of_them_costs(model):
    """Means over frames do not change with their number; only the contrast has more to compare."""
    found = []
    for frames in (2, 4):
        batch = make_batch(OBJECTS, frames=frames)
        images = batch.images[:, :1].expand(-1, frames, -1, -1, -1)
        found.append(model.eval().loss(model(images, batch.valid), batch))
    for name in ("loss_cls", "loss_bbox", "loss_sigma", "loss_dice", "loss_bce", "loss_quality"):
        torch.testing.assert_close(found[0][name], found[1][name])
    assert found[1]["loss_match"] > found[0]["loss_match"]
