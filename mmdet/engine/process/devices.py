"""Devices: choose one by name or rank, set the number of CPU threads, move models."""

from __future__ import annotations

import os
from typing import TypeVar

import cv2
import torch
from torch import nn

from mmdet.errors import UserError

Module = TypeVar("Module", bound=nn.Module)

_RESIZE_STRIPES = 6  # cv2 divides a frame of 480 x 864 into so many: one per 2^16 pixels (OpenCV, resize.cpp)


def chosen_device(name: str | None) -> torch.device:
    """Return the device with a name: cpu, cuda, cuda:N, or just the number of a GPU.

    Without a name it is the first GPU if there is one, else the CPU. Raises UserError if the device does not exist.
    """
    count = torch.cuda.device_count()
    if name is None:
        return torch.device("cuda", 0) if count else torch.device("cpu")
    kind, _, number = f"cuda:{name}".partition(":") if name.isdecimal() else name.partition(":")
    if (kind, number) == ("cpu", ""):
        return torch.device("cpu")
    if kind != "cuda" or not (number.isdecimal() or name == "cuda"):
        raise UserError(f"--device {name} is unknown: expected cpu, cuda, or the number of a GPU (0 is cuda:0)")
    if count == 0:
        raise UserError(f"--device {name}: this torch finds no GPU that it can use; use --device cpu")
    if int(number or 0) >= count:
        raise UserError(f"--device {name}: this machine has {count} GPUs, numbered from 0 to {count - 1}")
    return torch.device("cuda", int(number or 0))


def pick_device(local_rank: int) -> torch.device:
    """Return the GPU of a local rank, or the CPU if there is no GPU. Raises UserError if there are too few GPUs."""
    count = torch.cuda.device_count()
    if count == 0:
        return torch.device("cpu")
    if local_rank >= count:
        raise UserError(f"process {local_rank} of this machine has no GPU of its own: {count} here; start fewer")
    return torch.device("cuda", local_rank)


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads(device: torch.device, wanted: int | None = None) -> None:
    """Set the number of this process's threads for CPU work. The default is one with a GPU, else torch's own choice.

    With a GPU the CPU has little to compute, and waiting threads take processors from the workers: with 32 threads on
    32 processors the tracking of a frame takes 5 ms instead of 0.5 ms. OpenCV keeps a few threads to resize the frames
    of a stream; a loader's workers set their own number.
    """
    if wanted is not None:
        torch.set_num_threads(wanted)
    elif device.type == "cuda":
        torch.set_num_threads(1)
        cv2.setNumThreads(min(_RESIZE_STRIPES, available_cores()))


def place_model(model: Module, device: torch.device) -> Module:
    """Move a model to its device.

    On the CPU it gets the channels-last layout, which makes convolutions a fifth faster.
    """
    model = model.to(device)
    return model.to(memory_format=torch.channels_last) if device.type == "cpu" else model
