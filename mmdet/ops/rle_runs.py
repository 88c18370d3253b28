"""Run lengths of many masks at once, from COCO's compressed counts: the compiled op, or the same in numpy.

Everything is checked, as pycocotools trusts its input and counts are whatever a file holds. COCO's code: numbers of
6-bit characters with sign, lowest digit first, each from the fourth on the difference to the number before the last
(maskApi.c, rleFrString). Knows nothing of images, tracks or json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmdet.config import shown
from mmdet.ops import extension

_CODE_BASE = 48  # a character is 48 + a digit of 5 bits, + 32 if more follow
_DIGIT = 0x1F
_SIGN = 0x10  # of a number: the top bit of its last digit
_MORE = 0x20
_MAX_DIGITS = 6
_MALFORMED = -1
_INT32_RANGE = 2**31


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of N masks one after the other, background and foreground in turn, an even number for each mask."""

    lengths: NDArray[np.int32]  # (R,)
    starts: NDArray[np.int64]  # (N + 1,) where each mask's runs begin, and the end
    areas: NDArray[np.int64]  # (N,) pixels of each mask

    def of(self, mask: int) -> NDArray[np.int32]:
        """Return the runs of one mask."""
        return self.lengths[self.starts[mask] : self.starts[mask + 1]]


def decode_counts(counts: Sequence[str], pixels: Sequence[int], *, compiled: bool = True) -> Runs:
    """Decode the counts of masks of so many `pixels` each (below 2^31).

    With `compiled` False the numpy path runs even where the compiled op is built. Raises ValueError that says what is
    wrong with a malformed one.
    """
    try:
        text = bytearray("".join(counts), "latin-1")
    except UnicodeEncodeError:
        raise ValueError("counts hold a character that no run-length code has") from None
    ends = np.cumsum(np.fromiter(map(len, counts), np.int64, len(counts)))
    sizes = np.array(pixels, dtype=np.int64)
    if compiled and extension.load():
        tensors = [torch.from_numpy(array) for array in (np.frombuffer(text, np.uint8), ends, sizes)]
        runs = Runs(*(tensor.numpy() for tensor in torch.ops.memcnp.rle_decode(*tensors)))
        for mask in np.flatnonzero(runs.areas == _MALFORMED)[:1].tolist():
            decode_counts(counts[mask : mask + 1], pixels[mask : mask + 1], compiled=False)  # says what is wrong
            raise ValueError(f"counts are malformed: {shown(counts[mask])}")
        return runs
    return _decode(text, ends, sizes)


def track_overlaps(runs: Runs, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum the intersections of masks over frames, for each pair of tracks: (N, T) and (M, T) to (N, M).

    Tracks hold positions in `runs`, -1 where there is no mask; all masks have one size. Needs the compiled op.
    """
    arrays = (runs.lengths, runs.starts, first, second)
    sums: NDArray[np.int64] = torch.ops.memcnp.rle_overlaps(*map(torch.from_numpy, arrays)).numpy()
    return sums


def _decode(text: bytearray, ends: NDArray[np.int64], pixels: NDArray[np.int64]) -> Runs:
    """Decode in numpy, all masks side by side; few passes, as there are a million characters a video."""
    if not len(ends):
        return Runs(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, np.int64))
    code = np.frombuffer(text, dtype=np.uint8) - np.uint8(_CODE_BASE)
    if code.max(initial=0) > _MORE | _DIGIT:
        raise ValueError("counts hold a character that no run-length code has")
    is_last = code < _MORE
    if not np.diff(ends, prepend=0).all():
        raise ValueError("counts cover 0 pixels: they are empty")
    if not is_last[ends - 1].all():
        raise ValueError("counts end in the middle of a number")
    number_ends = np.flatnonzero(is_last)
    per_mask = np.diff(np.searchsorted(number_ends, ends), prepend=0)
    numbers = _numbers(code, number_ends)

    # Pad to an even number of runs, so that background and foreground are columns.
    odd = np.flatnonzero(per_mask & 1)
    table = np.insert(numbers, np.cumsum(per_mask)[odd], 0).reshape(-1, 2)
    row_ends = np.cumsum((per_mask + 1) // 2)
    begin = np.append(0, row_ends[:-1])
    # Exact in 32 bits, twice as fast, unless the numbers are far larger than a mask's.
    bound = int((row_ends - begin).max()) * max(-int(table.min()), int(table.max()))
    exact = np.int32 if bound < _INT32_RANGE else np.int64
    table = table.astype(exact, copy=False)
    first_runs = table[begin, 0]
    table[begin, 0] = 0  # the third number is no difference to the first
    # Take the sum of each mask back at the start of the next: one running sum then undoes the differences of all.
    table[begin[1:]] -= np.add.reduceat(table, begin, axis=0)[:-1]
    runs = np.cumsum(table, axis=0, dtype=exact)
    runs[begin, 0] = first_runs
    runs[row_ends[odd] - 1, 1] = 0
    if runs.min() < 0:
        raise ValueError(f"counts hold a negative run ({runs.min()})")
    sums = np.add.reduceat(runs, begin, axis=0, dtype=np.int64)
    for mask in np.flatnonzero(sums.sum(axis=1) != pixels)[:1].tolist():
        raise ValueError(f"counts cover {sums[mask].sum()} pixels, the mask has {pixels[mask]}")
    return Runs(runs.reshape(-1).astype(np.int32, copy=False), 2 * np.append(0, row_ends), sums[:, 1].copy())


def _numbers(code: NDArray[np.uint8], number_ends: NDArray[np.int64]) -> NDArray[np.int32]:
    """Put the digits of each number together."""
    numbers = code[number_ends].astype(np.int32)
    numbers -= (numbers & _SIGN) << 1
    lengths = np.diff(number_ends, prepend=-1)
    longer = np.flatnonzero(lengths > 1)
    for place in range(1, _MAX_DIGITS):
        numbers[longer] = (numbers[longer] << 5) | (code[number_ends[longer] - place] & _DIGIT)
        longer = longer[lengths[longer] > place + 1]
    if len(longer):
        raise ValueError(f"counts hold a number of more than {_MAX_DIGITS} characters")
    return numbers
