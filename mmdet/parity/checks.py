"""The result of one comparison with a recorded number, and the ways to measure an error.

An error is a float. It is infinite if values are not comparable (another shape, NaN), so that the check fails.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Check:
    """One quantity: its distance from the recorded number, and the allowed distance."""

    name: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; false for NaN."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        """Return a line for people."""
        mark = "ok  " if self.passed else "FAIL"
        return f"{mark}  {self.name:<64} {self.error:9.2e}  (<= {self.tolerance:.1e})"


def _arrays(actual: Any, expected: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return both in float64, or None if their shapes differ."""
    if isinstance(actual, torch.Tensor):
        actual = actual.detach().cpu()
    found, wanted = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    return (found, wanted) if found.shape == wanted.shape else None


def _largest(errors: np.ndarray) -> float:
    worst = float(errors.max()) if errors.size else 0.0
    return math.inf if math.isnan(worst) else worst


def of_maximum(name: str, actual: Any, expected: Any, tolerance: float) -> Check:
    """Measure the largest difference as a fraction of the expected array's maximum."""
    pair = _arrays(actual, expected)
    if pair is None:
        return Check(name, math.inf, tolerance)
    difference, maximum = _largest(abs(pair[0] - pair[1])), _largest(abs(pair[1]))
    if difference == 0:
        return Check(name, 0.0, tolerance)
    return Check(name, difference / maximum if 0 < maximum < math.inf else math.inf, tolerance)


def absolute(name: str, actual: Any, expected: Any, tolerance: float) -> Check:
    """Measure the largest difference."""
    pair = _arrays(actual, expected)
    return Check(name, math.inf if pair is None else _largest(abs(pair[0] - pair[1])), tolerance)


def mixed(name: str, actual: Any, expected: Any, tolerance: float) -> Check:
    """Measure the largest difference as a fraction of 1 + |expected|.

    It is absolute for small values and relative for large ones.
    """
    pair = _arrays(actual, expected)
    error = math.inf if pair is None else _largest(abs(pair[0] - pair[1]) / (1 + abs(pair[1])))
    return Check(name, error, tolerance)


def equal(name: str, actual: Any, expected: Any) -> Check:
    """Count the entries that differ. None may differ."""
    pair = _arrays(actual, expected)
    return Check(name, math.inf if pair is None else float((pair[0] != pair[1]).sum()), 0.0)


def same_members(name: str, actual: Collection[Any], expected: Collection[Any]) -> Check:
    """Count the members that only one of two collections has. None may differ."""
    return Check(name, float(len(set(actual) ^ set(expected))), 0.0)


def differing_pixels(name: str, actual: Any, expected: Any, tolerance: float) -> Check:
    """Count the pixels in which two masks differ."""
    return Check(name, equal(name, actual, expected).error, tolerance)


def worst_of_each(checks: Iterable[Check]) -> Iterator[Check]:
    """Merge checks with the same name (the frames of a clip) into the one with the largest error, keeping the order."""
    worst: dict[tuple[str, float], Check] = {}
    for check in checks:
        key = (check.name, check.tolerance)
        if key not in worst or not (math.isnan(worst[key].error) or check.error <= worst[key].error):
            worst[key] = check
    yield from worst.values()
