"""A chunk of frames through the post-processing: what each frame gives alone, in tensors of fixed sizes."""

from dataclasses import replace

import pytest
import torch

from mmdet.models.postprocess import masks as mask_assembly
from mmdet.models.postprocess.detections import PostProcess
from mmdet.models.postprocess.masks import draw_all, draw_masks
from mmdet.structures import FrameMeta, HeadOutputs, PointGrid
from mmdet.structures.chunk_detections import unpack_rows

LEVELS = ((8, 12), (4, 6), (2, 3), (1, 2))
SIZE = (64, 96)
COLUMNS = ("boxes", "labels", "scores", "box_sigma", "embeddings")
METAS = [
    FrameMeta(video_id=1, frame_index=0, original_size=(100, 150), input_size=SIZE, scale=0.64),
    FrameMeta(video_id=2, frame_index=0, original_size=(64, 96), input_size=SIZE, scale=1.0),
    FrameMeta(video_id=3, frame_index=0, original_size=(40, 60), input_size=SIZE, scale=1.6),
]


def make_outputs(frames=3, device="cpu", seed=0):
    generator = torch.Generator().manual_seed(seed)
    points = PointGrid.make(SIZE, LEVELS, (8, 16, 32, 64), torch.device(device))
    count = len(points.xy)

    def values(*shape):
        return torch.randn(frames, *shape, generator=generator).to(device)

    return HeadOutputs(
        points=points,
        cls_logits=values(count, 5),
        box_ltrb=values(count, 4).sigmoid() * 0.3,
        box_sigma=values(count, 4).exp(),
        centerness_logits=values(count),
        mask_basis=values(16, 32, 48),
        embedding_map=values(16, 8, 12),
        reference_embedding_map=None,
        memory_query=values(count, 2),
    )


def frame_of(outputs, index):
    names = ("cls_logits", "box_ltrb", "box_sigma", "centerness_logits", "mask_basis", "embedding_map", "memory_query")
    return replace(outputs, **{name: getattr(outputs, name)[index : index + 1] for name in names})


def detect_and_draw(postprocess, outputs, metas):
    """What is found in every frame, and its masks."""
    found = postprocess.detect(outputs, metas)
    frames = []
    for index, objects in enumerate(unpack_rows(found.rows)):
        rows = [range(len(objects)) if frame == index else () for frame in range(len(metas))]
        frames.append((objects, draw_masks(found, rows, metas[index])))
    return frames


@pytest.mark.parametrize("threshold", [0.015, 0.4, 0.99])
def test_frames_of_a_chunk_give_what_each_gives_alone(threshold):
    outputs, postprocess = make_outputs(), PostProcess(score_threshold=threshold, max_per_image=40)
    together = detect_and_draw(postprocess, outputs, METAS)
    for index, (found, masks) in enumerate(together):
        ((alone, own_masks),) = detect_and_draw(postprocess, frame_of(outputs, index), METAS[index : index + 1])
        for name in COLUMNS:
            assert torch.equal(getattr(found, name), getattr(alone, name)), name
        torch.testing.assert_close(found.centerness, alone.centerness)
        assert torch.equal(masks, own_masks)
        assert masks.shape[1:] == METAS[index].original_size
    assert (sum(len(found) for found, _ in together) == 0) == (threshold == 0.99)


def test_detections_are_what_the_head_says_of_their_points():
    outputs = make_outputs()
    found = PostProcess(score_threshold=0.0, nms_iou=1.0, max_per_image=12).detect(outputs, METAS)
    for index, objects in enumerate(unpack_rows(found.rows)):
        centerness = outputs.centerness_logits[index].sigmoid()
        products = outputs.cls_logits[index].sigmoid() * centerness[:, None]
        scores, order = products.flatten().topk(12)
        points, labels = order // 5, order % 5
        torch.testing.assert_close(objects.scores, scores)
        assert torch.equal(objects.labels, labels)
        torch.testing.assert_close(objects.centerness, centerness[points])
        torch.testing.assert_close(objects.box_sigma, outputs.box_sigma[index, points].clamp(max=1))
        torch.testing.assert_close(objects.boxes, outputs.boxes[index, points] / METAS[index].scale)


