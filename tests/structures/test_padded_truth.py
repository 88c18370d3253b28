"""Padding the truths of pairs: fixed sizes with validity, crowd regions, matches, half masks and jitter."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from mmdet.structures import FrameTruth
from mmdet.structures.padded_truth import halve_masks, jitter_boxes, pad_truths

HEIGHT, WIDTH = 16, 24


def frame(*ids, crowd=()):
    count = len(ids)
    source = torch.Generator().manual_seed(count)
    corner = 8 * torch.rand(count, 2, generator=source)
    return FrameTruth(
        boxes=torch.cat([corner, corner + 8], dim=1),
        labels=torch.arange(count),
        masks=torch.rand(count, HEIGHT, WIDTH, generator=source) > 0.4,
        instance_ids=torch.tensor(ids, dtype=torch.int64),
        is_crowd=torch.tensor([row in crowd for row in range(count)], dtype=torch.bool),
    )


def padded(*pairs):
    return pad_truths(pairs, [torch.zeros(len(reference), 4) for _, reference in pairs], (HEIGHT, WIDTH))


def first_rows(tensor, count):
    """The first rows of every frame; what follows them is padding, which says no."""
    assert not tensor[:, count:].any()
    return tensor[:, :count].tolist()


@pytest.mark.parametrize(("objects", "rows"), [(0, 4), (1, 4), (4, 4), (5, 8), (9, 12)])
def test_numbers_of_rows_are_few(objects, rows):
    many, none = frame(*range(objects)), frame()
    truth = padded((many, none), (none, none))
    assert {tensor.shape[1] for tensor in (truth.boxes, truth.labels, truth.half_masks, truth.match)} == {rows}
    assert truth.reference_boxes.shape == (2, 4, 4)
    assert padded((none, many)).reference_valid.shape == (1, rows)


def test_truths_are_padded_to_one_number_of_objects():
    three = frame(7, 8, 9)
    truth = padded((frame(1), frame()), (three, frame(7, 9)), (frame(), frame()))
    assert truth.valid.sum(dim=1).tolist() == [1, 3, 0]
    assert truth.boxes.shape == truth.reference_boxes.shape == (3, 4, 4)
    assert torch.equal(truth.boxes[1, :3], three.boxes)
    assert not truth.boxes[0, 1:].any()
    assert truth.has_objects.tolist() == [True, True, False]


def test_a_batch_without_objects_is_padding_alone():
    truth = padded((frame(), frame()))
    assert truth.boxes.shape == (1, 4, 4)
    assert truth.half_masks.shape == (1, 4, HEIGHT // 2, WIDTH // 2)
    assert truth.reference_valid.shape == (1, 4)
    assert not truth.valid.any()
    assert truth.match.tolist() == [[-1] * 4]


def test_crowd_rows_are_no_objects_and_match_nothing():
    truth = padded((frame(4, 5, 6, crowd=(1,)), frame(4, 5, 6, crowd=(2,))))
    assert first_rows(truth.valid, 3) == [[True, False, True]]
    assert first_rows(truth.is_crowd, 3) == [[False, True, False]]
    assert truth.match.tolist() == [[0, -1, -1, -1]]


def test_objects_find_themselves_in_the_reference():
    truth = padded((frame(7, 8, 9), frame(9, 7)), (frame(1), frame(2)))
    assert truth.match.tolist() == [[1, -1, 0, -1], [-1, -1, -1, -1]]


def test_half_masks_are_the_bilinear_half_above_one_half():
    masks = torch.rand(5, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)) > 0.4
    half = F.interpolate(masks.float()[None], scale_factor=0.5, mode="bilinear")[0] > 0.5
    assert torch.equal(halve_masks(masks), half)


@pytest.mark.parametrize(("height", "width"), [(15, 24), (16, 23), (15, 23), (1, 1), (0, 0)])
def test_halves_of_odd_sizes_are_those_of_padded_masks(height, width):
    key = frame(1, 2)
    cut = dataclasses.replace(key, masks=key.masks[:, :height, :width])
    inside = torch.zeros_like(key.masks)
    inside[:, :height, :width] = cut.masks
    assert not cut.masks.is_contiguous() or cut.masks.numel() in (0, len(cut))
    assert torch.equal(padded((cut, frame())).half_masks[:, :2], halve_masks(inside)[None])


def test_halving_does_not_depend_on_the_layout():
    masks = torch.rand(5, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)) > 0.4
    turned = masks.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert not turned.is_contiguous()
    assert torch.equal(halve_masks(turned), halve_masks(masks))
    assert torch.equal(halve_masks(masks[::2]), halve_masks(masks)[::2])


def test_jitter_moves_centres_and_stretches_sides():
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    moved = jitter_boxes(boxes, torch.tensor([[0.1, -0.05, 0.2, 0.0]]))
    torch.testing.assert_close(moved, torch.tensor([[10.0, 18.0, 34.0, 58.0]]))


def test_the_boxes_of_references_are_jittered():
    reference, offsets = frame(3, 4), torch.full((2, 4), 0.05)
    truth = pad_truths([(frame(3), reference)], [offsets], (HEIGHT, WIDTH))
    assert torch.equal(truth.reference_boxes[0, :2], jitter_boxes(reference.boxes, offsets))


def test_the_masks_of_references_are_read_only_for_the_rows_of_all_frames():
    key, reference = frame(1, 2), frame(2, 3)
    bare = dataclasses.replace(reference, masks=reference.masks[:, :0, :0])
    full, without = padded((key, reference)), padded((key, bare))
    names = [field.name for field in dataclasses.fields(full) if field.name not in ("frames", "masks")]
    assert all(torch.equal(getattr(full, name), getattr(without, name)) for name in names)
    assert full.frames is not None
    assert without.frames is None


def test_the_rows_of_all_frames_are_keys_then_references():
    clips = [(frame(7, 8, 9, crowd=(1,)), frame(9, 7)), (frame(3), frame())]
    rows = padded(*clips).frames
    for index, each in enumerate([clips[0][0], clips[1][0], clips[0][1], clips[1][1]]):
        count = len(each)
        assert torch.equal(rows.boxes[index, :count], each.boxes)
        assert torch.equal(rows.labels[index, :count], each.labels)
        assert torch.equal(rows.half_masks[index, :count], halve_masks(each.masks))
        assert rows.is_crowd[index, :count].tolist() == each.is_crowd.tolist()
        assert rows.valid[index].tolist() == [*(~each.is_crowd).tolist(), *[False] * (4 - count)]
    assert rows.ids.tolist() == [[7, -1, 9, -1], [3, -1, -1, -1], [9, 7, -1, -1], [-1] * 4]


def test_the_rows_of_all_frames_are_as_many_as_the_fullest_frame_needs():
    assert padded((frame(1), frame(*range(5)))).frames.boxes.shape == (2, 8, 4)
    assert padded((frame(*range(9)), frame(1))).frames.boxes.shape == (2, 12, 4)


def test_a_truth_takes_over_the_numbers_of_another_in_place():
    first, second = padded((frame(1, 2), frame(2))), padded((frame(5, 3, 4), frame(3, 5)))
    held = first.frames.boxes
    first.copy_from(second)
    assert first.frames.boxes is held
    for one, other in ((first, second), (first.frames, second.frames)):
        names = [field.name for field in dataclasses.fields(one) if field.name not in ("frames", "masks")]
        assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def test_all_tensors_move_those_of_the_rows_too():
    moved = padded((frame(1), frame(1))).map_tensors(lambda tensor: tensor.to("meta"))
    assert moved.boxes.is_meta
    assert moved.frames.half_masks.is_meta


def test_longer_clips_have_rows_for_every_frame_first_frames_of_all_clips_first():
    clips = [(frame(1, 2), frame(2), frame(1)), (frame(5), frame(6, 5), frame(*range(7)))]
    truth = pad_truths(clips, [torch.zeros(len(clip[1]), 4) for clip in clips], (HEIGHT, WIDTH))
    assert truth.match[:, :2].tolist() == [[-1, 0], [1, -1]]  # in the first reference
    assert truth.frames.valid.sum(dim=1).tolist() == [2, 1, 1, 2, 1, 7]
    assert truth.frames.ids[:, :2].tolist() == [[1, 2], [5, -1], [2, -1], [6, 5], [1, -1], [0, 1]]
    assert truth.row_counts == (4, 4, 8)


def test_whole_masks_are_given_where_they_are_asked_for():
    pair = frame(1, 2), frame(1)
    assert padded(pair).masks is None
    truth = pad_truths([pair], [torch.zeros(1, 4)], (HEIGHT + 4, WIDTH), whole_masks=True)
    assert truth.masks.shape == (1, 4, HEIGHT + 4, WIDTH)
    assert truth.masks[0, :2, :HEIGHT].equal(pair[0].masks)
    assert truth.masks.sum() == pair[0].masks.sum()
    assert truth.map_tensors(lambda tensor: tensor.to("meta")).masks.is_meta
    other = truth.map_tensors(torch.zeros_like)
    other.copy_from(truth)
    assert other.masks.equal(truth.masks)
