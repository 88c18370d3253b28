"""Which boxes of a two-stage model learn which object: all of them, and the sample that the losses are taken from.

Axes: B images, N boxes (anchors, or regions), S slots. No size depends on the data.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mmdet.structures.short_text import ShortText


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BoxAssignment(ShortText):
    """What every box learns. Boxes that are neither positive nor negative are ignored."""

    owner: Tensor  # (B, N) int64: row of the truth; without meaning where not `positive`
    positive: Tensor  # (B, N) bool
    negative: Tensor  # (B, N) bool: background


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Samples(ShortText):
    """The sampled boxes of every image: positives by index, then negatives by index, then slots that are not used."""

    index: Tensor  # (B, S) int64: of the box; 0 where not `valid`
    positive: Tensor  # (B, S) bool
    valid: Tensor  # (B, S) bool: slots that are valid and not positive are negative

    @property
    def negative(self) -> Tensor:
        """(B, S) bool."""
        return self.valid & ~self.positive
