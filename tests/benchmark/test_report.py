"""The benchmarks at their smallest: every mode runs, counts what it says it counts, and reports it."""

import dataclasses
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mmdet.benchmark.data import INDEX_FRAMES, write_large_json
from mmdet.benchmark.made_up_batch import synthetic_batch
from mmdet.benchmark.made_up_videos import benchmark_data
from mmdet.benchmark.network import make_train_step, prepare_model
from mmdet.benchmark.profile import count_calls
from mmdet.benchmark.report import Case, format_cases
from mmdet.benchmark.settings import BenchmarkSettings
from mmdet.benchmark.timing import Spread, time_steps
from mmdet.benchmark.video import make_predictor
from mmdet.config import load_config
from mmdet.datasets import VISDataset
from mmdet.errors import UserError
from mmdet.models.build import build_model

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "configs" / "demo" / "memcnp_demo.py"
SIZE = (48, 64)
CPU = torch.device("cpu")


@pytest.fixture
def config():
    return load_config(DEMO)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the tool at its smallest; return its exit code and the report it wrote."""

    def run_tool(*arguments):
        smallest = ["--size", *SIZE, "--steps", 2, "--warmup", 1, "--videos", 1, "--frames", 3, "--index-videos", 2]
        out = tmp_path / "reports" / "report.json"
        argv = ["benchmark.py", DEMO, *smallest, "--device", "cpu", "--json", out, *arguments]
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in argv])
        try:
            runpy.run_path(str(ROOT / "tools" / "benchmark.py"), run_name="__main__")
        except SystemExit as end:
            return end.code, None
        return 0, json.loads(out.read_text())

    return run_tool


@pytest.mark.parametrize(
    ("mode", "figures"),
    [
        ("train", {"step_ms", "step_host_ms", "step_wall_ms", "pairs_per_second", "images_per_second"}),
        ("model", {"step_ms", "frames_per_second"}),
        ("stream", {"latency_ms", "frames_per_second", "objects_a_frame", "code_characters_a_mask"}),
        ("end-to-end", {"pass_ms", "frames_per_second", "result_json_mib", "tracks"}),
        ("data", {"training_pair_ms", "test_frame_ms", "jpeg_decode_ms", "index_s", "pairs_per_second", "wait_ms"}),
    ],
)
def test_every_mode_prints_and_writes_its_figures(run, capsys, mode, figures):
    code, report = run("--mode", mode, "--batch-size", 2, "--seed", 7)
    assert code == 0
    out = capsys.readouterr().out
    measured = {name: value for case in report["cases"] for name, value in case["figures"].items()}
    assert figures <= set(measured)
    assert all(case["name"] in out for case in report["cases"])
    assert all(name in out for name in measured)
    plain = [value["min"] if isinstance(value, dict) else value for value in measured.values()]
    assert all(value >= 0 for value in plain)
    assert report["mode"] == mode
    assert report["settings"]["seed"] == 7
    environment = report["environment"]
    assert {"command", "started", "git_revision", "gpus", "cpu", "cores", "threads"} <= set(environment)
    assert {"torch", "torchvision", "cuda", "python"} <= set(environment["versions"])


def test_rates_follow_from_the_time_of_a_step(run):
    figures = run("--batch-size", 3)[1]["cases"][0]["figures"]
    assert figures["pairs_per_second"] == pytest.approx(3000 / figures["step_wall_ms"])
    assert figures["images_per_second"] == pytest.approx(6000 / figures["step_wall_ms"])
    batches, single = run("--batch-size", 3, "--mode", "model")[1]["cases"]
    assert batches["figures"]["frames_per_second"] == pytest.approx(3000 / batches["figures"]["step_wall_ms"])
    assert single["figures"]["frames_per_second"] == pytest.approx(1000 / single["figures"]["step_wall_ms"])


def test_several_sizes_are_several_cases(run):
    report = run("--size", 64, 96)[1]
    assert ["48x64" in case["name"] for case in report["cases"]] == [True, False]
    assert "64x96" in report["cases"][1]["name"]
    assert all(case["figures"]["step_ms"]["count"] == 2 for case in report["cases"])


def test_a_profile_counts_what_makes_the_host_wait(run, tmp_path):
    run("--profile", tmp_path / "profiles" / "steps.txt", "--batch-size", 1)
    text = (tmp_path / "profiles" / "steps_48x64.txt").read_text()
    assert "aten::item" in text
    assert "cudaStreamSynchronize" in text
    assert "aten::convolution" in text


def test_calls_of_one_kind_are_counted_together():
    events = [("cudaLaunchKernel", 5), ("cuLaunchKernelEx", 2), ("aten::item", 3), ("aten::mm", 9)]
    counts = count_calls([SimpleNamespace(key=key, count=count) for key, count in events])
    assert counts["kernel launches"] == 7
    assert counts["aten::item"] == 3
    assert counts["aten::nonzero"] == 0
    assert "aten::mm" not in counts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", 0], "--steps is 0, expected 1 or more"),
        (["--batch-size", -1], "--batch-size is -1"),
        (["--warmup", -1], "--warmup and --workers are -1"),
        (["--size", 0, 9], "holds a side without a pixel"),
        (["--device", "cuda:99"], "--device cuda:99: this machine has"),
        (["--json", "/dev/null/report.json"], "/dev/null/report.json cannot be written"),
        (["--device", "tpu"], "--device tpu: expected cpu, cuda"),
        (["--checkpoint", "missing.pth"], "missing.pth"),
        (
            ["--mode", "end-to-end", "--data", "--cfg-options", "data.test.dataset.ann_file=missing.json"],
            "missing.json",
        ),
    ],
)
def test_mistakes_are_one_line(run, capsys, arguments, message):
    assert run(*arguments)[0] == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_spread_tells_quartiles_and_extremes():
    spread = Spread.from_values([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (spread.min, spread.lower_quartile, spread.median, spread.upper_quartile, spread.max) == (1, 2, 3, 4, 5)
    assert (spread.count, spread.p95) == (5, pytest.approx(4.8))


def test_the_table_shows_numbers_of_every_magnitude():
    figures = {
        "big": 123456.7,
        "small": 0.000123456,
        "zero": 0,
        "not": float("nan"),
        "some": Spread.from_values([1.0, 2.0]),
    }
    lines = format_cases([Case(name="a case", figures=figures, notes=("a note",))]).splitlines()
    shown = {line.split()[0]: line.split()[1:] for line in lines[2:-1]}
    assert shown == {
        "big": ["123457"],
        "small": ["0.0001235"],
        "zero": ["0"],
        "not": ["nan"],
        "some": ["1.5", "1", "1.25", "1.75", "1.95", "2"],
    }
    assert (lines[0], lines[-1]) == ("a case", "  a note")


@pytest.mark.parametrize(("given", "expected"), [({}, range(7)), ({"steps": 1, "warmup": 0}, range(1))])
def test_steps_are_counted_from_the_warm_up_on(given, expected):
    called = []
    times = time_steps(called.append, BenchmarkSettings(device=CPU, **given), steps=4, warmup=3)
    assert called == list(expected)
    assert len(times.steps) == len(times.host) == given.get("steps", 4)
    assert sum(times.host) <= times.total


def test_a_made_up_batch_is_pairs_of_objects_that_are_found_again():
    batch = synthetic_batch((40, 70), pairs=3, objects=5, num_classes=2, seed=0)
    assert batch.images.shape == (3, 2, 3, 64, 96)
    assert batch.valid.sum() == 3 * 2 * 40 * 70
    truth = batch.truth_of_pairs
    assert truth.match[:, :5].tolist() == [list(range(5))] * 3
    assert truth.valid.sum(dim=1).tolist() == [5] * 3
    assert torch.equal(truth.half_masks.flatten(2).any(dim=2), truth.valid)
    assert truth.labels.max() <= 1
    assert torch.equal((truth.boxes[..., 2:] - truth.boxes[..., :2] > 0).all(dim=2), truth.valid)
    assert (truth.boxes[..., 2:] <= torch.tensor([70.0, 40.0])).all()


def test_a_made_up_batch_follows_its_seed():
    first, second, other = (synthetic_batch(SIZE, 1, 2, 2, seed) for seed in (0, 0, 1))
    assert torch.equal(first.images, second.images)
    assert not torch.equal(first.images, other.images)


def test_steps_learn_at_the_first_rate_of_the_schedule(config):
    step = make_train_step(config, BenchmarkSettings(device=CPU))
    assert [group["lr"] for group in step.optimizer.param_groups] == pytest.approx([3e-3 * 0.02] * 2)


@pytest.mark.parametrize("classes", [3, 5, 9])
def test_made_up_videos_have_the_classes_of_the_model(config, classes):
    config = load_config(DEMO, [f"model.head.num_classes={classes}"])
    settings = BenchmarkSettings(device=CPU, videos=1, frames=2, workers=1, batch_size=3)
    with benchmark_data(config, settings, SIZE) as (data, folder):
        for part in (*data.data.train.datasets, data.data.test.dataset):
            dataset = VISDataset(part["ann_file"], part["img_prefix"], [])
            assert dataset.num_classes == len(set(dataset.category_ids)) == classes
            assert dataset.videos[0].size == SIZE
        assert (data.data.train.batch_size, data.data.test.chunk_size) == (3, 3)
        assert data.data.train.workers == data.data.test.workers == 1
        assert data.data.train.datasets[0]["transforms"] == config.data.train.datasets[0]["transforms"]
    assert not folder.exists()


@pytest.mark.parametrize(("frames", "drawn"), [(1, [0]), (2, [0, 1]), (18, [*range(8), *range(6, 0, -1), *range(4)])])
def test_drawn_frames_run_forward_and_back_in_files_of_their_own(config, frames, drawn):
    settings = BenchmarkSettings(device=CPU, videos=2, frames=frames)
    with benchmark_data(config, settings, SIZE) as (data, folder):
        source = data.data.test.dataset
        dataset = VISDataset(source["ann_file"], source["img_prefix"], [], test_mode=True)
        assert [len(video.file_names) for video in dataset.videos] == [frames, frames]
        names = [folder / "valid_images" / name for video in dataset.videos for name in video.file_names]
        assert len({(name.stat().st_ino, name) for name in names}) == 2 * frames
        assert all(name.stat().st_nlink == 1 for name in names)
        content = [name.read_bytes() for name in names]
        assert [content[: max(drawn) + 1].index(each) for each in content] == drawn * 2
        areas = [annotation["areas"] for annotation in json.loads(Path(source["ann_file"]).read_text())["annotations"]]
        assert all(own == [own[frame] for frame in drawn] for own in areas)
        assert any(len(set(own)) > 1 for own in areas) == (frames > 1)


def test_the_config_s_own_data_stay(config):
    with benchmark_data(config, BenchmarkSettings(device=CPU, own_data=True), SIZE) as (data, _):
        assert data.data == config.data


def test_a_large_annotation_file_has_as_many_items_as_asked_for(config, tmp_path):
    with benchmark_data(config, BenchmarkSettings(device=CPU, videos=1, frames=2), SIZE) as (data, _):
        write_large_json(Path(data.data.train.datasets[0]["ann_file"]), tmp_path / "large.json", videos=4)
    dataset = VISDataset(str(tmp_path / "large.json"), "nowhere", [], check_files=False)
    assert len(dataset.videos) == 4
    assert len(dataset) == 4 * INDEX_FRAMES


def test_trained_weights_detect_what_they_find_unless_asked_for_a_number(config, tmp_path):
    asked = BenchmarkSettings(device=CPU, objects=3)
    assert vars(make_predictor(config, asked).model.postprocess)["max_per_image"] == 3
    torch.manual_seed(5)
    model = build_model(config)
    torch.save({"model": model.state_dict()}, tmp_path / "weights.pth")
    trained = BenchmarkSettings(device=CPU, checkpoint=str(tmp_path / "weights.pth"))
    assert vars(make_predictor(config, trained).model.postprocess)["score_threshold"] == 0.1
    both = dataclasses.replace(trained, objects=3)
    assert vars(make_predictor(config, both).model.postprocess)["max_per_image"] == 3
    loaded = prepare_model(config, trained).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


def test_a_checkpoint_that_is_no_file_is_refused(config):
    with pytest.raises(UserError):
        prepare_model(config, BenchmarkSettings(device=CPU, checkpoint="nowhere.pth"))
