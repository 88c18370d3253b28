"""Masks drawn by a small network per object, from features of the frame and positions relative to the object.

Source: Tian et al., Conditional Convolutions for Instance Segmentation (ECCV 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 8  # channels between the layers


def num_weights(channels: int) -> int:
    """Return how many numbers make a network for `channels` features: three layers with biases."""
    return (channels + 2) * WIDTH + WIDTH + WIDTH * WIDTH + WIDTH + WIDTH + 1


def dynamic_masks(features: Tensor, weights: Tensor, places: Tensor, reach: Tensor, stride: int) -> Tensor:
    """Return mask logits (F, N, h, w) of N objects in each frame.

    `features` (F, C, h, w), one pixel for `stride` input pixels; `weights` (F, N, num_weights(C))
    `places` (F, N, 2): points of the objects (x, y), input pixels; positions are relative to them
    `reach` (F, N): unit of the positions, input pixels
    """
    channels, (height, width) = features.shape[1], features.shape[2:]
    sizes = (channels * WIDTH, 2 * WIDTH, WIDTH, WIDTH * WIDTH, WIDTH, WIDTH, 1)
    first, position, bias1, second, bias2, third, bias3 = weights.split(sizes, dim=2)
    x = (torch.arange(width, device=features.device) + 0.5) * stride
    y = (torch.arange(height, device=features.device) + 0.5) * stride
    relative_x = ((x - places[..., :1]) / reach[..., None]).to(features.dtype)  # (F, N, w)
    relative_y = ((y - places[..., 1:]) / reach[..., None]).to(features.dtype)
    along_x, along_y = position.unflatten(2, (2, WIDTH)).unbind(dim=2)  # (F, N, 8)
    hidden = torch.einsum("fnoc,fchw->fnohw", first.unflatten(2, (WIDTH, channels)), features)
    hidden = hidden + (along_x[..., None] * relative_x[:, :, None])[..., None, :]
    hidden = hidden + (along_y[..., None] * relative_y[:, :, None] + bias1[..., None])[..., None]
    hidden = hidden.relu()
    hidden = torch.einsum("fnop,fnphw->fnohw", second.unflatten(2, (WIDTH, WIDTH)), hidden)
    hidden = (hidden + bias2[..., None, None]).relu()
    return torch.einsum("fno,fnohw->fnhw", third, hidden) + bias3[..., None]
