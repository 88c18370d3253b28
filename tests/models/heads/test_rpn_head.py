"""The region proposal network and its proposals."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from mmdet.models.assigners import MaxIoUAssigner, RandomSampler
from mmdet.models.heads.two_stage.rpn_head import RPNHead
from mmdet.models.losses.two_stage.rpn import rpn_losses
from mmdet.ops.anchors import inside_images
from mmdet.structures.two_stage_outputs import RPNOutputs, unpadded_sizes

STRIDES = (8, 16)
SIZES = torch.tensor([[60, 90], [64, 96]])


def pyramid(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 16, 64 // stride, 96 // stride, generator=generator) for stride in STRIDES]


@pytest.fixture
def head():
    torch.manual_seed(0)
    head = RPNHead(16, STRIDES)
    for conv in (head.conv, head.cls_conv, head.box_conv):  # lively predictions instead of the initial ones
        torch.nn.init.normal_(conv.weight, std=0.2)
    return head


def outputs_of(anchors, level_counts, logits):
    logits = torch.tensor([logits])
    return RPNOutputs(
        anchors=torch.tensor(anchors),
        level_counts=level_counts,
        cls_logits=logits,
        deltas=torch.zeros(*logits.shape, 4),
    )


def test_it_starts_with_small_weights_and_without_bias():
    head = RPNHead(256, STRIDES)
    for conv in (head.conv, head.cls_conv, head.box_conv):
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.1)
        assert not conv.bias.any()


def test_a_row_is_of_the_anchor_in_whose_place_it_stands(head):
    maps = pyramid()
    outputs = head(maps)
    assert outputs.level_counts == (8 * 12 * 3, 4 * 6 * 3)
    assert outputs.anchors.shape == (sum(outputs.level_counts), 4)
    features = head.conv(maps[1]).relu()
    row = outputs.level_counts[0] + (2 * 6 + 5) * 3 + 1  # coarse level, row 2, column 5, second shape
    assert torch.equal(outputs.cls_logits[:, row], head.cls_conv(features)[:, 1, 2, 5])
    assert torch.equal(outputs.deltas[:, row], head.box_conv(features)[:, 4:8, 2, 5])
    centre = (outputs.anchors[row, :2] + outputs.anchors[row, 2:]) / 2
    assert centre.tolist() == [5 * 16 + 7.5, 2 * 16 + 7.5]


def test_proposals_end_with_their_own_image_and_have_no_gradient(head):
    proposals = head.propose(head(pyramid()), SIZES)
    assert proposals.boxes.shape == (2, 200, 4)
    assert not proposals.boxes.requires_grad
    for boxes, valid, (height, width) in zip(proposals.boxes, proposals.valid, SIZES.tolist(), strict=True):
        assert boxes[valid].min() >= 0
        assert boxes[valid][:, 2].max() == width - 1
        assert boxes[valid][:, 3].max() == height - 1


def test_proposals_are_sorted_by_score_and_what_is_not_valid_is_last(head):
    head.iou_threshold = 0.3
    proposals = head.propose(head(pyramid()), SIZES)
    counts = proposals.valid.sum(dim=1)
    assert (counts < 200).all()
    assert torch.equal(proposals.valid, torch.arange(200) < counts[:, None])
    assert (proposals.scores.diff(dim=1) <= 0).all()


def test_boxes_of_different_levels_do_not_compete():
    box = [0.0, 0, 9, 9]
    outputs = outputs_of([box, box, box], (2, 1), [2.0, 1.0, 0.0])
    proposals = RPNHead(16, STRIDES, num_proposals=4).propose(outputs, torch.tensor([[20, 20]]))
    assert proposals.valid.tolist() == [[True, True, False, False]]
    torch.testing.assert_close(proposals.scores[0, :2], torch.tensor([2.0, 0.0]).sigmoid())


def test_a_level_gives_its_best_anchors_only():
    anchors = [[20.0 * i, 0, 20 * i + 9, 9] for i in range(4)]
    outputs = outputs_of(anchors, (3, 1), [1.0, 3, 2, 0])
    proposals = RPNHead(16, STRIDES, num_per_level=2, num_proposals=4).propose(outputs, torch.tensor([[100, 100]]))
    assert proposals.boxes[0][proposals.valid[0]][:, 0].tolist() == [20, 40, 60]


def run_first_stage(head, maps, pixels, truth):
    """Return proposals (B, R) and losses from a pyramid, bool marks of pixels that are not padding, and a truth."""
    outputs, sizes = head(maps), unpadded_sizes(pixels)
    assigned = MaxIoUAssigner()(outputs.anchors, inside_images(outputs.anchors, sizes), truth)
    return head.propose(outputs, sizes), rpn_losses(outputs, truth, assigned, RandomSampler()(assigned))


def test_no_size_and_no_decision_depends_on_values_on_a_gpu(scenes):
    truth = scenes.make_batch([10, 31]).truth
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):  # tensors without values
        head, maps = RPNHead(16, STRIDES), [torch.rand(2, 16, 64 // stride, 96 // stride) for stride in STRIDES]
        truth = truth.map_tensors(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))
        proposals, losses = run_first_stage(head, maps, torch.ones(2, 64, 96, dtype=torch.bool), truth)
    assert proposals.boxes.shape == (2, 200, 4)
    assert [loss.shape for loss in losses] == [(2,), (2,)]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_host_does_not_wait_for_the_gpu(head, scenes):
    truth = scenes.make_batch([10, 31]).truth.map_tensors(lambda tensor: tensor.cuda())
    pixels, maps = torch.ones(2, 64, 96, dtype=torch.bool).cuda(), [level.cuda() for level in pyramid()]
    head.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        _, losses = run_first_stage(head, maps, pixels, truth)
        (losses[0].sum() + losses[1].sum()).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
