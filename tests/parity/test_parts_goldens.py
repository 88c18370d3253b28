"""Single functions: losses, boxes, NMS, memory, alignment, assigners, transforms."""

import pytest

from mmdet.parity.functions import PART_GROUPS
from mmdet.parity.recorded import read_arrays, read_recorded_json


@pytest.mark.parametrize("group", PART_GROUPS)
def test_parts(recorded_numbers, group, assert_all):
    folder = recorded_numbers / "parts"
    assert_all(PART_GROUPS[group](read_arrays(folder / "parts.npz"), read_recorded_json(folder / "parts.json")))
