"""Locks on open files. The system releases one when its file is closed or the process ends in any way."""

from __future__ import annotations

from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, where files go without locks
    fcntl = None


def lock_file(handle: int, wait: bool = True) -> None:
    """Lock a file that is open for writing against other processes; data workers of this one do not keep the lock.

    Raises BlockingIOError or PermissionError if another process has it and this one shall not wait, OSError where the
    file system has no locks. Does nothing where the system has none.
    """
    if fcntl is not None:
        fcntl.lockf(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
