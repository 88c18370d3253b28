"""The device that a command line names: cpu, cuda, cuda:N, or the number of a GPU alone."""

from __future__ import annotations

import torch

from mmdet.errors import UserError


def chosen_device(name: str | None) -> torch.device:
    """Return the device of a name, the first GPU or else the CPU without one. Raises UserError if it is not there."""
    count = torch.cuda.device_count()
    if name is None:
        return torch.device("cuda", 0) if count else torch.device("cpu")
    kind, _, number = f"cuda:{name}".partition(":") if name.isdecimal() else name.partition(":")
    if (kind, number) == ("cpu", ""):
        return torch.device("cpu")
    if kind != "cuda" or not (number.isdecimal() or name == "cuda"):
        raise UserError(f"--device {name} is unknown: expected cpu, cuda, or the number of a GPU (0 is cuda:0)")
    if count == 0:
        raise UserError(f"--device {name}: no GPU that this torch can use is here; say --device cpu")
    if int(number or 0) >= count:
        raise UserError(f"--device {name}: this machine has {count} GPUs, numbered from 0 to {count - 1}")
    return torch.device("cuda", int(number or 0))
