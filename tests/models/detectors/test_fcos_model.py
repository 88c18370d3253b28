"""A model without a memory and without masks: it trains, saves, goes on, and is followed by boxes alone."""

import pytest
import torch
from small_model import small_fcos_model

from mmdet.engine.process.processes import Ranks
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.models import VISModel
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth
from mmdet.structures.chunk_detections import unpack_rows
from mmdet.tracking import Tracker

SIZE = (64, 96)
META = FrameMeta(video_id=1, frame_index=0, original_size=SIZE, input_size=SIZE, scale=1.0)
ALONE = Ranks(rank=0, local_rank=0, world_size=1, device=torch.device("cpu"))


def make_model():
    torch.manual_seed(0)
    return VISModel(**small_fcos_model(score_threshold=0.0, max_per_image=5))


def make_batch(*boxes_of_clips):
    def truth(boxes):
        return FrameTruth(
            boxes=torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
            labels=torch.arange(len(boxes)),
            masks=torch.zeros(len(boxes), *SIZE, dtype=torch.bool),
            instance_ids=torch.arange(len(boxes)),
            is_crowd=torch.zeros(len(boxes), dtype=torch.bool),
        )

    count, source = len(boxes_of_clips), torch.Generator().manual_seed(0)
    return ClipBatch.make(
        images=torch.randint(0, 256, (count, 2, 3, *SIZE), dtype=torch.uint8, generator=source),
        valid=torch.ones(count, 2, *SIZE, dtype=torch.bool),
        truths=tuple((truth(boxes),) * 2 for boxes in boxes_of_clips),
        metas=((META, META),) * count,
        reference_jitter=tuple(torch.zeros(len(boxes), 4) for boxes in boxes_of_clips),
    )


@pytest.mark.parametrize("boxes", [([[4, 4, 40, 50], [30, 10, 90, 60]], []), ([], [])])
def test_a_step_learns_from_keys_alone_and_tells_nothing_of_a_memory(boxes):
    model = make_model()
    step = TrainStep(model, build_optimizer(model, {"type": "SGD", "lr": 0.01}), ALONE, "off", 35.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    figures = step([make_batch(*boxes)], measure=True)
    assert set(figures) == {"loss_cls", "loss_bbox", "loss_centerness", "grad_norm"}
    assert all(value.isfinite() for value in figures.values())
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert "head.cls_conv.weight" in changed
    assert step.memory_use.written == ()


def test_references_are_never_looked_at():
    model, batch = make_model().eval(), make_batch([[4, 4, 40, 50]])
    pair = model(batch.images, batch.valid)
    single = model(batch.images[:, :1], batch.valid[:, :1])
    assert torch.equal(pair.cls_logits, single.cls_logits)
    assert len(pair.cls_logits) == 1


def test_detections_without_embeddings_keep_their_ids_by_overlap_and_class():
    model, batch = make_model().eval(), make_batch([[4, 4, 40, 50]])
    outputs = model(batch.images[:, :1], batch.valid[:, :1])
    (objects,) = unpack_rows(model.postprocess.detect(outputs, [META]).rows)
    assert objects.embeddings.shape == (5, 0)
    tracker = Tracker(affinity="inner_product")
    state, first = tracker.assign(tracker.start(), objects)
    _, second = tracker.assign(state, objects)
    assert first.tolist() == second.tolist() == [0, 1, 2, 3, 4]
