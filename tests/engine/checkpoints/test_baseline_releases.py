"""Checkpoints of the published baselines are known by their keys, checked and translated."""

import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from mmdet.engine.checkpoints.baseline_releases import COUNTER, RELEASES, known_keys, recognise
from mmdet.engine.checkpoints.weights import read_weights, start_from, weights_of
from mmdet.errors import UserError
from mmdet.models.backbones import ResNet50

KEY_LISTS = Path(__file__).parents[2] / "data" / "baselines"
NAMES = {"sipmask_vis": "the published SipMask-VIS", "fcos": "mmdetection's FCOS"}


def shapes_of(system):
    return json.loads((KEY_LISTS / f"{system}_state_dict_shapes.json").read_text())


def numbered(system):
    """A checkpoint's state dict in which every tensor has one element, its place; counters as they are in files."""
    return {key: torch.full((1,), float(place)) for place, key in enumerate(shapes_of(system))}


def without_counters(state):
    return {key: value for key, value in state.items() if not key.endswith(COUNTER)}


@pytest.fixture(params=NAMES)
def system(request):
    return request.param


def test_the_known_keys_are_those_of_the_models_that_the_releases_build(system):
    assert set(known_keys(system)) == set(without_counters(shapes_of(system)))


def test_the_key_lists_are_the_recorded(system, shared):
    recorded = json.loads((shared / "golden_baselines" / system / "state_dict_shapes.json").read_text())
    assert shapes_of(system) == recorded


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_is_recognised_and_every_number_kept(system, prefix, tmp_path):
    state = numbered(system)
    content = {"meta": {"mmcv_version": "0.2.14"}, "state_dict": OrderedDict((prefix + k, v) for k, v in state.items())}
    torch.save(content, tmp_path / "a.pth")
    weights = read_weights(tmp_path / "a.pth")
    assert weights.origin.endswith(f"a.pth, recognised as a checkpoint of {NAMES[system]}")
    assert len(weights.tensors) == len(state) - 4  # five scalars became one vector
    scales = [state[f"bbox_head.scales.{level}.scale"].item() for level in range(5)]
    assert weights.tensors["head.scales"].tolist() == scales
    kept = [value.item() for name, value in weights.tensors.items() if name != "head.scales"]
    assert sorted(kept + scales) == sorted(value.item() for value in state.values())


def test_counters_that_older_files_lack_become_zero(system):
    state = without_counters(numbered(system))
    tensors = weights_of(state, "old.pth")
    counters = [name for name in tensors if name.endswith(COUNTER)]
    assert len(counters) == 53  # norms of ResNet-50
    assert all(tensors[name].dtype == torch.int64 and tensors[name].item() == 0 for name in counters)
    own = {f"backbone.{name}": value for name, value in ResNet50().state_dict().items()}
    assert set(own) == {name for name in tensors if name.startswith("backbone.")}
    assert all(own[name].shape == tensors[name].shape for name in counters)


@pytest.mark.parametrize("lost", ["backbone.layer3.5.bn2.running_var", "bbox_head.scales.3.scale"])
def test_a_key_that_a_checkpoint_lacks_is_named(system, lost):
    state = without_counters(numbered(system))
    del state[lost]
    with pytest.raises(UserError) as caught:
        weights_of(state, "r.pth")
    assert str(caught.value) == f"r.pth is a checkpoint of {NAMES[system]}, but has 1 keys missing ({lost})"


def test_keys_that_a_checkpoint_has_too_much_are_named(system):
    extra = ["backbone.layer3.6.conv1.weight", "bbox_head.cls_convs.0.conv.bias", f"bbox_head.{COUNTER}"]
    with pytest.raises(UserError, match="3 keys unknown") as caught:
        weights_of({**numbered(system), **dict.fromkeys(extra, torch.zeros(1))}, "r.pth")
    assert all(key in str(caught.value) for key in extra)


class Started(torch.nn.Module):
    """Two layers under the names of a detector's."""

    def __init__(self, num_classes):
        super().__init__()
        self.head = torch.nn.ModuleDict(
            {"cls_conv": torch.nn.Linear(3, num_classes), "box_conv": torch.nn.Linear(3, 4)}
        )


def test_training_starts_from_a_still_image_model_whose_class_layer_stays_at_its_init(tmp_path):
    state = {
        "bbox_head.sip_cof.weight": torch.ones(1),
        "bbox_head.fcos_cls.weight": torch.ones(80, 3),
        "bbox_head.fcos_cls.bias": torch.ones(80),
        "bbox_head.fcos_reg.weight": torch.ones(4, 3),
        "bbox_head.fcos_reg.bias": torch.ones(4),
        "bbox_head.of_stills.weight": torch.ones(1),
    }
    torch.save({"state_dict": state}, tmp_path / "stills.pth")
    model = Started(40)
    initial = model.head["cls_conv"].weight.clone()
    line = start_from(model, read_weights(tmp_path / "stills.pth"), [f"class {label}" for label in range(40)])
    assert "stills.pth, recognised as a checkpoint of a SipMask for still images: 2 of 4 tensors copied" in line
    assert "head.cls_conv.weight (80, 3) instead of (40, 3)" in line
    assert "bbox_head.of_stills.weight" in line
    assert torch.equal(model.head["cls_conv"].weight, initial)
    assert (model.head["box_conv"].weight == 1).all()


def test_other_weights_are_nobodys_release():
    assert recognise(["backbone.layer4.0.conv1.weight", "head.cls_conv.weight"]) is None
    assert recognise(ResNet50().state_dict()) is None
    assert recognise([]) is None


def test_a_family_is_found_before_the_more_general_one():
    names = [recognise([f"{mark}weight" for mark in release.marks]) for release in RELEASES]
    assert names == list(RELEASES)
