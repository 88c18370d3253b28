"""The pyramid: which levels there are, and what the coarser ones are made from."""

import pytest
import torch
from torch.nn import functional as F

from mmdet.errors import UserError
from mmdet.models.necks import FPN


def maps(count, size=64):
    source = torch.Generator().manual_seed(0)
    strides = [32 >> level for level in reversed(range(count))]
    return [torch.rand(1, 6, size // stride, size // stride, generator=source) for stride in strides]


@pytest.mark.parametrize(
    ("count", "extra", "strides"),
    [
        (3, "one", (8, 16, 32, 64)),
        (3, "two", (8, 16, 32, 64, 128)),
        (4, "pool", (4, 8, 16, 32, 64)),
    ],
)
def test_levels_and_their_strides(count, extra, strides):
    neck = FPN(in_channels=[6] * count, channels=8, extra=extra)
    assert neck.strides == strides
    sides = [level.shape[-1] for level in neck(maps(count))]
    assert sides == [-(-64 // stride) for stride in strides]


def test_the_last_of_two_extra_levels_is_made_from_what_is_positive_in_the_first():
    neck = FPN(in_channels=[6] * 3, channels=8, extra="two")
    *_, fifth, sixth, seventh = neck(maps(3))
    assert torch.equal(sixth, neck.extra_conv(fifth))
    assert torch.equal(seventh, neck.second_extra_conv(F.relu(sixth)))


def test_a_pooled_level_takes_every_second_row_and_column():
    neck = FPN(in_channels=[6] * 4, channels=8, extra="pool")
    *_, last, pooled = neck(maps(4))
    assert torch.equal(pooled, F.max_pool2d(last, 1, stride=2))


@pytest.mark.parametrize("options", [{"extra": "three"}, {"in_strides": (8, 16)}])
def test_a_wrong_option_is_named(options):
    with pytest.raises(UserError, match=next(iter(options))):
        FPN(in_channels=[6] * 3, **options)
