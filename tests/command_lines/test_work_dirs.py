"""train.py in folders where something lies already: nothing of it is lost, and nothing of it is taken for its own."""

import json
import multiprocessing
import shutil

import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.training.trainer import Trainer
from mmdet.engine.training.work_dir import held_work_dir


@pytest.fixture
def old(trained, tmp_path):
    """A work dir whose run has ended, with a best checkpoint."""
    return shutil.copytree(trained, tmp_path / "old")


def index_of(folder):
    return json.loads((folder / "checkpoints.json").read_text())


def test_a_config_beside_which_a_run_writes_stays_as_it_is(run, config, tmp_path, monkeypatch):
    mine = tmp_path / "my.py"
    mine.write_bytes(config.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run("train", "my.py", "--work_dir", ".", "--cfg-options", "schedule.steps=1").code == 0
    assert mine.read_bytes() == config.read_bytes()
    assert (tmp_path / "step_1.pth").is_file()


def test_a_new_run_in_an_old_work_dir_starts_with_no_best_and_no_checkpoints(run, config, old):
    best = load_checkpoint(old / "best.pth")["best"]
    assert best is not None
    assert run("train", config, "--work_dir", old, "--cfg-options", "schedule.steps=1").code == 0
    assert list(index_of(old)) == ["step_1.pth"]
    assert not (old / "best.pth").exists()
    assert load_checkpoint(old / "best.1.pth")["best"] == best
    again = run("train", config, "--work_dir", old, "--resume_from", "auto", "--cfg-options", "schedule.steps=2")
    assert "step_1.pth" in again.err
    assert load_checkpoint(old / "step_2.pth")["best"] is None


def test_a_run_that_goes_on_with_a_checkpoint_of_elsewhere_leaves_what_lies_in_its_work_dir(run, config, old, tmp_path):
    other = tmp_path / "other"
    resumed = run(
        "train", config, "--work_dir", other, "--resume_from", old / "step_2.pth", "--cfg-options", "schedule.steps=3"
    )
    assert resumed.code == 0, resumed.err
    shutil.copy(other / "step_3.pth", tmp_path / "step_3.pth")
    options = ("--cfg-options", "schedule.steps=4", "runtime.keep_last=1")
    assert run("train", config, "--work_dir", old, "--resume_from", tmp_path / "step_3.pth", *options).code == 0
    assert (old / "step_2.pth").is_file()
    assert (old / "best.1.pth").is_file()
    assert list(index_of(old)) == ["epoch_1.pth"]


def test_a_run_of_elsewhere_does_not_go_on_over_checkpoints_that_are_not_of_a_run(run, config, old, tmp_path):
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    shutil.copy(old / "step_2.pth", downloads / "step_3.pth")
    options = ("--resume_from", old / "step_2.pth", "--cfg-options", "schedule.steps=3")
    done = run("train", config, "--work_dir", downloads, *options)
    assert done.code == 2
    assert "step_3.pth is not of a run in this folder and could be written over" in done.err
    assert (downloads / "step_3.pth").read_bytes() == (old / "step_2.pth").read_bytes()


def test_a_foreign_index_deletes_nothing_outside(run, config, old, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    (old / "checkpoints.json").write_text(json.dumps(["../victim.txt", str(victim), "best.pth", "step_2.pth"]))
    options = ("--cfg-options", "schedule.steps=3", "runtime.keep_last=1")
    done = run("train", config, "--work_dir", old, "--resume_from", "auto", *options)
    assert done.code == 0, done.err
    assert "which is not a checkpoint of a run: rebuilt from the 1 undamaged" in done.err
    assert victim.read_text() == "mine"
    assert (old / "best.pth").is_file()
    assert list(index_of(old)) == ["step_3.pth"] or list(index_of(old)) == ["step_2.pth", "step_3.pth"]


def test_auto_goes_on_though_the_index_is_missing(run, config, old):
    (old / "checkpoints.json").unlink()
    done = run("train", config, "--work_dir", old, "--resume_from", "auto", "--cfg-options", "schedule.steps=3")
    assert done.code == 0, done.err
    assert "checkpoints.json is missing: rebuilt from the 1 undamaged checkpoints" in done.err
    assert "steps 2 to 3" in done.err


@pytest.mark.parametrize("name", ["step_2.pth", "best.pth"])
def test_weights_that_the_run_would_replace_are_refused(run, config, old, name):
    before = (old / name).read_bytes()
    done = run("train", config, "--work_dir", old, "--load_from", old / name)
    assert done.code == 2
    assert f"{name} is in the work dir" in done.err
    assert done.err.count("\n") == 1
    assert (old / name).read_bytes() == before


def test_a_work_dir_that_is_a_file_is_named(run, config, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "inside"):
        done = run("train", config, "--work_dir", path)
        assert done.code == 2
        assert done.err.startswith(f"train.py: --work_dir {path} cannot be written: {tmp_path / 'file'} is a file")
        assert done.err.count("\n") == 1


REFUSED = {
    "weights": (["--load_from", "missing.pth"], []),
    "a checkpoint": (["--resume_from", "missing.pth"], []),
    "pretrained weights": ([], ["model.backbone.pretrained=missing.pth"]),
    "annotations": ([], ["data.train.datasets.0.ann_file=missing.json"]),
    "annotations of the validation": (["--validate"], ["data.test.dataset.ann_file=missing.json"]),
    "another number of classes": ([], ["model.head.num_classes=4"]),
    "a name": ([], ["model.head.channel=4"]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_run_that_is_refused_leaves_nothing_behind(run, config, tmp_path, kind):
    options, values = REFUSED[kind]
    values = ["--cfg-options", *values] if values else []
    done = run("train", config, "--work_dir", tmp_path / "new" / "work", *options, *values)
    assert done.code == 2
    assert done.err.count("\n") == 1
    (tmp_path / "mine").mkdir()
    run("train", config, "--work_dir", tmp_path / "mine", *options, *values)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not list((tmp_path / "mine").iterdir())


def test_a_run_that_is_refused_leaves_an_old_work_dir_as_it_is(run, config, old):
    def state():
        return {path: path.stat().st_mtime_ns for path in old.rglob("*") if path.name != ".lock"}

    before = state()
    assert run("train", config, "--work_dir", old, "--load_from", "missing.pth").code == 2
    assert state() == before


def hold(folder, held, leave):
    with held_work_dir(folder):
        held.set()
        leave.wait()


def test_two_runs_are_not_in_one_work_dir_at_once(run, config, old):
    context = multiprocessing.get_context("spawn")
    held, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(old, held, leave), daemon=True)
    other.start()
    assert held.wait(60)
    before = index_of(old)
    done = run("train", config, "--work_dir", old)
    leave.set()
    other.join()
    assert done.code == 2
    assert f"is in use by another run ('process {other.pid} on " in done.err
    assert done.err.count("\n") == 1
    assert index_of(old) == before
    assert (old / "best.pth").is_file()


def test_a_work_dir_removed_under_a_run_is_one_line(run, config, tmp_path, monkeypatch):
    work, train_on = tmp_path / "work", Trainer.train_on

    def removing(trainer, batches):
        shutil.rmtree(work)
        train_on(trainer, batches)

    monkeypatch.setattr(Trainer, "train_on", removing)
    done = run("train", config, "--work_dir", work, "--cfg-options", "schedule.steps=1")
    assert done.code == 1
    assert done.err.endswith(f"train.py: work dir {work} was removed while the run wrote to it: start again\n")


def test_an_optimizer_of_other_shapes_is_named(run, config, old):
    state = load_checkpoint(old / "step_2.pth")
    kept = next(iter(state["optimizer"]["state"].values()))
    kept["exp_avg"] = torch.zeros(3, 3, 3)
    torch.save(state, old / "step_2.pth")
    done = run("train", config, "--work_dir", old, "--resume_from", "auto", "--cfg-options", "schedule.steps=3")
    assert done.code == 2
    assert "exp_avg of " in done.err
    assert "has the shape (3, 3, 3), not the parameter's" in done.err
