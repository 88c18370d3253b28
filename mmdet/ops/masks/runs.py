"""Run lengths of many masks at once: of masks on any device, from COCO's compressed counts, and to them.

Compiled ops code the counts; without them numpy and pycocotools do the same. Decoded counts are checked, because they
come from files and pycocotools trusts its input. COCO's code: signed numbers of 6-bit characters, lowest digit first;
from the fourth number on each is the difference to the number two places before (maskApi.c, rleFrString).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

from mmdet.errors import shown
from mmdet.ops import extension
from mmdet.ops.host_copy import HostCopy
from mmdet.structures.short_text import ShortText

_CODE_BASE = 48  # a character is 48 + a digit of 5 bits, + 32 if more follow
_DIGIT = 0x1F
_SIGN = 0x10  # sign of a number: the top bit of its last digit
_MORE = 0x20
_MAX_DIGITS = 6
_MALFORMED = -1
_INT32_RANGE = 2**31
_PIXELS_AT_ONCE = 2**28  # pixels transposed and compared on a device: half a GiB
_RUNS_A_THREAD = 2**17  # half a millisecond's work; the masks of a real frame have a tenth of it
_MAX_THREADS = 8


@dataclass(frozen=True, slots=True, repr=False)
class Runs(ShortText):
    """The runs of N masks one after the other, alternately background and foreground, an even number per mask."""

    lengths: NDArray[np.int32]  # (R,)
    starts: NDArray[np.int64]  # (N + 1,) where the runs of each mask start, and the end
    areas: NDArray[np.int64]  # (N,) pixels of each mask

    def lengths_of(self, mask: int) -> NDArray[np.int32]:
        """Return the runs of one mask."""
        return self.lengths[self.starts[mask] : self.starts[mask + 1]]


def decode_counts(counts: Sequence[str], pixels: Sequence[int], *, compiled: bool = True) -> Runs:
    """Decode the counts of masks that have `pixels` pixels each (below 2^31).

    With `compiled` False numpy is used even if the compiled op is built. Raises ValueError that says what is wrong with
    malformed counts.
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


def find_runs(masks: Tensor) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the run lengths (R,) of masks (N, H, W) bool down the columns, and where each mask's runs start (N + 1,).

    Background comes first, with length 0 if the first pixel is foreground. The masks' device finds the runs; only the
    runs are copied to the host, which waits for them.
    """
    pixels = masks.shape[1] * masks.shape[2]
    parts = [_find_runs(part) for part in masks.split(max(1, _PIXELS_AT_ONCE // pixels))] if len(masks) else []
    lengths = np.concatenate([np.zeros(0, np.int32), *(runs for runs, _ in parts)])
    starts = np.cumsum(np.concatenate([np.zeros(1, np.int64), *(counts for _, counts in parts)]))
    return lengths, starts


def encode_counts(lengths: NDArray[np.int32], starts: NDArray[np.int64], *, compiled: bool = True) -> list[str]:
    """Encode the runs of N masks, as `find_runs` returns them, as COCO's compressed counts; `compiled` as above.

    If there are many runs, as in noise, threads share them.
    """
    if not (compiled and extension.load()):
        return [_encode_slowly(lengths[start:end]) for start, end in pairwise(starts.tolist())]
    edges = np.searchsorted(starts, np.arange(starts[0], starts[-1], _RUNS_A_THREAD))  # no mask is divided
    parts = [(lengths, starts[start : end + 1]) for start, end in pairwise([*np.unique(edges), len(starts) - 1])]
    coded = map(_encode, parts) if len(parts) == 1 else _threads().map(_encode, parts)
    return [counts for part in coded for counts in part]


def track_overlaps(runs: Runs, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum the intersections of masks over frames for each pair of tracks, (N, T) and (M, T) to (N, M).

    Tracks hold indices of masks in `runs`, -1 without a mask. All masks have one size. Needs the compiled op.
    """
    arrays = (runs.lengths, runs.starts, first, second)
    sums: NDArray[np.int64] = torch.ops.memcnp.rle_overlaps(*map(torch.from_numpy, arrays)).numpy()
    return sums


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="rle")


def _encode(runs: tuple[NDArray[np.int32], NDArray[np.int64]]) -> list[str]:
    """Encode with the compiled op, which lets other threads run meanwhile."""
    text, ends = torch.ops.memcnp.rle_encode(*map(torch.from_numpy, runs))
    characters = memoryview(text.numpy())
    return [str(characters[start:end], "ascii") for start, end in pairwise([0, *ends.tolist()])]


def _encode_slowly(runs: NDArray[np.int32]) -> str:
    pixels = int(runs.sum())
    coded: bytes = coco_mask.frPyObjects({"size": [1, pixels], "counts": runs.tolist()}, 1, pixels)["counts"]
    return coded.decode("ascii")


def _find_runs(masks: Tensor) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the run lengths of masks and the number of runs per mask."""
    columns = masks.transpose(1, 2).flatten(1)
    ends = torch.ones(len(masks), columns.shape[1] + 1, dtype=torch.bool, device=masks.device)
    ends[:, 0] = columns[:, 0]
    torch.ne(columns[:, 1:], columns[:, :-1], out=ends[:, 1:-1])  # the last pixel always ends a run
    places = ends.flatten().nonzero().squeeze(1)
    lengths = torch.diff(places, prepend=places.new_full((1,), -1))
    packed = HostCopy(torch.cat([ends.sum(dim=1, dtype=torch.int32), lengths.int()])).wait().numpy()
    counts, runs = packed[: len(masks)].astype(np.int64), packed[len(masks) :].copy()
    runs[np.cumsum(counts) - counts] -= 1  # a row of `ends` has one element more than a mask has pixels
    return runs, counts


def _decode(text: bytearray, ends: NDArray[np.int64], pixels: NDArray[np.int64]) -> Runs:
    """Decode with numpy, all masks together in few passes, because a video has a million characters."""
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
    # 32 bits are exact and twice as fast, unless numbers are far larger than any in a mask.
    bound = int((row_ends - begin).max()) * max(-int(table.min()), int(table.max()))
    exact = np.int32 if bound < _INT32_RANGE else np.int64
    table = table.astype(exact, copy=False)
    first_runs = table[begin, 0]
    table[begin, 0] = 0  # the third number is not a difference to the first
    # Subtract the sum of each mask at the start of the next, so that one cumulative sum undoes the differences of all.
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
    """Combine the digits of each number."""
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
