"""Number types with a range, for fields of sections and arguments of parts: `lr: Amount`.

Ranges are checked when a config is loaded; to Python and type checkers these are int and float.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` (exclusive with `above`) to `high`, inclusive; always finite."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __contains__(self, value: Any) -> bool:
        inside = self.low <= value <= self.high and not (self.above and value == self.low)
        return inside and abs(value) != math.inf

    def __str__(self) -> str:
        """Return the range as text for an error: "more than 0", "from 0 to 1", "1 or more"."""
        if math.isfinite(self.high):
            start = f"more than {self.low:g}, at most" if self.above else f"from {self.low:g} to"
            return f"{start} {self.high:g}"
        return f"more than {self.low:g}" if self.above else f"{self.low:g} or more"


@dataclass(frozen=True, slots=True)
class Length:
    """A list of `count` values."""

    count: int


Count = Annotated[int, Range(1)]
Natural = Annotated[int, Range(0)]
Seed = Annotated[int, Range(0, 2**31 - 1)]
Amount = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
Fraction = Annotated[float, Range(0, 1)]
Factor = Annotated[float, Range(0, 1, above=True)]
