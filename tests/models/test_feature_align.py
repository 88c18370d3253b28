"""Feature alignment."""

import numpy as np
import torch

from mmdet.models.heads.feature_align import FeatureAlign


def test_alignment_matches_the_goldens(recorded_numbers):
    parts = {key: torch.from_numpy(value) for key, value in np.load(recorded_numbers / "parts/parts.npz").items()}
    model = FeatureAlign(32, 32)
    model.load_state_dict(
        {
            "offset_conv.weight": parts["falign_offset_w"],
            "weight": parts["falign_conv_w"],
            "norm.weight": parts["falign_gn_w"],
            "norm.bias": parts["falign_gn_b"],
        }
    )
    actual = model(parts["falign_x"], parts["falign_off"])
    torch.testing.assert_close(actual, parts["falign_out"], atol=1e-5, rtol=1e-5)


def test_no_gradient_reaches_the_distances():
    features, distances = torch.rand(1, 8, 5, 5, requires_grad=True), torch.rand(1, 4, 5, 5, requires_grad=True)
    model = FeatureAlign(8, 8, norm_groups=4)
    model(features, distances).sum().backward()
    assert distances.grad is None
    assert features.grad is not None
    assert model.offset_conv.weight.grad is not None


def test_maps_smaller_than_the_kernel_are_aligned_too():
    assert FeatureAlign(16, 8, norm_groups=4)(torch.rand(1, 16, 2, 1), torch.rand(1, 4, 2, 1)).shape == (1, 8, 2, 1)
