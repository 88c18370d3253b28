"""Pretrained backbones: how to get a missing file, and files of whole timm models."""

import re
from pathlib import Path

import pytest
import timm
import torch
import torchvision

from mmdet.config import load_config
from mmdet.engine.checkpoints.pretrained import SOURCES, load_pretrained
from mmdet.errors import UserError
from mmdet.models.backbones import ResNet50, TimmBackbone
from mmdet.registry import BACKBONES

CONFIGS = sorted(Path(__file__).parents[3].glob("configs/**/*.py"))
SHIPPED = {
    path.stem: backbone
    for path in CONFIGS
    if "_base_" not in path.parts and (backbone := load_config(path).model["backbone"]).get("pretrained")
}
COMMAND = re.compile(r"mkdir -p (\S+) && python -c \"(.*)\"")


def advice(backbone):
    """What is said when the file is missing."""
    with pytest.raises(UserError) as caught:
        load_pretrained(backbone)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_missing_file_of_every_config_is_told_how_to_get(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = advice(BACKBONES.build(SHIPPED[name]))
    file = Path(SHIPPED[name]["pretrained"])
    assert f"{file} does not exist" in said
    if SHIPPED[name]["type"] == "TimmBackbone":
        model = re.search(r"create_model\('([^']+)', pretrained=True\)", said)[1]
        assert model in timm.list_pretrained(SHIPPED[name]["name"])
    else:
        assert SOURCES[file.name] in said


def test_there_are_configs_with_pretrained_weights():
    assert {"own_data", "r50_cnp_contrast_ms_1x", "vitmae_cnp_contrast_ms_1x", "cocopaste_lite0"} <= set(SHIPPED)


@pytest.mark.parametrize("model", ["resnet10t", "convnext_atto"])  # parts named as timm's wrapper does, and otherwise
def test_the_command_that_is_named_writes_a_file_that_loads(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, code = COMMAND.search(advice(TimmBackbone(model, pretrained="some/weights/own.pth"))).groups()
    Path(folder).mkdir(parents=True)
    assert f"create_model('{model}', pretrained=True)" in code
    exec(code.replace("pretrained=True", "pretrained=False"), {})
    backbone = TimmBackbone(model, pretrained="some/weights/own.pth")
    count = len(backbone.body.state_dict())
    assert f"{count} of {count} tensors loaded" in load_pretrained(backbone)
    written = torch.load("some/weights/own.pth", weights_only=True)
    first = next(iter(backbone.body.state_dict()))
    assert torch.equal(backbone.body.state_dict()[first], written[next(iter(written))])


def test_pretrained_weights_that_are_not_finite_are_named(tmp_path):
    state = timm.create_model("resnet10t").state_dict()
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth cannot be used, .*layer1\.0\.conv1\.weight has NaN"):
        load_pretrained(TimmBackbone("resnet10t", pretrained=str(tmp_path / "w.pth")))


def caffe_style():
    """A ResNet-50 for inputs of 0 to 255, as it is published: without counters and the classifier, in an envelope."""
    state = ResNet50(style="caffe").state_dict()
    state["conv1.weight"] /= 58  # about the standard deviation of pixels
    kept = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    return {"state_dict": kept, "meta": {}}


RESNETS = {  # what is saved, its style, and what is said at the end
    "torchvision": (
        lambda: torchvision.models.resnet50().state_dict(),
        "pytorch",
        "318 of 318 tensors loaded, not used: fc",
    ),
    "timm": (lambda: timm.create_model("resnet50").state_dict(), "pytorch", "318 of 318 tensors loaded, not used: fc"),
    "caffe": (caffe_style, "caffe", "265 of 318 tensors loaded"),
}


@pytest.mark.parametrize("source", RESNETS)
def test_resnets_load_from_files_and_a_style_that_is_not_theirs_is_named(source, tmp_path):
    make, style, said = RESNETS[source]
    torch.save(make(), tmp_path / "w.pth")
    assert load_pretrained(ResNet50(style=style, pretrained=str(tmp_path / "w.pth"))).endswith(f"w.pth: {said}")
    other = "caffe" if style == "pytorch" else "pytorch"
    line = load_pretrained(ResNet50(style=other, pretrained=str(tmp_path / "w.pth")))
    assert line.endswith(f"; they look like weights of style={style!r}, but the config says style={other!r}")


@pytest.mark.parametrize(("style", "source"), [("pytorch", "torchvision"), ("caffe", "caffe")])
def test_a_missing_resnet_is_told_where_one_of_its_style_is_published(style, source):
    assert f"download it from {SOURCES[f'resnet50_{source}.pth']}" in advice(
        ResNet50(style=style, pretrained="own.pth")
    )
