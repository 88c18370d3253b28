"""Notice a run in which nothing is learned: many steps in a row with a gradient of exactly 0. Warn once."""

from __future__ import annotations

from collections.abc import Callable

MANY = 25  # steps; data with empty frames has a few batches without objects


class IdleSteps:
    """Counts steps without a gradient: losses of frames without objects are 0, and frozen parts get no gradient."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._told = False

    def meet(self, gradient_norm: float, say: Callable[[str], object]) -> None:
        """Count one step. `say` gets a line the first time that MANY come in a row."""
        self._in_a_row = self._in_a_row + 1 if gradient_norm == 0 else 0
        if self._in_a_row == MANY and not self._told:
            self._told = True
            say(
                f"warning: nothing is learned, the gradient of {MANY} steps in a row was exactly 0: do the annotations "
                "have objects (`memcnp check-data` tells), and does what learns lead to a loss (config.model.frozen)?"
            )
