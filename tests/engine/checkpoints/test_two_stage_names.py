"""Layers of two-stage models with rows for the background and for every class, apart and together."""

import torch

from mmdet.engine.checkpoints.two_stage_names import join_class_rows, split_class_rows


def test_rows_of_the_background_become_tensors_of_their_own_and_come_back():
    whole = {
        "head.box_head.classes.weight": torch.rand(4, 8),
        "head.box_head.classes.bias": torch.rand(4),
        "head.box_head.boxes.weight": torch.rand(16, 8),
        "head.box_head.boxes.bias": torch.rand(16),
        "head.mask_head.classes.weight": torch.rand(4, 8, 1, 1),
        "head.mask_head.upsample.bias": torch.rand(8),
    }
    apart = split_class_rows(whole)
    assert apart["head.box_head.classes.weight"].shape == (3, 1, 8)
    assert apart["head.box_head.boxes.bias"].shape == (3, 4)
    assert apart["head.box_head.boxes.background_weight"].shape == (1, 4, 8)
    assert apart["head.mask_head.classes.background_weight"].shape == (1, 1, 8)
    together = join_class_rows(apart)
    assert set(together) == set(whole)
    assert all(value.equal(whole[name].reshape(value.shape)) for name, value in together.items())
