"""What a run says: figures, progress, why it ended and what it leaves behind."""

import io
import json
import math
import os
import signal
import sys
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmdet.engine.process.endings import RunEnded
from mmdet.engine.training.logs import train_log as logging
from mmdet.errors import UserError


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self):
        return True


class Clock:
    """A clock that goes on by three seconds whenever it is read."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        self.seconds += 3
        return self.seconds


def set_up_terminal(monkeypatch):
    """Make stderr a terminal of 80 columns and return it."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def entries_of(folder):
    return [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]


def log_of(folder):
    return (folder / "train.log").read_text()


def test_the_log_has_means_rates_and_the_learning_rate(miniature, tmp_path, capsys):
    miniature.make_trainer(tmp_path, epochs=1, log_every=3).run()
    entries = entries_of(tmp_path)
    assert [entry["step"] for entry in entries] == [3, 6]
    assert {"loss_error", "loss_size", "mean", "grad_norm", "lr", "images_per_second", "epoch"} <= entries[0].keys()
    assert entries[1]["lr"] == pytest.approx(0.05)
    assert "epoch 1 step 6/6: loss " in capsys.readouterr().err
    assert "epoch 1 step 6/6: loss " in log_of(tmp_path)


def test_the_total_loss_stands_in_every_log(miniature, tmp_path):
    miniature.make_trainer(tmp_path, epochs=1, log_every=3).run()
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for entry, scalar in zip(entries_of(tmp_path), board.Scalars("train/loss"), strict=True):
        assert entry["loss"] == pytest.approx(entry["loss_error"] + entry["loss_size"])
        assert scalar.value == pytest.approx(entry["loss"])
        assert f"step {entry['step']}/6: loss {entry['loss']:.4g}, loss_error" in log_of(tmp_path)


def test_the_bar_fits_a_terminal_of_80_columns(monkeypatch, tmp_path):
    terminal = set_up_terminal(monkeypatch)
    monkeypatch.setattr(time, "perf_counter", Clock())
    log = logging.TrainLog(tmp_path, total_steps=98_000, steps_per_epoch=7000, log_every=50)
    with log.opened(first_step=69_900):
        for step in range(69_901, 70_101):
            log.step(step, {"loss_error": 12.345678, "loss_size": 0.1}, images=8)
    bars = [line for line in terminal.getvalue().replace("\n", "\r").split("\r") if "s/step" in line]
    assert bars[-1].startswith("epoch 11/14 70100/98000 |")
    assert bars[-1].endswith("s/step, loss 12.45")
    assert "| ETA " in bars[-1]
    for bar in bars:
        assert len(bar) <= 80
        assert len(bar.split("|")[1]) >= 10
    assert "loss_error" not in terminal.getvalue()
    assert "step 70000/98000: loss 12.45, loss_error 12.35, " in log_of(tmp_path)


def test_a_slow_run_tells_its_first_steps_by_time(monkeypatch, miniature, tmp_path, capsys):
    monkeypatch.setattr(logging, "EARLY_LINE_EVERY_S", 0.0)
    for name in ("by_time", "by_steps"):
        (tmp_path / name).mkdir()
        miniature.make_trainer(tmp_path / name, log_every=5).run()  # 12 steps
        told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
        assert [line.split()[3] for line in told] == {
            "by_time": ["1/12:", "2/12:", "3/12:", "4/12:", "5/12:", "10/12:", "12/12:"],
            "by_steps": ["5/12:", "10/12:", "12/12:"],
        }[name]
        monkeypatch.setattr(logging, "EARLY_LINE_EVERY_S", 30.0)
    means = [[entry["loss"] for entry in entries_of(tmp_path / name)] for name in ("by_time", "by_steps")]
    assert means[0] == means[1]


