"""Processes for tests, forked from a server that has imported torch once: a test waits for no imports.

The server has never touched a GPU or started a thread, whatever the tests have done.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["pytest", "torch", "torch.utils.tensorboard", "mmdet.engine.training.run"])


def on_the_cpu():
    """Let this process see no GPU and start no threads."""
    import torch

    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(1)


def start(target, *args):
    """Start `target(*args)`; it has to be importable, by the name of its file in tests/helpers."""
    process = SERVER.Process(target=target, args=args, daemon=False)
    process.start()
    return process


def run_ranks(target, count, folder: Path, *args, timeout=60, gpus=False):
    """Run `target(ranks, folder, *args)` in `count` gloo or, on GPUs, NCCL processes and return their exit codes."""
    rendezvous = folder / f"rendezvous_{len(list(folder.iterdir()))}"
    processes = [start(_rank, target, rank, count, rendezvous, folder, args, gpus) for rank in range(count)]
    for process in processes:
        process.join(timeout)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def run_program(program, count, *arguments, timeout=100):
    """Run train.py or test_video.py as torchrun would in `count` processes, or alone; return their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = [start(_program, program, rank, count, port, [str(a) for a in arguments]) for rank in range(count)]
    for process in processes:
        process.join(timeout)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def _program(program, rank, count, port, arguments):
    on_the_cpu()
    os.chdir(ROOT)
    if count > 1:
        arguments = [*arguments, "--launcher", "pytorch"]
        given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in given.items()}, MASTER_ADDR="127.0.0.1")
    sys.argv = [program, *arguments]
    runpy.run_path(str(ROOT / program), run_name="__main__")


def _rank(target, rank, count, rendezvous, folder, args, gpus):
    if not gpus:
        on_the_cpu()
    from mmdet.engine.process.processes import connect, disconnect

    ranks = connect(rank, rank, count, f"file://{rendezvous}")
    target(ranks, folder, *args)
    disconnect()
