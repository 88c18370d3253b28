"""Weights of checkpoint files: found, fitted strictly or as far as they fit, their classes by name."""

import json
import math
from collections import OrderedDict

import pytest
import torch
from torch import nn

from mmdet.engine.checkpoints.file import save_checkpoint
from mmdet.engine.checkpoints.release_names import release_keys
from mmdet.engine.checkpoints.weights import Weights, load_weights, read_weights, start_from, weights_of
from mmdet.errors import UserError


def test_weights_are_found_under_their_usual_names():
    tensors = {"w": torch.zeros(1)}
    assert weights_of({"model": tensors, "step": 1}, "f") == tensors
    assert weights_of({"state_dict": tensors, "meta": {}}, "f") == tensors
    assert weights_of(tensors, "f") == tensors
    with pytest.raises(UserError, match="f has no weights"):
        weights_of({"step": 1}, "f")


def test_what_data_parallel_puts_before_names_is_dropped_if_it_is_before_all():
    tensor = torch.zeros(1)
    assert list(weights_of({"model": {"module.a": tensor, "module.b": tensor}}, "f")) == ["a", "b"]
    assert list(weights_of({"model": {"module.a": tensor, "b": tensor}}, "f")) == ["module.a", "b"]


def test_weights_that_are_no_tensors_are_named():
    with pytest.raises(UserError, match=r"f must be tensors; 1 are not \(b \(a str\)\)"):
        weights_of({"model": {"a": torch.zeros(1), "b": "text"}}, "f")


@pytest.mark.parametrize(
    ("content", "threshold"), [({}, None), ({"score_threshold": None}, None), ({"score_threshold": 0.37}, 0.37)]
)
def test_the_score_threshold_of_a_checkpoint_is_read(tmp_path, content, threshold):
    save_checkpoint(tmp_path / "c.pth", {"model": {"w": torch.zeros(1)}, **content})
    assert read_weights(tmp_path / "c.pth").score_threshold == threshold


@pytest.mark.parametrize("value", ["0.4", math.nan, math.inf, True, [0.4], torch.tensor(0.4)])
def test_a_score_threshold_that_is_no_number_is_refused(tmp_path, value):
    save_checkpoint(tmp_path / "c.pth", {"model": {"w": torch.zeros(1)}, "score_threshold": value})
    with pytest.raises(UserError, match=r"c.pth: score_threshold is .*, expected a finite number or None"):
        read_weights(tmp_path / "c.pth")


META = {"mmcv_version": "1.3", "CLASSES": ("person", "fish"), "config": "model = dict()", "epoch": 12}
RELEASE_WRAPPINGS = {
    "bare": lambda state: state,
    "data parallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "mmcv": lambda state: {"meta": META, "state_dict": OrderedDict(state), "optimizer": {"state": {}}},
    "mmcv data parallel": lambda state: {
        "meta": META,
        "state_dict": {f"module.{key}": value for key, value in state.items()},
    },
}


def numbered_release():
    return {key: torch.full((1,), float(index)) for index, key in enumerate(release_keys())}


def test_the_keys_of_the_release_are_the_published_ones(recorded_numbers):
    published = json.loads((recorded_numbers / "reference_vitb_state_dict_shapes.json").read_text())
    assert len(release_keys()) == 212
    assert set(release_keys()) == set(published)


@pytest.mark.parametrize("wrapping", RELEASE_WRAPPINGS)
def test_a_release_checkpoint_is_recognised_in_every_wrapping(tmp_path, wrapping):
    state = numbered_release()
    torch.save(RELEASE_WRAPPINGS[wrapping](state), tmp_path / "a.pth")
    weights = read_weights(tmp_path / "a.pth")
    assert "recognised as a checkpoint of the published release" in weights.origin
    assert len(weights.tensors) == 209  # 212, of which four scalars became one vector
    scales = [state[f"bbox_head.scales.{level}.scale"].item() for level in range(4)]
    assert weights.tensors["head.scales"].tolist() == scales
    kept = sorted(value.item() for name, value in weights.tensors.items() if name != "head.scales")
    assert kept == sorted({value.item() for value in state.values()} - set(scales))


@pytest.mark.parametrize("lost", release_keys()[::10] + release_keys()[-4:] + ["bbox_head.mem.feat_units.weight"])
def test_a_key_that_a_release_checkpoint_lacks_is_named(lost):
    state = numbered_release()
    del state[lost]
    with pytest.raises(UserError) as caught:
        weights_of(state, "r.pth")
    assert f"r.pth is a checkpoint of the published release, but has 1 keys missing ({lost})" == str(caught.value)


