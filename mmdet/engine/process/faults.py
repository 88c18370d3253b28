"""Faults of the machine, each reported in one line with its remedy. All other errors keep their traceback."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from mmdet.engine.process.endings import RunEnded
from mmdet.structures import ClipBatch

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
START_AGAIN = "start again"
# Torch reports these faults as plain RuntimeErrors with such texts.
_WORKER = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:exited unexpectedly|is killed by signal: (\w+))"
)
_NOT_DETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")
_PEER_LOST = re.compile(r"Connection (?:closed|reset) by peer|Socket Timeout|remote process exited|Broken pipe")


@contextmanager
def telling_faults(remedy: str) -> Iterator[None]:
    """Turn a known fault into the end of the run; `remedy` says how to go on, such as an option."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if (fault := known_fault(error, remedy)) is None:
            raise
        raise fault from error


def known_fault(error: BaseException, remedy: str = START_AGAIN) -> RunEnded | None:
    """Return the end of a run for a full disk or GPU, or a data worker or process that died; None for other errors."""
    text = str(error)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        where = f" ({error.filename})" if error.filename else ""
        return RunEnded(f"the disk is full{where}: {error.strerror}; make room and {remedy}")
    if not isinstance(error, RuntimeError):
        return None
    if isinstance(error, torch.OutOfMemoryError):
        return RunEnded(
            f"the GPU's memory is full ({_first_sentence(text)}): lower data.test.chunk_size, or data.valid.chunk_size "
            f"for validation; {remedy}"
        )
    if worker := _WORKER.search(text):
        how = f" by signal {worker[2]}" if worker[2] else ""
        return RunEnded(
            f"a loading process of the data (pid {worker[1]}) was killed{how}, for lack of memory perhaps: {remedy}, "
            "and with fewer workers (data.train.workers, data.test.workers) if it happens again"
        )
    if operation := _NOT_DETERMINISTIC.search(text):
        return RunEnded(
            f"--deterministic: {operation[1]} of this model has no deterministic form in torch; leave it out"
        )
    if lost := _PEER_LOST.search(text):
        return RunEnded(f"another process of the run ended, see its message ({lost[0].lower()} here); {remedy}")
    return None


def out_of_memory(error: Exception, step: int, batches: Sequence[ClipBatch]) -> RunEnded:
    """Return the end of a run for a GPU with too little memory for a step on `batches`."""
    sizes = []
    for batch in batches:
        truth = batch.truth_of_pairs
        objects = (truth.valid | truth.is_crowd).sum(dim=1).tolist()
        height, width = batch.images.shape[-2:]
        sizes.append(
            f"{_clips(*batch.images.shape[:2])} of {height} x {width} with {objects} objects ({batch.describe()})"
        )
    peak = f", peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if torch.cuda.is_available() else ""
    reason = f"{_first_sentence(str(error))}{peak}"
    return RunEnded(
        f"step {step} does not fit into the GPU's memory ({reason}): {'; '.join(sizes)}. Lower data.train.batch_size "
        "(and raise runtime.accumulate to keep the pairs per step) or the sizes of the transforms, set "
        "model.backbone.checkpointing=True, or use --amp bf16; then go on with --resume_from auto"
    )


def _clips(count: int, length: int) -> str:
    return f"{count} pairs" if length == 2 else f"{count} clips of {length} frames"


def _first_sentence(text: str) -> str:
    return text.partition("\n")[0].partition(". ")[0]
