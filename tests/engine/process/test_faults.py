"""Faults that a run meets: each ends it soon, in one line that says what happened and what to do."""

import errno
import json
import multiprocessing
import os
import signal
import time
from argparse import Namespace

import pytest
import torch

from mmdet.engine.process import endings as outcomes
from mmdet.engine.process import launch
from mmdet.engine.process.endings import RunEnded
from mmdet.engine.process.faults import known_fault
from mmdet.errors import UserError


def end_of(trainer):
    """Return how a run ended early, as the command lines tell it."""
    end = outcomes.end_of(trainer.run)
    assert end is not None
    assert "\n" not in end.message
    return end


def test_a_data_worker_that_is_killed_ends_the_run_with_its_cause(miniature, tmp_path):
    def die(index):
        if index == 7 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    end = end_of(miniature.make_trainer(tmp_path, workers=1, on_item=die))
    assert end.exit_code == 1
    for part in ("loading process", "was killed", "lack of memory", "--resume_from auto", "data.train.workers"):
        assert part in end.message


def test_a_gpu_out_of_memory_names_the_batch_its_sizes_and_what_to_lower(miniature, tmp_path):
    def run_out(call):
        if call == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")
        return 1.0

    end = end_of(miniature.make_trainer(tmp_path, after_loss=run_out, length=4, checkpoint_every_steps=2))
    assert end.exit_code == 1
    for part in ("step 3 ", "CUDA out of memory", "2 pairs of 32 x 32 with [0, 0] objects", "frames [0, 1]"):
        assert part in end.message
    for part in (
        "data.train.batch_size",
        "runtime.accumulate",
        "checkpointing=True",
        "--amp bf16",
        "--resume_from auto",
    ):
        assert part in end.message
    assert (tmp_path / "epoch_1.pth").is_file()


def test_a_gpu_out_of_memory_in_a_validation_names_what_to_lower(miniature, tmp_path):
    def validate(model):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    end = end_of(miniature.make_trainer(tmp_path, validate=validate))
    assert "memory is full (CUDA out of memory): lower data.test.chunk_size" in end.message


def test_a_full_disk_under_the_log_is_one_line(miniature, tmp_path, monkeypatch):
    trainer = miniature.make_trainer(tmp_path)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "train.jsonl")

    monkeypatch.setattr("mmdet.engine.training.logs.log_files.json.dumps", full)
    assert "the disk is full (train.jsonl): No space left on device; make room" in end_of(trainer).message


def test_an_operation_without_a_deterministic_form_is_named():
    error = RuntimeError(
        "some_backward_cuda does not have a deterministic implementation, but you set "
        "'torch.use_deterministic_algorithms(True)'. You can turn off ..."
    )
    assert "--deterministic: some_backward_cuda of this model" in str(known_fault(error))


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(errno.ENOENT, "No such file"), KeyError("a")])
def test_other_errors_keep_their_traceback(error):
    assert known_fault(error) is None


@pytest.fixture
def two_of(miniature, together, tmp_path, monkeypatch):
    """Launch two processes, quickly and on the CPU, of which the second fails; return how the launch ended."""
    monkeypatch.setattr(launch.multiprocessing, "get_context", lambda method: together.SERVER)
    monkeypatch.setattr(launch, "available_cores", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("WORLD_SIZE", raising=False)

    def run(how):
        started = time.monotonic()
        with pytest.raises((RunEnded, UserError)) as caught:
            launch.launch(miniature.failing, 2, "none", Namespace(work_dir=tmp_path, how=how))
        assert time.monotonic() - started < 30
        return caught.value

    return run


@pytest.mark.dist
def test_a_process_that_fails_stops_the_others_with_its_cause(two_of):
    end = two_of("bug")
    assert isinstance(end, RunEnded)
    assert "process 1 of 2 failed" in end.message
    assert "ValueError: a bug in process 1" in end.message


@pytest.mark.dist
def test_a_mistake_that_one_process_meets_stays_one_line(two_of):
    end = two_of("mistake")
    assert isinstance(end, UserError)
    assert str(end) == "frame 7.jpg is damaged"


@pytest.mark.dist
def test_a_process_that_is_killed_stops_the_others(two_of):
    assert "process 1 was killed by signal 9" in str(two_of("killed"))


@pytest.mark.dist
def test_a_process_that_loses_another_says_so_at_once(miniature, together, tmp_path):
    started = time.monotonic()
    assert together.run_ranks(miniature.bereft, 2, tmp_path) == [0, -signal.SIGKILL]
    assert "another process of the run ended, see its message" in (tmp_path / "end.txt").read_text()
    assert time.monotonic() - started < 30


@pytest.mark.dist
def test_processes_whose_launcher_is_killed_save_and_stop(miniature, together, tmp_path):
    launcher = together.start(miniature.launch_for_ever, tmp_path)
    wait_for(lambda: list(tmp_path.glob("tensorboard/events*")))  # training has begun
    launcher.kill()
    launcher.join()
    wait_for(lambda: (tmp_path / "checkpoints.json").exists())
    assert list(tmp_path.glob("step_*.pth")) or list(tmp_path.glob("epoch_*.pth"))


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.dist
def test_no_process_leaves_after_a_signal_before_the_checkpoint_is_written(miniature, together, tmp_path):
    assert together.run_ranks(miniature.stopped, 2, tmp_path) == [0, 0]
    assert [(tmp_path / f"left_{rank}.txt").read_text() for rank in (0, 1)] == ["143 True"] * 2


def test_steps_whose_float16_gradient_overflows_are_skipped_and_counted_in_the_log(miniature, tmp_path):
    before = {}

    def overflow(call):
        if call in (3, 4):
            before[call] = [value.clone() for value in trainer.model.state_dict().values()]
        if call == 5:
            after = trainer.model.state_dict().values()
            assert all(torch.equal(a, b) for a, b in zip(before[3], after, strict=True))
        return float("inf") if call in (3, 4) else 1.0

    trainer = miniature.make_trainer(tmp_path, after_loss=overflow, log_every=3)
    trainer.make_step.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)  # as on a GPU in float16
    trainer.run()
    assert trainer.step == 12
    assert trainer.make_step.scaler.get_scale() == 2.0
    entries = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [entry.get("skipped_steps") for entry in entries] == [1, 1, None, None]
    assert all(torch.tensor(list(entry.values())[3:]).isfinite().all() for entry in entries)
    assert "1 steps skipped" in (tmp_path / "train.log").read_text()
