"""The early end of a run, by an error of the computation or by a signal. Command lines print it as one line.

`mmdet.errors.UserError` is for mistakes that the user can correct; `RunEnded` ends a run that was started correctly.
Imports nothing heavy, because every command line starts here.
"""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from mmdet.engine.process.terminal import drop_if_gone, reader_is_gone, tell
from mmdet.errors import UserError, shown

USER_ERROR_CODE = 2
_REMEDY = "set PYTHONUTF8=1"
SIGNAL_CODE_BASE = 128  # shells report a process ended by signal n as 128 + n
_CLOSED_PIPE = SIGNAL_CODE_BASE + 13  # SIGPIPE's number, which not every system has


class RunEnded(Exception):  # noqa: N818  # not every end is an error
    """A run ended early: `exit_code` 1 after a failure, 128 + n after signal n."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message, exit_code)
        self.message, self.exit_code = message, exit_code

    def __str__(self) -> str:
        return self.message

    @property
    def failed(self) -> bool:
        """Whether the run failed, as opposed to being asked to stop."""
        return self.exit_code < SIGNAL_CODE_BASE


def run_command_line(main: Callable[[], int | None]) -> None:
    """Call `main` and exit with its code.

    A UserError or an early end prints one line on stderr and sets its own code; the end of who reads stdout (`| head`)
    is no error worth a line.
    """
    _write_anything()
    codes: list[int | None] = []
    end = end_of(lambda: codes.append(main()))
    # outside of any `except`, so that objects held by the error's frames (a loader's workers) are released before the
    # exit
    drop_if_gone(sys.stdout)
    if end is not None and end.exit_code == _CLOSED_PIPE:
        sys.exit(end.exit_code)
    if end is not None:
        tell(f"{Path(sys.argv[0]).name}: {end.message}{_hint_on_encoding(end.message)}")
        sys.exit(end.exit_code)
    if codes[0] is not None:
        sys.exit(codes[0])


def _write_anything() -> None:
    """Escape characters that the terminal's encoding lacks instead of failing, as for a path under an ASCII locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _hint_on_encoding(message: str) -> str:
    """Return a hint for a message about a file that was not found because this locale cannot encode its name."""
    encoding = sys.getfilesystemencoding()
    try:
        message.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return "" if _REMEDY in message else f" (this locale's encoding, {encoding}, cannot name such files: {_REMEDY})"
    return ""


def end_of(main: Callable[[], object]) -> RunEnded | None:
    """Call `main` and return its early end, None if there was none. Errors of the program itself pass through."""
    try:
        main()
    except BaseException as error:
        if (end := end_by(error)) is None:
            raise
        return end
    return None


def end_by(error: BaseException) -> RunEnded | None:
    """Return the line and exit code with which an error ends a run; None for an error of the program itself."""
    if isinstance(error, UserError):
        # an error of a data worker has the message at the end of the worker's traceback
        message = str(error).rpartition(f"{UserError.__module__}.{UserError.__name__}: ")[2]
        return RunEnded(message.strip(), USER_ERROR_CODE)
    if isinstance(error, RunEnded):
        return RunEnded(error.message, error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return RunEnded("interrupted", SIGNAL_CODE_BASE + signal.SIGINT)
    if isinstance(error, BrokenPipeError) and reader_is_gone(sys.stdout):
        return RunEnded("nobody reads the output any more", _CLOSED_PIPE)
    if isinstance(error, UnicodeEncodeError):
        return RunEnded(
            f"{shown(error.object)} has letters that {error.encoding}, this locale's encoding or a file's, lacks: "
            f"{_REMEDY}",
            USER_ERROR_CODE,
        )
    if isinstance(error, OSError | RuntimeError):
        from mmdet.engine.process.faults import (
            known_fault,  # it imports torch, which is not needed for a mistake in the command line
        )

        return known_fault(error)
    return None
