"""Runs of train.py that are interrupted, damaged or repeated, with the real model on real files."""

import json
import shutil

import cv2
import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint

STEPS = 6  # an epoch of the tiny set has 4


@pytest.fixture(scope="module")
def whole(config, train_for, tmp_path_factory):
    """The work dir of a run of six steps that keeps a checkpoint of each."""
    work = tmp_path_factory.mktemp("whole")
    train_for(config, work, f"schedule.steps={STEPS}", "runtime.checkpoint_every_steps=1", "runtime.keep_last=9")
    return work


def options(*values):
    return (
        "--cfg-options",
        f"schedule.steps={STEPS}",
        "runtime.checkpoint_every_steps=1",
        "runtime.keep_last=9",
        *values,
    )


def at_step(whole, work, step):
    """Make a work dir as the run left it after a step."""
    shutil.copytree(whole, work)
    names = {f"epoch_{step // 4}.pth" if step % 4 == 0 else f"step_{step}.pth" for step in range(1, step + 1)}
    for path in work.glob("*.pth"):
        if path.name not in names:
            path.unlink()
    return work


@pytest.mark.parametrize(("step", "workers"), [(2, 0), (4, 2), (5, 1)])  # in mid-epoch, at its end, in the next
def test_a_resumed_run_ends_with_the_same_state_whatever_the_number_of_workers(
    run, config, whole, tmp_path, step, workers
):
    work = at_step(whole, tmp_path / "work", step)
    done = run("train", config, "--work_dir", work, "--resume_from", "auto", *options(f"data.train.workers={workers}"))
    assert done.code == 0, done.err
    assert "differ" not in done.err  # workers do not count
    one, two = (load_checkpoint(folder / "step_6.pth") for folder in (whole, work))
    for part in ("model", "optimizer", "random_states", "position", "log"):
        assert str(one[part]) == str(two[part])
    assert all(torch.equal(value, two["model"][name]) for name, value in one["model"].items())
    moments = zip(one["optimizer"]["state"].values(), two["optimizer"]["state"].values(), strict=True)
    assert all(torch.equal(a["exp_avg_sq"], b["exp_avg_sq"]) for a, b in moments)
    logs = [
        [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()] for folder in (whole, work)
    ]
    for entry in (*logs[0], *logs[1]):
        del entry["images_per_second"], entry["rss_gib"]
    assert logs[0] == logs[1]


def test_auto_passes_over_a_truncated_checkpoint_and_says_so(run, config, whole, tmp_path):
    work = at_step(whole, tmp_path / "work", 5)
    latest = work / "step_5.pth"
    latest.write_bytes(latest.read_bytes()[:3000])
    (work / ".step_6.pth.4711.tmp").write_bytes(b"half")
    done = run("train", config, "--work_dir", work, "--resume_from", "auto", *options())
    assert done.code == 0, done.err
    assert "step_5.pth is not a checkpoint, or is damaged" in done.err
    assert f"resumed from {work / 'epoch_1.pth'}" in done.err
    assert not list(work.glob(".*.tmp"))
    assert torch.equal(
        *(load_checkpoint(folder / "step_6.pth")["model"]["head.memory.slots"] for folder in (whole, work))
    )


def test_a_checkpoint_with_changed_bytes_is_not_resumed_from(run, config, whole, tmp_path):
    work = at_step(whole, tmp_path / "work", 2)
    slots = load_checkpoint(work / "step_2.pth")["model"]["head.memory.slots"].numpy().tobytes()
    data = (work / "step_2.pth").read_bytes()
    (work / "step_2.pth").write_bytes(data.replace(slots, bytes(len(slots))))
    done = run("train", config, "--work_dir", work, "--resume_from", work / "step_2.pth", *options())
    assert done.code == 2
    assert "step_2.pth is damaged: its part" in done.err


def test_an_annotation_file_that_changed_is_refused(run, config, whole, tiny_set, tmp_path):
    truth = json.loads((tiny_set / "annotations/instances_train.json").read_text())
    (tmp_path / "changed.json").write_text(json.dumps({**truth, "info": "edited"}))
    done = run(
        "train", config, "--work_dir", tmp_path / "work", "--resume_from", whole / "step_2.pth",
        *options(f"data.train.datasets.0.ann_file={tmp_path / 'changed.json'}"),
    )  # fmt: skip
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert f"changed.json is not what {whole / 'step_2.pth'} was trained on" in done.err


def test_a_config_that_changed_is_told_when_a_run_resumes(run, config, whole, tmp_path):
    work = at_step(whole, tmp_path / "work", 5)
    done = run("train", config, "--work_dir", work, "--resume_from", "auto", *options("optimizer.lr=0.002"))
    assert done.code == 0, done.err
    assert "the run will differ from the interrupted one: optimizer.lr 0.001 -> 0.002" in done.err
    environment = json.loads((work / "environment.json").read_text())
    assert environment["command"].endswith("optimizer.lr=0.002")
    assert [start["command"] for start in environment["earlier"]] != [environment["command"]]


def test_a_scaled_learning_rate_is_told_and_used(run, config, tmp_path):
    done = run(
        "train", config, "--work_dir", tmp_path, "--auto-scale-lr",
        "--cfg-options", "schedule.base_batch_size=8", "schedule.steps=1",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "learning rate 0.001 for 8 pairs per step -> 0.00025 for 2" in done.err
    assert json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])["lr"] == pytest.approx(0.00025)
    done = run("train", config, "--work_dir", tmp_path, "--auto-scale-lr")
    assert (done.code, "schedule.base_batch_size" in done.err) == (2, True)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_image_ends_training_in_one_line(run, config, tiny_set, tmp_path, workers):
    shutil.copytree(tiny_set / "train_images", tmp_path / "images")
    for damaged in (tmp_path / "images").glob("*/*.jpg"):
        assert cv2.imread(str(damaged)) is not None
        damaged.write_bytes(damaged.read_bytes()[:300])
    done = run(
        "train", config, "--work_dir", tmp_path / "work", "--cfg-options",
        f"data.train.datasets.0.img_prefix={tmp_path / 'images'}", f"data.train.workers={workers}",
    )  # fmt: skip
    assert done.code == 2
    assert "is damaged or no image (300 bytes)" in done.err
    assert "Traceback" not in done.err


@pytest.fixture
def asked(monkeypatch):
    """A list that grows when deterministic algorithms are asked for; they stay off, as other tests follow."""
    times = []
    monkeypatch.setattr("mmdet.engine.training.run.compute_deterministically", lambda: times.append(True))
    return times


def test_the_seed_fixes_everything_and_another_changes_it(run, config, tmp_path, asked):
    ends = []
    for name, arguments in (
        ("a", ("--seed", 3, "--cfg-options", "schedule.steps=1")),
        ("b", ("--deterministic", "--cfg-options", "schedule.steps=1", "runtime.seed=3")),
        ("c", ("--resume_from", "auto", "--cfg-options", "schedule.steps=1", "runtime.deterministic=True")),
    ):
        done = run("train", config, "--work_dir", tmp_path / name, *arguments)
        assert done.code == 0, done.err
        ends.append(load_checkpoint(tmp_path / name / "step_1.pth")["model"])
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    assert not torch.equal(ends[0]["head.memory.slots"], ends[2]["head.memory.slots"])
    assert len(asked) == 2
    assert f"no checkpoint in {tmp_path / 'c'}, so the run starts anew" in done.err
