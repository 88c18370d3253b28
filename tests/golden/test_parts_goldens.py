"""Single functions: losses, boxes, NMS, memory, alignment, assigners, transforms."""

import pytest

from mmdet.parity.functions import PART_GROUPS
from mmdet.parity.recorded import read_arrays, read_json


@pytest.mark.parametrize("group", PART_GROUPS)
def test_parts(shared, group, assert_all):
    folder = shared / "golden" / "parts"
    assert_all(PART_GROUPS[group](read_arrays(folder / "parts.npz"), read_json(folder / "parts.json")))
