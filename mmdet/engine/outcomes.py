"""How a run may end before its time: an error of the computation, or a signal. Command lines print it as one line.

`mmdet.errors.UserError` is for what the user can mend; what is here ends a run that was right to start.
"""

from __future__ import annotations

USER_ERROR_CODE = 2
SIGNAL_CODE_BASE = 128  # shells report a process ended by signal n as 128 + n


class RunEnded(Exception):  # noqa: N818  # not every end is an error
    """A run ended early: `exit_code` 1 after a failure, 128 + n after signal n."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message, exit_code)
        self.message, self.exit_code = message, exit_code

    def __str__(self) -> str:
        return self.message

    @property
    def failed(self) -> bool:
        """Whether it went wrong, rather than being asked to stop."""
        return self.exit_code < SIGNAL_CODE_BASE
