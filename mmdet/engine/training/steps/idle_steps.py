"""A run in which nothing can learn: steps in a row whose gradient is exactly 0, told once."""

from __future__ import annotations

from collections.abc import Callable

MANY = 25  # steps; a few batches without an object happen in data with empty frames


class IdleSteps:
    """Counts them. A loss of a frame without objects is 0, and a frozen part gets no gradient."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._told = False

    def meet(self, gradient_norm: float, say: Callable[[str], object]) -> None:
        """Count one step; `say` gets a line after the first row of many."""
        self._in_a_row = self._in_a_row + 1 if gradient_norm == 0 else 0
        if self._in_a_row == MANY and not self._told:
            self._told = True
            say(
                f"warning: nothing is learned, the gradient of {MANY} steps in a row was exactly 0: do the annotations "
                "have objects (tools/check_data.py tells), and does what learns lead to a loss (config.model.frozen)?"
            )
