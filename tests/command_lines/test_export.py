"""tools/export.py as people use it: a file that tracks a video without this package, and clear refusals."""

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from programs import load_program
from scipy.optimize import linear_sum_assignment

from mmdet.config import load_config
from mmdet.config.names import CONFIGS
from mmdet.engine.exporting import options as exporting_options
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.process.endings import run_command_line
from mmdet.models.build import build_model

ROOT = Path(__file__).parents[2]
SIZE = (80, 120)  # of the tiny set's frames, 64 x 96, after the transforms of testing
SPREAD = 8.0  # widens the predictors' weights: two steps of training leave all scores nearly equal


PLUS = """
_base_ = [{base!r}]
model = dict(
    neck=dict(channels=32),
    head=dict(norm_groups=8, tower_depth=1, embedding_channels=16, mask_channels=4, mask_width=16),
    postprocess=dict(score_threshold=0.001),
)
data = dict(test=dict(dataset=dict(transforms=[dict(type="ResizeKeepRatio", long_edge=120, short_edge=80)])))
"""


@dataclass
class Exported:
    config: Path
    checkpoint: Path
    path: Path
    said: str


def export_spread(config, content, folder):
    """Export a model whose predictors are widened, by the command line."""
    for name, weight in content["model"].items():
        if name.endswith(("_conv.weight", "_fuse.weight", "align.weight")):
            weight.mul_(SPREAD)
    torch.save(content, folder / "spread.pth")
    monkeypatch, said = pytest.MonkeyPatch(), []
    command = ["export.py", config, folder / "spread.pth", "--size", *SIZE, "--out", folder / "model.onnx", "--time"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", list(map(str, command)))
        patch.setattr("builtins.print", lambda line: said.append(line))
        load_program("tools/export").main()
    return Exported(config, folder / "spread.pth", folder / "model.onnx", "\n".join(said))


@pytest.fixture(scope="module")
def exported(config, checkpoint, tmp_path_factory):
    """The model of a training, exported, with what the command said."""
    content = torch.load(checkpoint, weights_only=True)
    return export_spread(config, {**content, "score_threshold": 0.25}, tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def exported_plus(tmp_path_factory):
    """A PlusModel of random weights, likewise."""
    folder = tmp_path_factory.mktemp("exported_plus")
    (folder / "plus.py").write_text(PLUS.format(base=str(CONFIGS / "demo" / "memcnp_plus_demo.py")))
    torch.manual_seed(0)
    model = build_model(load_config(folder / "plus.py"))
    return export_spread(folder / "plus.py", {"model": model.state_dict()}, folder)


@pytest.fixture(scope="module")
def example():
    """The module docs/examples/onnx_stream.py."""
    return example_named("onnx_stream")


@pytest.fixture(scope="module")
def example_plus():
    """The module docs/examples/onnx_stream_plus.py."""
    return example_named("onnx_stream_plus")


def example_named(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs" / "examples")
        return importlib.import_module(name)


@pytest.fixture
def export(monkeypatch, capsys):
    """Run tools/export.py in this process; return its exit code and what it said on stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["export.py", *map(str, arguments)])
        code = 0
        try:
            run_command_line(load_program("tools/export").main)
        except SystemExit as end:
            code = end.code or 0
        return code, capsys.readouterr().err.strip()

    return call


def videos_of(tiny_set):
    for folder in sorted((tiny_set / "valid_images").iterdir()):
        yield [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(folder.iterdir())]


def assert_tracked_alike(exported, make_stream, tiny_set):
    predictor = VideoPredictor.from_checkpoint(exported.config, exported.checkpoint, "cpu")
    seen = []
    for frames in videos_of(tiny_set):
        expected, stream = predictor.stream(frames[0].shape[:2]), make_stream(str(exported.path))
        for frame in frames:
            tracks, (ids, found, masks) = expected.push(frame), stream.push(frame)
            assert ids == tracks.track_ids.tolist()
            assert (found["labels"] == tracks.labels.numpy()).all()
            assert np.allclose(found["boxes"], tracks.boxes.numpy(), atol=1e-3)
            assert (masks != tracks.masks.numpy()).sum(axis=(1, 2)).max(initial=0) <= 2
            seen += ids
    assert len(seen) > len(set(seen)) > 1  # several tracks, seen again


def test_a_video_is_tracked_without_this_package_as_with_it(exported, example, tiny_set):
    assert_tracked_alike(exported, example.OnnxStream, tiny_set)


def test_so_is_it_by_the_second_model_and_its_tracker(exported_plus, example_plus, tiny_set):
    assert_tracked_alike(exported_plus, example_plus.PlusStream, tiny_set)


def test_a_model_with_another_tracker_is_refused(exported, example_plus):
    with pytest.raises(SystemExit, match="follows objects as AppearanceTracker does, .* not by .*'Tracker'"):
        example_plus.PlusStream(str(exported.path))


def test_the_pairs_of_the_second_tracker_are_the_best_ones(example_plus):
    source = np.random.default_rng(0)
    for _ in range(200):
        gain = source.random(source.integers(0, 7, 2)) * (source.random() > 0.1)
        gain[source.random(gain.shape) < 0.4] = 0
        rows, columns = example_plus.best_pairs(gain)
        assert len(set(rows)) == len(rows)
        assert gain[rows, columns].sum() == pytest.approx(gain[linear_sum_assignment(gain, maximize=True)].sum())


def test_the_examples_need_neither_torch_nor_this_package(example, example_plus):
    imported = set()
    for module in (example, example_plus):
        lines = Path(module.__file__).read_text().splitlines()
        imported |= {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"__future__", "cv2", "json", "numpy", "onnx_stream", "onnxruntime", "sys", "typing"}


def test_the_example_writes_a_video_of_the_masks(exported, example, tiny_set, tmp_path, capsys):
    frames = next(videos_of(tiny_set))
    source = cv2.VideoWriter(
        str(tmp_path / "in.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (frames[0].shape[1], frames[0].shape[0])
    )
    for frame in frames:
        source.write(frame[..., ::-1])
    source.release()
    example.main(example.OnnxStream(str(exported.path)), str(tmp_path / "in.mp4"), str(tmp_path / "out.mp4"))
    assert len(capsys.readouterr().out.splitlines()) == len(frames)
    drawn = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == len(frames)
    assert np.abs(drawn.read()[1].astype(int) - frames[0][..., ::-1]).mean() > 1  # masks are drawn


def test_a_video_of_another_size_is_refused_with_the_size_that_it_needs(exported, example):
    with pytest.raises(SystemExit, match="--size 80 80"):
        example.OnnxStream(str(exported.path)).push(np.zeros((50, 50, 3), np.uint8))


def test_the_file_says_all_that_its_use_needs(exported):
    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    about = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}
    assert about["class_names"] == ["disc", "triangle", "ring", "star", "cross"]
    assert about["category_ids"] == [3, 8, 14, 21, 34]
    assert about["size"] == list(SIZE)
    assert about["transforms"] == [{"type": "ResizeKeepRatio", "long_edge": 120, "short_edge": 80}]
    assert about["normalisation"] == {
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        "inside": True,
    }
    assert about["masks"] == {"drawn": False, "stride": 2, "threshold": 0.5}
    assert about["tracker"]["type"] == "Tracker"
    assert (about["tracker"]["max_tracks"], about["tracker"]["iou_weight"]) == (500, 2.0)  # given, and a default
    assert about["tracker"]["temperature"] == 0.1  # chosen by the tracker itself
    assert about["score_threshold"] == 0.25
    assert about["model"] == "VISModel"
    assert set(about["versions"]) == {"memcnp_vis", "torch"}


def test_the_command_says_how_far_and_how_fast_the_file_is(exported):
    assert f"{exported.path}: onnx, " in exported.said
    assert "differs from PyTorch by at most" in exported.said
    assert "MORE THAN" not in exported.said
    times = [line.split() for line in exported.said.splitlines() if line.startswith(("pytorch", "onnx"))]
    assert [words[0] for words in times] == ["pytorch", "onnx"]
    assert all(float(words[1]) > 0 for words in times)
    assert times[0][2] == "1.00"


def test_a_size_that_no_frame_gets_is_said(config, checkpoint, tmp_path, monkeypatch, capsys):
    target = tmp_path / "model.ts"
    command = ["export.py", config, checkpoint, "--size", 64, 64, "--format", "torchscript", "--out", target]
    monkeypatch.setattr(sys, "argv", list(map(str, command)))
    load_program("tools/export").main()
    said = capsys.readouterr().out
    assert (
        "no frame gets the size 64 x 64: the config resizes frames to a long edge of 120 or a short edge of 80" in said
    )
    assert target.is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "0", "96"], "argument --size: 0, expected from 1 to 8192"),
        (["--size", "99999", "96"], "argument --size: 99999, expected from 1 to 8192"),
        (["--size", "64"], "argument --size: expected 2 arguments"),
        (["--size", "64", "wide"], "argument --size: expected int, got 'wide'"),
        ([], "the following arguments are required: --size"),
        (["--size", "64", "96", "--batch", "some"], "expected a number of frames or dynamic, got 'some'"),
        (["--size", "64", "96", "--format", "tflite"], "invalid choice: 'tflite'"),
        (["--size", "64", "96", "--out", "m.bin"], "--out m.bin: the name of a file for onnx ends with .onnx"),
        (["--size", "64", "96", "--device", "tpu"], "--device tpu is unknown"),
    ],
)
def test_options_that_mean_nothing_are_refused(export, config, checkpoint, words, message):
    code, said = export(config, checkpoint, *words)
    assert code == 2
    assert message in said.splitlines()[-1]


def test_a_file_that_is_there_is_not_written_over(export, config, checkpoint, tmp_path):
    (tmp_path / "model.onnx").write_text("mine")
    code, said = export(config, checkpoint, "--size", 64, 96, "--out", tmp_path / "model.onnx")
    assert (code, said) == (
        2,
        f"export.py: {tmp_path / 'model.onnx'} exists already: remove it, or name another file with --out",
    )
    assert (tmp_path / "model.onnx").read_text() == "mine"


def test_a_missing_package_is_named_with_both_ways_to_install_it(export, config, checkpoint, monkeypatch):
    monkeypatch.setattr(exporting_options, "find_spec", lambda name: None if name == "onnxscript" else True)
    code, said = export(config, checkpoint, "--size", 64, 96)
    assert code == 2
    assert said == (
        "export.py: --format onnx needs onnxscript: pip install 'memcnp-vis[export]', or from a checkout "
        "pip install -e '.[export]'"
    )


def test_formats_of_torch_need_no_further_package(monkeypatch, tmp_path):
    monkeypatch.setattr(exporting_options, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    words = ["c.py", "c.pth", "--size", "64", "96", "--format", "torch-export", "aoti", "--out", "m"]
    targets = exporting_options.parse_options("", words).targets()
    assert targets == {"torch-export": Path("m.pt2"), "aoti": Path("m.aoti.pt2")}


def test_a_checkpoint_of_another_config_is_refused_and_nothing_is_written(export, checkpoint, tmp_path):
    other = ROOT / "configs/demo/memcnp_demo.py"
    code, said = export(other, checkpoint, "--size", 64, 96, "--out", tmp_path / "model.onnx")
    assert code == 2
    assert "does not fit the model of this config" in said
    assert not list(tmp_path.iterdir())
