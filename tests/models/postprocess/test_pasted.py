"""Masks of two-stage models, stretched to their boxes at the original size."""

import torch

from mmdet.models.postprocess import masks as mask_assembly
from mmdet.models.postprocess.masks import draw_masks
from mmdet.structures import ChunkDetections, FrameMeta
from mmdet.structures.mask_sources import PastedMasks

META = FrameMeta(video_id=1, frame_index=0, original_size=(20, 30), input_size=(10, 15), scale=0.5)


def detections():
    logits = torch.full((1, 2, 28, 28), 4.0)
    logits[0, 1, :, 14:] = -4.0  # the right half of the second mask is empty
    boxes = torch.tensor([[[2.0, 3.0, 6.9, 12.0], [10.0, 0.0, 19.0, 9.0]]])
    return ChunkDetections(rows=torch.ones(1, 2, 14), mask_source=PastedMasks(logits=logits, boxes=boxes))


def test_a_mask_fills_the_pixels_of_its_inclusive_box():
    first, second = draw_masks(detections(), [[0, 1]], META)
    assert first.shape == (20, 30)
    assert first[3:13, 2:7].all()
    assert first.sum() == 10 * 5
    assert second[:10, 10:15].all()
    assert second.sum() == 10 * 5


def test_only_the_chosen_masks_are_drawn():
    assert draw_masks(detections(), [[1]], META).equal(draw_masks(detections(), [[0, 1]], META)[1:])
    assert draw_masks(detections(), [[]], META).shape == (0, 20, 30)


def test_many_masks_are_drawn_in_parts(monkeypatch):
    whole = draw_masks(detections(), [[0, 1]], META)
    monkeypatch.setattr("mmdet.models.postprocess.two_stage.pasted.PIXELS_AT_ONCE", 1)
    assert mask_assembly.PIXELS_AT_ONCE > 1
    assert draw_masks(detections(), [[0, 1]], META).equal(whole)