def test_the_log_tells_a_resumed_run_and_why_each_part_ended(miniature, tmp_path):
    def stop(call):
        if call == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return 1.0

    with pytest.raises(RunEnded):
        miniature.make_trainer(tmp_path, after_loss=stop).run()
    assert f"ended: stopped by SIGTERM after step 4 of 12; go on with --resume_from {tmp_path}" in log_of(tmp_path)
    resumed = miniature.make_trainer(tmp_path, after_loss=lambda call: math.nan if call == 2 else 1.0)
    notes = resumed.resume(tmp_path / "step_4.pth")
    with pytest.raises(RunEnded):
        resumed.run(notes)
    assert f"resumed from {tmp_path / 'step_4.pth'}" in log_of(tmp_path)
    assert "ended: step 6 (epoch 1) is not finite" in log_of(tmp_path)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "ended: interrupted"),
        (UserError("frame 7.jpg is damaged"), "ended: frame 7.jpg is damaged"),
        (ZeroDivisionError("division by zero"), "ended: ZeroDivisionError: division by zero"),
    ],
)
def test_the_log_names_the_error_that_ended_a_run(miniature, tmp_path, error, line):
    def fail(call):
        raise error

    with pytest.raises(type(error)):
        miniature.make_trainer(tmp_path, after_loss=fail).run()
    assert line in log_of(tmp_path)


def test_a_validation_is_told_in_per_cent_and_written_as_fractions(miniature, tmp_path, capsys):
    miniature.make_trainer(tmp_path, epochs=1, validate=lambda model: {"AP": 0.3528, "APs": -1.0}).run()
    assert "step 6 validation, per cent: AP 35.3, APs -" in capsys.readouterr().err
    assert [entry["AP"] for entry in entries_of(tmp_path) if entry["kind"] == "validation"] == [0.3528]


def test_an_accuracy_of_training_is_told_in_per_cent_and_written_as_a_fraction(tmp_path):
    with logging.TrainLog(tmp_path, total_steps=1, steps_per_epoch=1, log_every=1).opened() as log:
        log.step(1, {"loss_match": 0.3, "match_acc": 0.4222}, images=8)
    assert "loss_match 0.3, match_acc 42.2 %, " in log_of(tmp_path)
    assert entries_of(tmp_path)[0]["match_acc"] == 0.4222


def test_a_run_ends_with_its_checkpoints_and_the_next_command(miniature, tmp_path, capsys):
    figures = iter([{"AP": 0.3}, {"AP": 0.2}])
    miniature.make_trainer(tmp_path, validate=lambda model: next(figures)).run()
    lines = capsys.readouterr().err.splitlines()[-2:]
    best, last = tmp_path / "best.pth", tmp_path / "epoch_2.pth"
    assert lines[0] == f"all 12 steps done: best checkpoint {best} (AP 30.0 per cent), last {last}"
    assert lines[1] == f"test it: memcnp test CONFIG {best} --eval segm"
    assert lines[1] in log_of(tmp_path)


def test_a_run_without_validation_ends_with_its_last_checkpoint(miniature, tmp_path, capsys):
    miniature.make_trainer(tmp_path).run()
    lines = capsys.readouterr().err.splitlines()[-2:]
    assert lines[0] == f"all 12 steps done: checkpoint {tmp_path / 'epoch_2.pth'}"
    assert lines[1].endswith(f"{tmp_path / 'epoch_2.pth'} --eval segm")


@pytest.mark.dist
def test_a_closed_terminal_saves_and_leaves(together, miniature, tmp_path):
    process = together.start(miniature.watch_a_terminal_close, tmp_path)
    process.join(60)
    process.kill()
    assert (tmp_path / "code").read_text() == "129"
    assert (tmp_path / "step_2.pth").is_file()
    assert "ended: stopped by SIGHUP after step 2" in log_of(tmp_path)


@pytest.mark.dist
def test_a_reader_of_stderr_that_is_gone_stops_no_run(together, miniature, tmp_path):
    process = together.start(miniature.told_to_nobody, tmp_path)
    process.join(60)
    process.kill()
    assert process.exitcode == 143
    assert (tmp_path / "step_2.pth").is_file()
