"""The whole two-stage model: sizes, padding, what learns, frames without objects, and the order of detections."""

import copy

import pytest
import torch
from small_model import small_two_stage_model

from mmdet.models import TwoStageModel
from mmdet.models.postprocess.masks import draw_all
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth
from mmdet.structures.chunk_detections import unpack_rows

OBJECTS = [[4, 4, 40, 50], [30, 10, 90, 60]]
LOSSES = {"loss_rpn_cls", "loss_rpn_box", "loss_cls", "loss_box", "loss_match", "loss_mask"}


def make_model(seed=0, **postprocess):
    torch.manual_seed(seed)
    return TwoStageModel(**small_two_stage_model(**postprocess))


@pytest.fixture
def model():
    return make_model()


def frames_of(*size, clips=1, frames=1, seed=0):
    source = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (clips, frames, 3, *size), dtype=torch.uint8, generator=source)
    return images, torch.ones(clips, frames, *size, dtype=torch.bool)


def meta_of(size, scale=1.0):
    return FrameMeta(video_id=1, frame_index=0, original_size=size, input_size=size, scale=scale)


def truth(boxes, size, crowd=()):
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return FrameTruth(
        boxes=torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        labels=torch.arange(len(boxes)),
        masks=masks,
        instance_ids=torch.arange(len(boxes)),
        is_crowd=torch.tensor([row in crowd for row in range(len(boxes))], dtype=torch.bool),
    )


def make_batch(*boxes_of_clips, size=(64, 96), crowd=(), whole_masks=True):
    images, valid = frames_of(*size, clips=len(boxes_of_clips), frames=2)
    return ClipBatch.make(
        images=images,
        valid=valid,
        truths=[(truth(boxes, size, crowd),) * 2 for boxes in boxes_of_clips],
        metas=((meta_of(size),) * 2,) * len(boxes_of_clips),
        reference_jitter=[torch.zeros(len(boxes), 4) for boxes in boxes_of_clips],
        whole_masks=whole_masks,
    )


def losses_of(model, batch, seed=0):
    torch.manual_seed(seed)
    return model.loss(model(batch.images, batch.valid), batch)


def total(losses):
    return torch.stack([losses[name] for name in LOSSES]).sum()


@pytest.mark.parametrize("size", [(64, 96), (160, 224), (32, 32), (33, 95)])
def test_any_size_works(size):
    model = make_model(score_threshold=0.0)
    out = model(*frames_of(*size))
    height, width = (-(-side // 32) * 32 for side in size)
    assert [level.shape[-2:] for level in out.features] == [(height // s, width // s) for s in (4, 8, 16, 32)]
    assert out.image_sizes.tolist() == [list(size)]
    found = draw_all(model.postprocess.detect(out, [meta_of(size)]), meta_of(size))
    assert found.rows.shape[:2] == (1, 10)
    assert found.masks.shape[2:] == size


def test_proposals_stay_inside_of_the_image_without_its_padding(model):
    images, valid = frames_of(64, 128)
    valid[..., 96:] = False
    proposals = model.eval()(images, valid).proposals
    assert proposals.valid.any()
    assert proposals.boxes[proposals.valid][:, 2].max() == 95


def test_frames_do_not_depend_on_each_other():
    model = make_model(score_threshold=0.0).eval()
    images, valid = frames_of(64, 96, clips=3)
    metas = [meta_of((64, 96))] * 3
    together = unpack_rows(model.postprocess.detect(model(images, valid), metas).rows)
    for index, expected in enumerate(together):
        one = slice(index, index + 1)
        (alone,) = unpack_rows(model.postprocess.detect(model(images[one], valid[one]), metas[:1]).rows)
        assert len(alone) == len(expected) > 0
        assert torch.allclose(alone.boxes, expected.boxes, atol=1e-3)
        assert torch.allclose(alone.embeddings, expected.embeddings, atol=1e-4)


def test_every_part_learns(model):
    losses = losses_of(model, make_batch(OBJECTS, OBJECTS[:1]))
    assert set(losses) == LOSSES | {"cls_acc", "match_acc"}
    total(losses).backward()
    learning = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert learning
    assert [name for name, value in learning.items() if value.grad is None] == []
    assert all(value.grad.isfinite().all() for value in learning.values())


@pytest.mark.parametrize("crowd", [(), (0, 1)])
def test_frames_without_objects_teach_what_background_is_and_nothing_else(model, crowd):
    losses = losses_of(model, make_batch(OBJECTS if crowd else [], size=(128, 128), crowd=crowd))
    assert losses["loss_cls"] > 0
    assert losses["loss_rpn_cls"] > 0
    for name in ("loss_rpn_box", "loss_box", "loss_match", "loss_mask"):
        assert losses[name] == 0
    total(losses).backward()
    assert model.head.track_head.layers[0].weight.grad.count_nonzero() == 0


def test_steps_with_the_same_seed_draw_the_same_samples(model):
    batch = make_batch(OBJECTS, OBJECTS, size=(128, 128))
    first, again, other = (total(losses_of(model, batch, seed)).item() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_copy_of_the_model_detects_with_its_own_heads(model):
    copied = copy.deepcopy(model)
    assert copied.postprocess.heads is copied.head
    assert copied.head is not model.head


def test_masks_at_full_size_are_asked_for(model):
    with pytest.raises(ValueError, match="whole_masks"):
        losses_of(model, make_batch(OBJECTS, whole_masks=False))


def test_clips_of_more_than_two_frames_are_refused(model):
    with pytest.raises(ValueError, match="learns from pairs of frames, got clips of 3"):
        model(*frames_of(64, 96, frames=3))


def test_few_detections_stand_in_the_order_of_classes_and_many_in_that_of_scores():
    model = make_model()
    scores = torch.full((1, 3, 4), 0.0)
    scores[0, 2, 1], scores[0, 0, 2], scores[0, 0, 3] = 0.9, 0.3, 0.4
    corners = torch.arange(4.0)[None, None, :, None] * 100
    boxes = (corners + torch.tensor([0.0, 0.0, 20.0, 20.0])).expand(1, 3, 4, 4)
    post = model.postprocess
    post.max_per_image = 3
    at, labels, best, filled = post._select(scores, boxes)
    assert filled.all()
    assert labels.tolist() == [[0, 0, 2]]
    assert (at % 4).tolist() == [[3, 2, 1]]
    assert torch.allclose(best, torch.tensor([[0.4, 0.3, 0.9]]))
    post.max_per_image = 2
    at, labels, best, filled = post._select(scores, boxes)
    assert labels.tolist() == [[2, 0]]
    assert torch.allclose(best, torch.tensor([[0.9, 0.4]]))


def test_boxes_of_one_class_compete_and_those_of_two_do_not():
    post = make_model().postprocess
    scores = torch.tensor([[[0.8, 0.7], [0.0, 0.6], [0.0, 0.0]]])
    boxes = torch.tensor([0.0, 0.0, 20.0, 20.0]).expand(1, 3, 2, 4)
    at, labels, _, filled = post._select(scores, boxes)
    assert filled.tolist() == [[True, True, *[False] * 4]]
    assert labels[0, :2].tolist() == [0, 1]
    assert at[0, :2].tolist() == [0, 3]