def test_the_tracker_looks_at_the_rounded_centre_and_the_masks_at_the_floored_one():
    """As the release does (MODEL.md 7.6): the map's two first features are the column and the row of a cell."""
    outputs = make_outputs()
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(12.0), indexing="ij")
    outputs.embedding_map[:, :2] = torch.stack([columns, rows])
    found = PostProcess(max_per_image=40).detect(outputs, METAS)
    limits = torch.tensor([11.0, 7.0])
    for index, objects in enumerate(unpack_rows(found.rows)):
        boxes = found.mask_source.boxes[index, : len(objects)]
        cells = (boxes[:, :2] + boxes[:, 2:]) / 2 / 8
        rounded, floored = (way(cells).clamp(min=0).minimum(limits) for way in (torch.round, torch.floor))
        assert (rounded != floored).any()
        assert torch.equal(objects.embeddings[:, :2], rounded)
        assert torch.equal(found.mask_source.coefficients[index, : len(objects), :2], floored)


def test_sizes_do_not_depend_on_what_is_found():
    postprocess = PostProcess(score_threshold=0.5)
    shapes = set()
    for shift in (-9.0, 0.0, 9.0):
        outputs = make_outputs()
        found = postprocess.detect(replace(outputs, cls_logits=outputs.cls_logits + shift), METAS)
        shapes.add((found.rows.shape, found.mask_source.boxes.shape, found.mask_source.coefficients.shape))
    assert shapes == {((3, 10, 28), (3, 10, 4), (3, 10, 16))}


def test_what_is_packed_comes_out_again():
    found = PostProcess(max_per_image=7).detect(make_outputs(), METAS)
    for index, objects in enumerate(unpack_rows(found.rows)):
        assert len(objects) == 7
        assert objects.labels.dtype == torch.int64
        torch.testing.assert_close(objects.boxes * METAS[index].scale, found.mask_source.boxes[index])
        assert objects.scores.tolist() == sorted(objects.scores.tolist(), reverse=True)


def test_a_point_that_is_not_a_number_is_never_found():
    outputs = make_outputs()
    logits = outputs.cls_logits.clone()
    logits[:, ::2] = torch.nan
    for frame in unpack_rows(PostProcess().detect(replace(outputs, cls_logits=logits), METAS).rows):
        assert len(frame) == 10
        assert frame.scores.isfinite().all()


def test_chosen_slots_are_drawn_as_they_are_in_the_frame_as_a_whole():
    outputs, metas = make_outputs(), [METAS[0]] * 3
    postprocess = PostProcess()
    frames = detect_and_draw(postprocess, outputs, metas)
    rows = [[0, 4, 9], [], [7, 1]]
    masks = draw_masks(postprocess.detect(outputs, metas), rows, METAS[0])
    assert torch.equal(masks, torch.cat([drawn[own] for (_, drawn), own in zip(frames, rows, strict=True)]))


def test_slots_that_are_drawn_beforehand_are_chosen_from():
    found = PostProcess(score_threshold=0.4).detect(make_outputs(), [METAS[0]] * 3)
    drawn, rows = draw_all(found, METAS[0]), [[0, 4], [], [2, 1]]
    assert drawn.masks.shape == (3, 10, 100, 150)
    masks = draw_masks(drawn, rows, METAS[0])
    assert torch.equal(masks, draw_masks(found, rows, METAS[0]))
    masks.logical_not_()  # the caller's own
    assert torch.equal(draw_masks(drawn, rows, METAS[0]), ~masks)


def test_more_slots_than_are_resized_at_once_are_not_drawn_beforehand(monkeypatch):
    found = PostProcess().detect(make_outputs(), [METAS[0]] * 3)
    monkeypatch.setattr(mask_assembly, "PIXELS_AT_ONCE", 3 * 10 * 100 * 150 - 1)
    assert draw_all(found, METAS[0]).masks is None


@pytest.mark.cuda
def test_a_gpu_is_not_waited_for_and_finds_the_same():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    postprocess = PostProcess(score_threshold=0.3)
    expected, outputs = postprocess.detect(make_outputs(), METAS), make_outputs(device="cuda")
    postprocess.detect(outputs, METAS)
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = postprocess.detect(outputs, METAS)
        drawn = draw_all(found, METAS[0])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(found.rows.cpu(), expected.rows, atol=1e-4, rtol=1e-4)
    masks = [draw_masks(each, [[0, 1], [2], [0]], METAS[0]).cpu() for each in (expected, found)]
    assert (masks[0] != masks[1]).float().mean() < 1e-4
    assert (draw_masks(drawn, [[0, 1], [2], [0]], METAS[0]).cpu() != masks[1]).float().mean() < 1e-4
