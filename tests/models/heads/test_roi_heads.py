"""The heads of regions: shapes, initial weights, and which tensors have a row per class."""

import math

import pytest
import torch

from mmdet.models.heads.two_stage import RoIHeads


@pytest.fixture(scope="module")
def heads():
    torch.manual_seed(0)
    return RoIHeads(num_classes=6, width=32, channels=16)


@pytest.fixture(scope="module")
def pyramid():
    source = torch.Generator().manual_seed(0)
    return [torch.rand(2, 16, 64 >> level, 64 >> level, generator=source) for level in range(5)]


BOXES = torch.tensor([[[4.0, 4.0, 60.0, 90.0], [0.0, 0.0, 200.0, 200.0], [9.0, 9.0, 9.0, 9.0]]]).repeat(2, 1, 1)


def test_every_region_gets_scores_boxes_a_vector_and_masks(heads, pyramid):
    regions = heads.read(pyramid, BOXES)
    logits, deltas = heads.box_head(regions)
    assert (logits.shape, deltas.shape) == ((2, 3, 7), (2, 3, 7, 4))
    assert heads.track_head(regions).shape == (2, 3, 32)
    assert heads.masks(pyramid, BOXES).shape == (2, 3, 7, 28, 28)


def test_the_named_tensors_have_a_row_per_class(heads):
    state = heads.state_dict()
    assert len(heads.class_tensors) == 6
    assert all(len(state[name]) == 6 for name in heads.class_tensors)


def test_swapped_classes_swap_what_is_predicted(heads, pyramid):
    regions = heads.read(pyramid, BOXES)
    before = *heads.box_head(regions), heads.masks(pyramid, BOXES)
    order = [1, 0, 2, 3, 4, 5]
    state = {name: value.clone() for name, value in heads.state_dict().items()}
    heads.load_state_dict(state | {name: state[name][order] for name in heads.class_tensors})
    after = *heads.box_head(regions), heads.masks(pyramid, BOXES)
    heads.load_state_dict(state)
    for old, new in zip(before, after, strict=True):
        assert new.equal(old[:, :, [0, 2, 1, 3, 4, 5, 6]])


def test_initial_weights_are_those_of_the_release(heads):
    box, track, mask = heads.box_head, heads.track_head, heads.mask_head
    assert box.classes.weight.std().item() == pytest.approx(0.01, rel=0.2)
    assert box.boxes.weight.std().item() == pytest.approx(0.001, rel=0.2)
    assert track.layers[0].weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert mask.convs[0].weight.std().item() == pytest.approx(math.sqrt(2 / (16 * 9)), rel=0.1)
    assert mask.classes.weight.std().item() == pytest.approx(math.sqrt(2 / 7), rel=0.25)
    bound = math.sqrt(6 / (16 * 49 + 32))
    assert box.shared[0].weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert not any(value.any() for name, value in heads.named_parameters() if "bias" in name)
