"""One line for dataclasses that hold tensors: names, shapes and counts instead of thousands of numbers."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from torch import Tensor

_SHOWN_NUMBERS = 4  # of a tuple; longer ones are counted


class ShortText:
    """Gives a dataclass a `repr` of one line. Subclasses are declared with `repr=False`."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = [field.name for field in fields(self) if field.repr]  # type: ignore[arg-type]
        parts = (f"{name}={short_text(getattr(self, name))}" for name in shown)
        return f"{type(self).__name__}({', '.join(parts)})"


def short_text(value: Any) -> str:
    """Return a value as a few words: a tensor as its shape and type, a long sequence as the number of its items.

    >>> import torch
    >>> short_text(torch.zeros(3, 4)), short_text((480, 864)), short_text(["a"] * 36)
    ('float32 (3, 4)', '(480, 864)', '36 items')
    """
    if isinstance(value, Tensor):
        place = "" if value.device.type == "cpu" else f" on {value.device}"
        return f"{str(value.dtype).removeprefix('torch.')} {_shape(value.shape)}{place}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {_shape(value.shape)}"
    if isinstance(value, ShortText):
        return repr(value)
    if isinstance(value, list | tuple) and len(value) <= _SHOWN_NUMBERS and not any(map(_is_large, value)):
        return repr(value)
    if isinstance(value, Sequence | Mapping) and not isinstance(value, str | bytes):
        return f"{len(value)} items"
    return reprlib.repr(value)


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))})"


def _is_large(value: Any) -> bool:
    return not isinstance(value, int | float | str | None)
