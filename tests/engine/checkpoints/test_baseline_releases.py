"""Checkpoints of the published baselines are known by their keys, checked and translated."""

import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from mmdet.config import find_config, load_config
from mmdet.engine.checkpoints.baseline_releases import COUNTER, RELEASES, known_keys, recognise
from mmdet.engine.checkpoints.weights import load_weights, read_weights, start_from, weights_of
from mmdet.errors import UserError
from mmdet.models.backbones import ResNet50
from mmdet.models.build import build_model
from mmdet.models.heads.two_stage.class_rows import ClassRows
from mmdet.parity.masktrack_rcnn.inference import MODEL as MASKTRACK
from mmdet.registry import MODELS

KEY_LISTS = Path(__file__).parents[2] / "data" / "baselines"
NAMES = {
    "sipmask_vis": "the published SipMask-VIS",
    "fcos": "mmdetection's FCOS",
    "masktrack_rcnn": "the published MaskTrack R-CNN",
}
ONE_STAGE = ("sipmask_vis", "fcos")
ROWS = {"bbox_head.fc_cls": 41, "bbox_head.fc_reg": 164, "mask_head.conv_logits": 41}  # background first


def shapes_of(system):
    return json.loads((KEY_LISTS / f"{system}_state_dict_shapes.json").read_text())


def numbered(system):
    """A checkpoint's state dict whose tensors hold their places; all have one element but the rows of classes."""
    state = {}
    for place, key in enumerate(shapes_of(system)):
        layer, _, kind = key.rpartition(".")
        rows = (ROWS[layer],) if layer in ROWS else (1,)
        state[key] = torch.full((*rows, 1) if layer in ROWS and kind == "weight" else rows, float(place))
    return state


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
    kept = {number for value in weights.tensors.values() for number in value.flatten().tolist()}
    assert kept == {number for value in state.values() for number in value.flatten().tolist()}
    # five scalars become one vector, and three layers keep the background's weight and bias apart
    assert len(weights.tensors) == len(state) + (-4 if system in ONE_STAGE else 6)


@pytest.mark.parametrize("system", ONE_STAGE)
def test_scalars_of_levels_become_one_vector(system):
    state = numbered(system)
    scales = [state[f"bbox_head.scales.{level}.scale"].item() for level in range(5)]
    assert weights_of(state, "a.pth")["head.scales"].tolist() == scales


def test_counters_that_older_files_lack_become_zero(system):
    state = without_counters(numbered(system))
    tensors = weights_of(state, "old.pth")
    counters = [name for name in tensors if name.endswith(COUNTER)]
    assert len(counters) == 53  # norms of ResNet-50
    assert all(tensors[name].dtype == torch.int64 and tensors[name].item() == 0 for name in counters)
    own = {f"backbone.{name}": value for name, value in ResNet50().state_dict().items()}
    assert set(own) == {name for name in tensors if name.startswith("backbone.")}
    assert all(own[name].shape == tensors[name].shape for name in counters)


MODELS_OF_RELEASES = {
    "sipmask_vis": lambda: build_model(load_config(find_config("baselines/sipmask_vis_r50_1x"))),
    "masktrack_rcnn": lambda: MODELS.build(MASKTRACK),
}


@pytest.mark.parametrize("system", MODELS_OF_RELEASES)
def test_a_published_checkpoint_is_all_that_the_model_of_its_name_has(system, tmp_path):
    state = {key: torch.zeros(()).expand(shape) for key, shape in without_counters(shapes_of(system)).items()}
    torch.save({"state_dict": state}, tmp_path / "r.pth")
    model = MODELS_OF_RELEASES[system]()
    lines = load_weights(model, read_weights(tmp_path / "r.pth"), class_names=None)
    assert [line.partition(", ")[2] for line in lines] == [f"recognised as a checkpoint of {NAMES[system]}"]
    assert not any(value.any() for value in model.state_dict().values())


@pytest.mark.parametrize("lost", ["backbone.layer3.5.bn2.running_var", "neck.fpn_convs.3.conv.bias"])
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


class TwoStages(torch.nn.Module):
    """Two layers under the names of a two-stage detector's."""

    def __init__(self, num_classes):
        super().__init__()
        self.rpn_head = torch.nn.ModuleDict({"conv": torch.nn.Linear(3, 4)})
        self.head = torch.nn.ModuleDict({"box_head": torch.nn.ModuleDict({"classes": ClassRows(3, num_classes)})})


def test_where_classes_stay_at_their_init_the_background_beside_them_does_too(tmp_path):
    state = {
        "rpn_head.rpn_conv.weight": torch.ones(4, 3),
        "rpn_head.rpn_conv.bias": torch.ones(4),
        "bbox_head.fc_cls.weight": torch.ones(81, 3),
        "bbox_head.fc_cls.bias": torch.ones(81),
    }
    torch.save({"state_dict": state}, tmp_path / "stills.pth")
    weights, names = read_weights(tmp_path / "stills.pth"), [f"class {label}" for label in range(40)]
    model = TwoStages(40)
    line = start_from(model, weights, names)
    assert "recognised as a checkpoint of a Mask R-CNN for still images: 2 of 6 tensors copied" in line
    assert "head.box_head.classes.weight (80, 1, 3) instead of (40, 1, 3)" in line
    assert "2 as initialised, as the classes beside them are (head.box_head.classes.background_weight, " in line
    rows = model.head["box_head"]["classes"]
    assert not rows.background_weight.any()
    assert (model.rpn_head["conv"].weight == 1).all()
    model = TwoStages(80)
    start_from(model, weights, [f"class {label}" for label in range(80)])
    assert (model.head["box_head"]["classes"].background_weight == 1).all()


def test_other_weights_are_nobodys_release():
    assert recognise(["backbone.layer4.0.conv1.weight", "head.cls_conv.weight"]) is None
    assert recognise(ResNet50().state_dict()) is None
    assert recognise([]) is None


def test_a_family_is_found_before_the_more_general_one():
    names = [recognise([f"{mark}weight" for mark in release.marks]) for release in RELEASES]
    assert names == list(RELEASES)
