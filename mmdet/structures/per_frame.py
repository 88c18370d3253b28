"""Sequences with one value per frame of a video that take memory only for the frames that have one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from mmdet.structures.short_text import ShortText

Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PerFrame(ShortText, Sequence[Value | None]):
    """One value per frame for `length` frames, None in most: only the others take memory."""

    length: int
    frames: tuple[int, ...]  # those with a value, ascending
    values: tuple[Value, ...]  # parallel to `frames`

    def __repr__(self) -> str:
        return f"<values in {len(self.frames)} of {self.length} frames>"

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Value | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value | None]: ...
    def __getitem__(self, index: int | slice) -> Value | None | Sequence[Value | None]:
        if isinstance(index, slice):
            return self.spread()[index]
        frame = range(self.length)[index]
        place = bisect_left(self.frames, frame)
        return self.values[place] if place < len(self.frames) and self.frames[place] == frame else None

    def __iter__(self) -> Iterator[Value | None]:
        return iter(self.spread())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(other) == self.length and all(own == theirs for own, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def spread(self) -> list[Value | None]:
        """Return all values, with None in the frames between them."""
        spread: list[Value | None] = [None] * self.length
        for frame, value in zip(self.frames, self.values, strict=True):
            spread[frame] = value
        return spread


def seen_values(values: Sequence[Value | None]) -> Sequence[Value]:
    """Return the values that are not None, in order."""
    return values.values if isinstance(values, PerFrame) else [value for value in values if value is not None]
