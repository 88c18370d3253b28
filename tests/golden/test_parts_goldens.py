"""Single functions: losses, boxes, NMS, memory, alignment, assigners, transforms."""

import pytest

from mmdet.engine.golden import read_arrays, read_json
from mmdet.engine.golden_parts import PART_GROUPS


@pytest.mark.parametrize("group", PART_GROUPS)
def test_parts(shared, group, assert_all):
    folder = shared / "golden" / "parts"
    assert_all(PART_GROUPS[group](read_arrays(folder / "parts.npz"), read_json(folder / "parts.json")))
