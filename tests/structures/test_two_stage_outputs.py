"""What both stages of a two-stage model start from."""

import torch

from mmdet.structures.two_stage_outputs import Proposals, unpadded_sizes


def test_the_sizes_of_images_are_those_without_their_padding():
    valid = torch.zeros(2, 8, 12, dtype=torch.bool)
    valid[0, :5, :7] = True
    valid[1] = True
    assert unpadded_sizes(valid).tolist() == [[5, 7], [8, 12]]


def test_proposals_are_shown_by_their_shapes():
    proposals = Proposals(boxes=torch.zeros(1, 3, 4), scores=torch.zeros(1, 3), valid=torch.ones(1, 3).bool())
    assert repr(proposals) == "Proposals(boxes=float32 (1, 3, 4), scores=float32 (1, 3), valid=bool (1, 3))"
