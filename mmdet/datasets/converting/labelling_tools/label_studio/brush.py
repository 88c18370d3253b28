"""Brush masks: an RGBA picture in the bit stream of @thi.ng/rle-pack, whose alpha channel is the mask.

The stream: 32 bits, the number of values; 5 bits, a value's width less 1; four times 4 bits, the widths less 1 of
counts. Then, until all values are there: 1 bit, whether a value is repeated; 2 bits, which width the count has; the
count less 1; the value that is repeated, or so many values. Source: the documentation of rle-pack.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdet.errors import UserError, shown
from mmdet.structures import Size

_CHANNELS = 4
_WEIGHTS = 2 ** np.arange(31, -1, -1, dtype=np.int64)
_WIDEST_VALUE = 8  # bits


def decode_brush(numbers: Any, size: Size, where: str) -> np.ndarray:
    """Return the mask (H, W) bool of the bytes of a brush, given as a list of numbers.

    Raises UserError if they are none, or those of a picture of another size.
    """
    is_list = isinstance(numbers, list) and all(type(number) is int and 0 <= number < 256 for number in numbers)
    if not is_list:
        raise UserError(f"{where}: 'rle' is {shown(numbers)}, expected a list of bytes")
    height, width = size
    stream = _Bits(np.unpackbits(np.array(numbers, np.uint8)), where)
    total = stream.number(32)
    if total != height * width * _CHANNELS:
        raise UserError(f"{where}: the brush holds {total} values, a frame of {width}x{height} has {_CHANNELS} a pixel")
    values = np.zeros(total, np.uint8)
    value_bits = stream.number(5) + 1
    if value_bits > _WIDEST_VALUE:
        raise UserError(f"{where}: the brush has values of {value_bits} bits, expected {_WIDEST_VALUE}")
    count_bits = [stream.number(4) + 1 for _ in range(4)]
    done = 0
    while done < total:
        is_repeated = stream.number(1)
        count = stream.number(count_bits[stream.number(2)]) + 1
        end = min(done + count, total)
        values[done:end] = stream.number(value_bits) if is_repeated else stream.numbers(count, value_bits)[: end - done]
        done = end
    return np.asarray(values.reshape(height, width, _CHANNELS)[..., -1] > 0)


class _Bits:
    """Reads numbers from bits (N,), the highest bit first."""

    def __init__(self, bits: np.ndarray, where: str) -> None:
        self._bits, self._where, self._place = bits, where, 0

    def number(self, width: int) -> int:
        """Return the next number of `width` bits."""
        return int(self._next(width) @ _WEIGHTS[-width:])

    def numbers(self, count: int, width: int) -> np.ndarray:
        """Return the next numbers (count,) of `width` bits each."""
        return self._next(count * width).reshape(count, width) @ _WEIGHTS[-width:]

    def _next(self, count: int) -> np.ndarray:
        part = self._bits[self._place : self._place + count]
        if len(part) < count:
            raise UserError(f"{self._where}: the brush ends early, perhaps cut off while copying")
        self._place += count
        return part