def test_all_keys_that_a_release_checkpoint_has_too_much_are_named():
    extra = [f"bbox_head.more.{index}" for index in range(9)] + ["backbone.blocks.3.attn.q_norm.weight"]
    with pytest.raises(UserError, match="10 keys unknown") as caught:
        weights_of({**numbered_release(), **dict.fromkeys(extra, torch.zeros(1))}, "r.pth")
    assert all(key in str(caught.value) for key in extra)


def test_fitting_weights_are_loaded():
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(target, Weights(tensors=source.state_dict(), source="f"), None)
    assert torch.equal(source.weight, target.weight)


def test_weights_that_do_not_fit_are_listed_and_not_loaded():
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(8)])
    before = model[0].weight.clone()
    wrong = {"0.weight": torch.zeros(2, 2), "1.weight": torch.zeros(3, 2), "extra": torch.zeros(1)}
    with pytest.raises(UserError) as caught:
        load_weights(model, Weights(tensors=wrong, source="w.pth"), None)
    message = str(caught.value)
    assert "w.pth does not fit" in message
    assert "14 missing (0.bias, 1.bias, 2.weight, 2.bias, 3.weight and 9 more)" in message
    assert "1 unexpected (extra)" in message
    assert "1 of another shape (1.weight (3, 2) instead of (2, 2))" in message
    assert torch.equal(model[0].weight, before)


class Classifier(nn.Module):
    """A layer of features, and one with a row per class."""

    class_tensors = ("classes.weight", "classes.bias")

    def __init__(self, num_classes, features=3):
        super().__init__()
        self.features = nn.Linear(2, features)
        self.classes = nn.Linear(features, num_classes)


def weights_for(model, *names):
    tensors = {key: value.clone() for key, value in model.state_dict().items()}
    return Weights(tensors=tensors, source="w.pth", class_names=names or None)


def test_classes_in_another_order_are_matched_by_name_and_told():
    source, model = Classifier(3), Classifier(3)
    said = load_weights(model, weights_for(source, "cat", "dog", "owl"), ("owl", "cat", "dog"))
    assert torch.equal(model.classes.weight, source.classes.weight[[2, 0, 1]])
    assert torch.equal(model.classes.bias, source.classes.bias[[2, 0, 1]])
    assert torch.equal(model.features.weight, source.features.weight)
    assert any("another order" in line and "cat, dog, owl" in line for line in said)


def test_a_class_name_that_stands_twice_is_matched_in_order():
    source, model = Classifier(3), Classifier(3)
    load_weights(model, weights_for(source, "cat", "cat", "owl"), ("owl", "cat", "cat"))
    assert torch.equal(model.classes.weight, source.classes.weight[[2, 0, 1]])


def test_other_classes_are_refused_by_name_unless_they_are_trusted():
    source, model = Classifier(3), Classifier(3)
    weights = weights_for(source, "cat", "dog", "owl")
    before = model.classes.weight.clone()
    with pytest.raises(UserError) as caught:
        load_weights(model, weights, ("cat", "hound", "owl"))
    assert "w.pth was trained for other classes" in str(caught.value)
    assert "only the file has dog; only the data has hound" in str(caught.value)
    assert "--trust-classes" in str(caught.value)
    assert torch.equal(model.classes.weight, before)
    said = load_weights(model, weights, ("cat", "hound", "owl"), trust_classes=True)
    assert torch.equal(model.classes.weight, source.classes.weight)
    assert any("only the data has hound" in line for line in said)


@pytest.mark.parametrize("names", [(), ("cat", "dog", "owl")])
def test_weights_without_names_or_with_the_same_ones_are_taken_in_order(names):
    source, model = Classifier(3), Classifier(3)
    assert load_weights(model, weights_for(source, *names), ("cat", "dog", "owl")) == ["weights from w.pth"]
    assert torch.equal(model.classes.weight, source.classes.weight)


def test_a_start_with_other_classes_takes_the_rows_of_the_shared_names():
    source, model = Classifier(3), Classifier(4)
    before = model.classes.weight.clone(), model.classes.bias.clone()
    said = start_from(model, weights_for(source, "cat", "dog", "owl"), ("ant", "owl", "bee", "cat"))
    assert torch.equal(model.classes.weight[[1, 3]], source.classes.weight[[2, 0]])
    assert torch.equal(model.classes.bias[[1, 3]], source.classes.bias[[2, 0]])
    assert torch.equal(model.classes.weight[[0, 2]], before[0][[0, 2]])
    assert torch.equal(model.classes.bias[[0, 2]], before[1][[0, 2]])
    assert torch.equal(model.features.weight, source.features.weight)
    for part in ("4 of 4 tensors", "2 copied (owl, cat)", "as initialised: ant, bee", "left out: dog"):
        assert part in said
    assert "\n" not in said


