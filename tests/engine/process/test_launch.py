"""Starting processes, and the ways they end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace

import pytest
import torch

from mmdet.engine.checkpoints.file import load_checkpoint
from mmdet.engine.process import endings as outcomes
from mmdet.engine.process import launch
from mmdet.engine.process import processes as distributed
from mmdet.engine.process.endings import RunEnded
from mmdet.errors import UserError


def pretend(monkeypatch, gpus, cores):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(launch, "available_cores", lambda: cores)


@pytest.mark.parametrize(
    ("gpus", "cores", "wanted", "message"),
    [
        (2, 8, 3, "--gpus 3: this machine has 2"),
        (0, 4, 5, "--gpus 5: no GPU here and 4 cores"),
        (2, 8, 0, "expected 1 or more"),
    ],
)
def test_more_processes_than_the_machine_offers_are_refused(monkeypatch, gpus, cores, wanted, message):
    pretend(monkeypatch, gpus, cores)
    with pytest.raises(UserError, match=message):
        launch.launch(print, wanted, "none", Namespace())


def test_one_process_runs_here(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    pretend(monkeypatch, 0, 1)
    seen = []
    launch.launch(lambda ranks, args: seen.append((ranks, args.word)), 1, "none", Namespace(word="hello"))
    assert seen[0][1] == "hello"
    assert seen[0][0] == distributed.Ranks(rank=0, local_rank=0, world_size=1, device=torch.device("cpu"))
    assert seen[0][0].is_main


def test_torchrun_without_its_launcher_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UserError, match="--launcher pytorch"):
        launch.launch(print, 1, "none", Namespace())


@pytest.mark.parametrize(
    ("launcher", "name", "starter"), [("pytorch", "RANK", "torchrun"), ("slurm", "MASTER_ADDR", "srun")]
)
def test_a_launcher_that_did_not_start_us_is_named(monkeypatch, launcher, name, starter):
    for variable in ("RANK", "SLURM_JOB_NODELIST", "MASTER_ADDR"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError, match=f"--launcher {launcher}: .*{starter}"):
        launch.launch(print, 1, launcher, Namespace())


def test_slurm_jobs_on_one_node_get_ports_of_their_own():
    ports = {
        distributed.slurm_rendezvous({"MASTER_ADDR": "node1", "SLURM_JOB_ID": job})["MASTER_PORT"] for job in "123"
    }
    assert len(ports) == 3


def test_what_the_user_set_for_slurm_stands():
    given = {"MASTER_ADDR": "node1", "MASTER_PORT": "5", "SLURM_JOB_ID": "7"}
    assert distributed.slurm_rendezvous(given) == {"MASTER_ADDR": "node1", "MASTER_PORT": "5"}


TRACKER = """
import signal
from multiprocessing import resource_tracker
from mmdet.engine.process import launch
launch._start_tracker()
status = open(f"/proc/{resource_tracker._resource_tracker._pid}/status").read()
blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
print(blocked >> (signal.SIGHUP - 1) & 1, signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_closed_terminal_does_not_end_the_helper_of_several_processes():
    done = subprocess.run([sys.executable, "-c", TRACKER], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("no such file"), 2, "no such file"),
        (RunEnded("loss nan"), 1, "loss nan"),
        (RunEnded("stopped", 143), 143, "stopped"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_an_early_end_is_one_line_and_an_exit_code(capsys, monkeypatch, error, code, line):
    monkeypatch.setattr(sys, "argv", ["/somewhere/train.py"])

    def main():
        raise error

    with pytest.raises(SystemExit) as caught:
        outcomes.run_command_line(main)
    assert caught.value.code == code
    assert capsys.readouterr().err == f"train.py: {line}\n"


def test_a_command_lines_own_code_is_its_exit_code():
    for code in (0, 2):
        with pytest.raises(SystemExit) as caught:
            outcomes.run_command_line(lambda code=code: code)
        assert caught.value.code == code


def test_letters_that_no_file_may_have_here_end_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")

    def write():
        "wörk".encode("ascii")

    def look():
        raise UserError("annotation file ü.json does not exist")

    with pytest.raises(SystemExit) as caught:
        outcomes.run_command_line(write)
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "train.py: 'wörk' has letters that ascii, this locale's encoding or a file's, lacks: set PYTHONUTF8=1\n"
    )
    with pytest.raises(SystemExit):
        outcomes.run_command_line(look)
    assert "(this locale's encoding, ascii, cannot name such files: set PYTHONUTF8=1)" in capsys.readouterr().err


def test_an_error_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        outcomes.run_command_line(lambda: 1 // 0)


def children(*targets):
    """Start processes that run `target(reports)`; return them and the queue of their reports."""
    context = multiprocessing.get_context("fork")  # quick, and nothing here has started threads
    reports = context.SimpleQueue()
    processes = [
        context.Process(target=target, args=(reports,), name=f"process {i}") for i, target in enumerate(targets)
    ]
    for process in processes:
        process.start()
    return processes, reports


def fail(reports, message="a bug", code=1):
    reports.put((message, code))
    os._exit(code)


def end(processes):
    for process in processes:
        process.kill()


def test_the_first_process_to_fail_is_reported_without_waiting_for_others():
    processes, reports = children(lambda reports: time.sleep(60), fail)
    with pytest.raises(RunEnded, match="a bug"):
        launch._wait(processes, reports)
    end(processes)


def test_a_user_error_of_a_process_stays_one():
    processes, reports = children(lambda reports: fail(reports, "no such file", 2))
    with pytest.raises(UserError, match="no such file"):
        launch._wait(processes, reports)


def test_a_killed_process_is_reported():
    processes, reports = children(lambda reports: None, lambda reports: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(RunEnded, match=r"process 1 was killed by signal 9 \(out of memory\?\)"):
        launch._wait(processes, reports)


def test_a_stopped_process_leaves_the_others_their_time(tmp_path):
    def save(reports):
        time.sleep(0.5)
        (tmp_path / "saved").touch()

    processes, reports = children(lambda reports: fail(reports, "stopped", 143), save)
    with pytest.raises(RunEnded, match="stopped"):
        launch._wait(processes, reports)
    assert (tmp_path / "saved").exists()


@pytest.fixture(scope="module")
def two_processes(run_miniature, tmp_path_factory):
    """The folder and the outcome of a program in two processes that trained three times."""
    if launch.available_cores() < 2:
        pytest.skip("needs two cores")
    folder = tmp_path_factory.mktemp("two")
    return folder, run_miniature(folder)


@pytest.mark.dist
def test_two_processes_equal_one_with_twice_the_batch(two_processes, miniature, tmp_path):
    folder, result = two_processes
    assert result.stderr.count("2 processes (gloo) share the CPU") == 1
    two = load_checkpoint(folder / "plain" / "epoch_2.pth")
    assert len(two["random_states"]) == 2
    one = miniature.make_trainer(tmp_path, batch_size=4)
    one.run()
    for name, value in one.model.state_dict().items():
        torch.testing.assert_close(two["model"][name], value, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.dist
def test_a_loss_that_is_not_finite_in_one_process_stops_all_with_one_message(two_processes):
    folder, _ = two_processes
    messages = [(folder / "nan" / f"error_{rank}.txt").read_text() for rank in (0, 1)]
    assert messages[0] == messages[1]
    assert "step 2 (epoch 1) is not finite" in messages[0]
    assert messages[0].count("loss_error nan") == messages[0].count("loss_error") == 1
    assert not list((folder / "nan").glob("*.pth"))


@pytest.mark.dist
def test_a_signal_to_one_process_stops_all_after_the_same_step(two_processes):
    folder, result = two_processes
    assert result.returncode == 128 + signal.SIGTERM, result.stderr
    assert "miniature.py: stopped by SIGTERM after step 2 of 6" in result.stderr
    assert "Traceback" not in result.stderr
    assert load_checkpoint(folder / "signal" / "step_2.pth")["position"]["world_size"] == 2
