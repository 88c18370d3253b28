"""Masks of detections at the original size."""

import pytest
import torch

from mmdet.models.postprocess import masks as mask_assembly
from mmdet.models.postprocess.masks import assemble_masks, crop_to_boxes
from mmdet.structures import FrameMeta


def meta(original, scale=1.0):
    return FrameMeta(video_id=1, frame_index=0, original_size=original, input_size=(32, 48), scale=scale)


def test_crop_is_half_open():
    cropped = crop_to_boxes(torch.ones(1, 4, 5), torch.tensor([[1.0, 0.5, 3.0, 3.0]]))[0]
    assert cropped.nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_a_mask_fills_its_box_in_the_original_image():
    basis = torch.full((1, 16, 24), 5.0)
    box = torch.tensor([[8.0, 4.0, 40.0, 28.0]])
    mask = assemble_masks(basis[None], [torch.ones(1, 1)], box, meta((32, 48)))[0]
    assert mask.shape == (32, 48)
    assert mask[4:28, 8:40].all()
    assert mask.sum() == 24 * 32


def test_a_pixel_that_is_neither_in_nor_out_is_not_in_the_mask():
    box = torch.tensor([[0.0, 0.0, 48.0, 32.0]])
    assert not assemble_masks(torch.zeros(1, 1, 16, 24), [torch.ones(1, 1)], box, meta((32, 48))).any()


def test_masks_are_scaled_back_and_cut_or_padded_to_the_original_size():
    basis = torch.full((1, 16, 24), 5.0)
    box = torch.tensor([[0.0, 0.0, 48.0, 32.0]])
    smaller = assemble_masks(basis[None], [torch.ones(1, 1)], box, meta((60, 90), scale=0.5))
    assert smaller.shape == (1, 60, 90)
    assert smaller.all()
    larger = assemble_masks(basis[None], [torch.ones(1, 1)], box, meta((70, 100), scale=0.5))
    assert larger.shape == (1, 70, 100)
    assert larger[:, :64, :96].all()
    assert not larger[:, 64:].any()


def test_no_detection_gives_no_mask():
    assert assemble_masks(torch.rand(1, 2, 4, 4), [torch.zeros(0, 2)], torch.zeros(0, 4), meta((9, 7))).shape == (
        0,
        9,
        7,
    )


@pytest.mark.parametrize("at_once", [1, 3 * 60 * 90, 2**27])
def test_masks_of_several_frames_are_those_of_each_whatever_is_resized_at_once(monkeypatch, at_once):
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(3, 4, 16, 24, generator=generator)
    coefficients = [torch.randn(count, 4, generator=generator) for count in (2, 0, 5)]
    boxes = torch.tensor([0.0, 0.0, 40.0, 30.0]) + 6 * torch.rand(7, 4, generator=generator)
    about = meta((60, 90), scale=0.5)
    alone = [
        assemble_masks(basis[frame : frame + 1], [coefficients[frame]], boxes[rows], about)
        for frame, rows in ((0, slice(0, 2)), (2, slice(2, 7)))
    ]
    monkeypatch.setattr(mask_assembly, "PIXELS_AT_ONCE", at_once)
    together = assemble_masks(basis, coefficients, boxes, about)
    assert torch.equal(together, torch.cat(alone))
    assert 0 < together.float().mean() < 1
