"""Masks of small networks against convolutions that are made and run object by object."""

import pytest
import torch
from torch.nn import functional as F

from mmdet.ops.masks.dynamic import WIDTH, dynamic_masks, num_weights

CHANNELS, STRIDE = 5, 4


def made(frames=2, objects=3, height=6, width=9, dtype=torch.float64, seed=0):
    """Features, weights, places and reach of random networks."""
    source = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.rand(*shape, generator=source, dtype=dtype)

    return (
        random(frames, CHANNELS, height, width) - 0.5,
        random(frames, objects, num_weights(CHANNELS)) - 0.5,
        random(frames, objects, 2) * STRIDE * height,
        8 + 100 * random(frames, objects),
    )


def slowly(features, weights, places, reach, stride):
    """Every object's mask by three convolutions of its own, over features and the two positions of every pixel."""
    channels, height, width = features.shape[1:]
    masks = torch.zeros(*weights.shape[:2], height, width, dtype=features.dtype)
    for frame, objects in enumerate(weights):
        for row, numbers in enumerate(objects):
            position = torch.zeros(2, height, width, dtype=features.dtype)
            for i in range(height):
                for j in range(width):
                    position[0, i, j] = ((j + 0.5) * stride - places[frame, row, 0]) / reach[frame, row]
                    position[1, i, j] = ((i + 0.5) * stride - places[frame, row, 1]) / reach[frame, row]
            take = iter(numbers.tolist())

            def next_ones(*shape, take=take):
                count = torch.Size(shape).numel()
                return torch.tensor([next(take) for _ in range(count)], dtype=features.dtype).view(shape)

            of_features, of_positions = next_ones(WIDTH, channels, 1, 1), next_ones(2, WIDTH, 1, 1).transpose(0, 1)
            x = torch.cat((features[frame], position))[None]
            x = F.conv2d(x, torch.cat((of_features, of_positions), dim=1), next_ones(WIDTH)).relu()
            x = F.conv2d(x, next_ones(WIDTH, WIDTH, 1, 1), next_ones(WIDTH)).relu()
            masks[frame, row] = F.conv2d(x, next_ones(1, WIDTH, 1, 1), next_ones(1))[0, 0]
            assert next(take, None) is None
    return masks


def test_masks_are_those_of_three_convolutions_per_object():
    inputs = made()
    torch.testing.assert_close(dynamic_masks(*inputs, STRIDE), slowly(*inputs, STRIDE))


def test_every_number_of_a_network_counts():
    features, weights, places, reach = made(frames=1, objects=1)
    weights = weights.abs().requires_grad_()  # no unit of the hidden layers rests
    dynamic_masks(features.abs(), weights, places * 0, reach, STRIDE).sum().backward()
    assert weights.grad.shape[-1] == num_weights(CHANNELS) == (CHANNELS + 2) * 8 + 8 + 64 + 8 + 8 + 1
    assert (weights.grad != 0).all()


def test_gradients_are_those_of_finite_differences():
    inputs = [tensor.requires_grad_() for tensor in made(frames=1, objects=2, height=3, width=2)[:2]]
    places, reach = made(frames=1, objects=2, height=3, width=2)[2:]
    assert torch.autograd.gradcheck(
        lambda features, weights: dynamic_masks(features, weights, places, reach, STRIDE), inputs
    )


def test_objects_and_frames_are_drawn_alike_alone_and_together():
    features, weights, places, reach = made()
    together = dynamic_masks(features, weights, places, reach, STRIDE)
    for frame in range(2):
        for row in range(3):
            one = (slice(frame, frame + 1), slice(row, row + 1))
            alone = dynamic_masks(features[one[0]], weights[one], places[one], reach[one], STRIDE)
            torch.testing.assert_close(alone[0, 0], together[frame, row])


def test_an_object_that_moves_with_its_features_is_drawn_as_before():
    features, weights, places, reach = made()
    before = dynamic_masks(features, weights, places, reach, STRIDE)
    moved = dynamic_masks(features.roll(2, dims=3), weights, places + torch.tensor([2.0 * STRIDE, 0]), reach, STRIDE)
    torch.testing.assert_close(moved[..., 2:], before[..., :-2])


@pytest.mark.parametrize("objects", [0, 1])
def test_frames_without_objects_have_no_masks(objects):
    assert dynamic_masks(*made(objects=objects), STRIDE).shape == (2, objects, 6, 9)


def test_positions_stay_exact_in_half_precision():
    features, weights, places, reach = made(dtype=torch.float32, height=4, width=300)
    exact = dynamic_masks(features, weights, places, reach, STRIDE)
    half = dynamic_masks(features.bfloat16(), weights.bfloat16(), places, reach, STRIDE)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), exact, rtol=0.1, atol=0.1 * float(exact.abs().max()))
