"""ResNet-50 and the pyramid of the three baselines give the recorded maps (BASELINES.md 1.1, 1.2)."""

import pytest
import torch

from mmdet.engine.checkpoints.baseline_names import from_baseline
from mmdet.models.backbones import ResNet50
from mmdet.models.necks import FPN

MAPS = 2e-5  # of an array's maximum (BASELINES.md 7)
ALL_LEVELS = ("C2", "C3", "C4", "C5")
# system: style of the backbone, extra levels, laterals, steps between the recorded channels of backbone and pyramid
SYSTEMS = {
    "sipmask_vis": ("caffe", "two", 3, 16),
    "masktrack_rcnn": ("pytorch", "pool", 4, 32),
    "fcos": ("caffe", "two", 3, 32),
}


def part_of(state, prefix):
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


@pytest.fixture(scope="module", params=SYSTEMS)
def maps(request, recorded, drawn_state, images_of):
    """The system, the maps of its backbone, and those of its pyramid, of frame 0."""
    style, extra, laterals, _ = SYSTEMS[request.param]
    state = {key: value for key, value in drawn_state(request.param, 0).items() if not key.startswith("bbox_head")}
    ours = from_baseline(request.param, {k: v for k, v in state.items() if k.startswith(("backbone.", "neck."))})
    backbone = ResNet50(style=style, out_levels=ALL_LEVELS)
    backbone.load_state_dict(part_of(ours, "backbone."))
    neck = FPN(in_channels=backbone.channels[-laterals:], extra=extra)
    neck.load_state_dict(part_of(ours, "neck."))
    with torch.no_grad():
        levels = backbone(images_of(request.param, 0)[:1])
        return request.param, levels, neck(levels[-laterals:])


def test_the_backbone_gives_the_recorded_maps(maps, recorded, assert_close_to_maximum):
    system, levels, _ = maps
    arrays, _ = recorded(system, 0)
    if system == "fcos":  # whose pyramid alone is recorded
        assert not any(name.startswith("c0") for name in arrays)
        return
    for index, level in enumerate(levels):
        assert_close_to_maximum(level[:, ::64], arrays[f"c{index}_sub"], MAPS)


def test_the_pyramid_gives_the_recorded_maps(maps, recorded, assert_close_to_maximum):
    system, _, pyramid = maps
    arrays, _ = recorded(system, 0)
    assert len(pyramid) == 5
    for index, level in enumerate(pyramid):
        assert_close_to_maximum(level[:, :: SYSTEMS[system][3]], arrays[f"p{index}_sub"], MAPS)
