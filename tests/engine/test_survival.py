"""A work dir whose writer is killed at any moment: what was saved before can be resumed from."""

import os
import random
import resource
import signal
import time

import pytest
import torch

from mmdet.engine.checkpoints.file import check_whole, load_checkpoint, save_checkpoint
from mmdet.engine.checkpoints.index import index_checkpoint, latest_whole_checkpoint, remove_leftovers
from mmdet.engine.process.endings import RunEnded
from mmdet.errors import UserError

KILLS = 25
LONGEST_LIFE_S = 0.05  # of a writer: some saves


def write_for_ever(folder, step, saved):
    """Save checkpoint after checkpoint, and tell the pipe `saved` what is safe."""
    while True:
        step += 1
        index_name = f"step_{step}.pth"
        save_checkpoint(folder / index_name, {"step": step, "model": {"w": torch.full((20_000,), float(step))}})
        index_checkpoint(folder, index_name, keep_last=2)
        saved.send(step)


def kill_a_writer(together, folder, step, rng):
    """Let a writer go on from a step and kill it at some moment; return the last step that it had told to be safe."""
    listener, saved = together.SERVER.Pipe(duplex=False)
    process = together.start(write_for_ever, folder, step, saved)
    saved.close()
    step = listener.recv()
    time.sleep(rng.uniform(0, LONGEST_LIFE_S))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    try:
        while True:
            step = listener.recv()
    except EOFError:
        return step


@pytest.mark.dist
def test_a_writer_killed_at_random_moments_loses_nothing_that_was_saved(together, tmp_path):
    step, left = 0, 0
    rng = random.Random(0)
    for _ in range(KILLS):
        safe = kill_a_writer(together, tmp_path, step, rng)
        for path in tmp_path.glob("*.pth"):
            check_whole(path)  # whether it was noted or not
        state = load_checkpoint(latest_whole_checkpoint(tmp_path, pytest.fail))
        assert state["step"] >= safe
        assert (state["model"]["w"] == state["step"]).all()
        step = state["step"]
        left += len(list(tmp_path.glob(".*")))
        remove_leftovers(tmp_path)
        assert not list(tmp_path.glob(".*"))
        # the two that are kept, and one that was not noted, or not deleted, yet
        assert len(list(tmp_path.glob("*.pth"))) <= 3
    assert left > 0  # some were killed while they wrote


DAMAGES = {
    "cut off": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "other bytes": lambda data: data.replace(torch.full((8,), 3.0).numpy().tobytes(), bytes(32), 1),
    "zeros at the end": lambda data: data[:-100] + bytes(100),
    "garbage": lambda data: b"not a checkpoint",
}


@pytest.fixture
def three(tmp_path):
    """A work dir with three checkpoints."""
    for step in (1, 2, 3):
        save_checkpoint(tmp_path / f"step_{step}.pth", {"model": {"w": torch.full((1000,), float(step))}})
        index_checkpoint(tmp_path, f"step_{step}.pth", keep_last=3)
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_latest_checkpoint_is_passed_over_with_a_line(three, damage):
    path = three / "step_3.pth"
    data = DAMAGES[damage](path.read_bytes())
    assert data != path.read_bytes()
    path.write_bytes(data)
    lines = []
    assert latest_whole_checkpoint(three, lines.append) == three / "step_2.pth"
    assert len(lines) == 1
    assert "step_3.pth is" in lines[0]
    assert "damaged" in lines[0]
    assert "\n" not in lines[0]


def test_whole_checkpoints_pass_over_nothing(three):
    assert latest_whole_checkpoint(three, pytest.fail) == three / "step_3.pth"
    check_whole(three / "step_1.pth")


def test_nothing_but_damaged_checkpoints_is_an_error_and_no_new_run(three):
    for path in three.glob("*.pth"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="all 3 checkpoints in .* are damaged"):
        latest_whole_checkpoint(three, lambda line: None)


def test_a_work_dir_without_checkpoints_has_none(tmp_path):
    assert latest_whole_checkpoint(tmp_path, pytest.fail) is None


@pytest.fixture
def small_files():
    """Let no file of this process grow beyond 100 kB, as if the disk was full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_one_line_and_leaves_the_checkpoints_before(three, small_files):
    for name in ("step_4.pth", "step_3.pth"):
        with pytest.raises(UserError) as caught:
            save_checkpoint(three / name, {"model": {"w": torch.zeros(100_000)}})
        assert str(caught.value) == f"{three / name} cannot be written: File too large"
    assert latest_whole_checkpoint(three, pytest.fail) == three / "step_3.pth"
    assert sorted(path.name for path in three.iterdir()) == [
        "checkpoints.json",
        "step_1.pth",
        "step_2.pth",
        "step_3.pth",
    ]


def test_a_run_on_a_full_disk_ends_in_one_line_and_resumes(miniature, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    trainer = miniature.make_trainer(
        tmp_path, after_loss=lambda call: (call == 9 and monkeypatch.setattr("os.fsync", full)) or 1.0
    )
    with pytest.raises((UserError, OSError, RunEnded), match="No space left on device"):
        trainer.run()
    monkeypatch.undo()
    resumed = miniature.make_trainer(tmp_path)
    resumed.resume(latest_whole_checkpoint(tmp_path, pytest.fail))
    assert resumed.step == 6
    resumed.run()