def test_a_start_with_the_same_classes_in_another_order_is_by_name():
    source, model = Classifier(3), Classifier(3)
    said = start_from(model, weights_for(source, "cat", "dog", "owl"), ("owl", "cat", "dog"))
    assert torch.equal(model.classes.weight, source.classes.weight[[2, 0, 1]])
    assert "classes matched by name: 3 copied (in another order in the file)" in said


def test_a_start_without_names_takes_as_many_classes_in_order_and_no_other_number():
    source, same, fewer = Classifier(3), Classifier(3), Classifier(2)
    start_from(same, weights_for(source), ("a", "b", "c"))
    assert torch.equal(same.classes.weight, source.classes.weight)
    before = fewer.classes.weight.clone()
    said = start_from(fewer, weights_for(source), ("a", "b"))
    assert torch.equal(fewer.classes.weight, before)
    assert torch.equal(fewer.features.weight, source.features.weight)
    assert "2 of 4 tensors copied" in said
    assert "classes.weight (3, 3) instead of (2, 3)" in said


def test_a_start_lists_what_was_not_copied():
    model = Classifier(3)
    before = model.features.weight.clone()
    tensors = {**Classifier(3, features=4).state_dict(), "features.bias": torch.ones(3), "extra": torch.zeros(1)}
    del tensors["classes.bias"]
    said = start_from(model, Weights(tensors=tensors, source="w.pth", class_names=("a", "b", "c")), ("c", "b", "a"))
    assert torch.equal(model.features.weight, before)
    assert torch.equal(model.features.bias, torch.ones(3))
    assert "1 of 4 tensors copied" in said
    assert "1 not in the file (classes.bias)" in said
    assert "2 of another shape (features.weight (4, 2) instead of (3, 2), classes.weight" in said
    assert "1 of the file not in the model (extra)" in said


def test_a_start_from_a_file_that_fits_nowhere_is_refused():
    with pytest.raises(UserError, match=r"--load_from w\.pth: none of its tensors fits .*backbone\.pretrained"):
        start_from(Classifier(3), Weights(tensors={"blocks.0": torch.zeros(2)}, source="w.pth"), ("a", "b", "c"))


@pytest.mark.parametrize(("number", "kind"), [(float("nan"), "NaN"), (float("inf"), "inf"), (-float("inf"), "inf")])
def test_weights_that_are_not_finite_are_named_and_refused(tmp_path, number, kind):
    model = Classifier(3)
    model.classes.bias.data[1] = number
    save_checkpoint(tmp_path / "w.pth", {"model": model.state_dict()})
    with pytest.raises(UserError, match=rf"w\.pth cannot be used, .*1 tensors \(classes\.bias has {kind}\)"):
        read_weights(tmp_path / "w.pth")


def test_numbers_that_lie_in_a_tensor_over_and_over_are_looked_at_once():
    spoilt = torch.full((), float("nan")).expand(2**40)
    with pytest.raises(UserError, match="w has NaN"):
        weights_of({"model": {"w": spoilt}}, "f")
    assert "w" in weights_of({"model": {"w": torch.zeros(()).expand(2**40)}}, "f")


@pytest.mark.parametrize(("ema", "value", "threshold"), [(True, 2.0, 0.4), (False, 1.0, None)])
def test_the_average_is_taken_unless_the_weights_of_the_last_step_are_asked_for(tmp_path, ema, value, threshold):
    weights, average = {"w": torch.tensor([1.0])}, {"w": torch.tensor([2.0])}
    save_checkpoint(tmp_path / "c.pth", {"model": weights, "ema": average, "score_threshold": 0.4})
    found = read_weights(tmp_path / "c.pth", ema=ema)
    assert found.tensors["w"] == value
    assert found.score_threshold == threshold  # found with the average, and true of it alone
    assert found.averaged is ema
    assert ("averaged weights (EMA) from" in found.origin) == ema


@pytest.mark.parametrize("average", [None, 0.9999, {"module": {}}, {"v": torch.zeros(1)}])
def test_a_checkpoint_without_an_average_of_these_weights_gives_its_weights(tmp_path, average):
    save_checkpoint(tmp_path / "c.pth", {"model": {"w": torch.ones(1)}, "ema": average})
    found = read_weights(tmp_path / "c.pth")
    assert found.tensors["w"] == 1
    assert found.origin == f"weights from {tmp_path / 'c.pth'}"


def test_an_average_that_is_not_finite_is_refused(tmp_path):
    save_checkpoint(tmp_path / "c.pth", {"model": {"w": torch.ones(1)}, "ema": {"w": torch.tensor([math.nan])}})
    with pytest.raises(UserError, match=r"not all finite: 1 tensors \(w has NaN\)"):
        read_weights(tmp_path / "c.pth")
