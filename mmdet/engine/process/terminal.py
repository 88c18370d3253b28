"""The command line, and lines to stderr, even if that is gone: a closed terminal, or a `tee` that Ctrl-C has ended.

The run then goes on silently, because it may have a checkpoint to write.
"""

from __future__ import annotations

import os
import select
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


def this_command() -> str:
    """Return the command line of this process, as a shell takes it."""
    program, *words = sys.argv
    started = program.split(" ") if program.startswith("memcnp ") else [Path(sys.executable).name, program]
    return shlex.join([*started, *words])


def tell(line: str) -> None:
    """Write a line to stderr, above a progress bar if there is one."""
    from tqdm import tqdm  # imported here, because a wrong option needs no bar

    drop_if_gone(sys.stdout)  # its lines come first
    with suppress(OSError):
        tqdm.write(line, file=sys.stderr)
    drop_if_gone(sys.stderr)


def aligned_rows(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        right = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *right]))
    return lines


def drop_if_gone(stream: TextIO) -> bool:
    """Redirect a stream that cannot be written to the null device, as no later write may fail; return if it is so."""
    try:
        stream.flush()
        return False
    except OSError:
        with suppress(OSError, AttributeError), open(os.devnull, "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        return True


def reader_is_gone(stream: TextIO) -> bool:
    """Return whether a stream is a pipe that nobody reads any more; False where the system cannot tell."""
    with suppress(OSError, ValueError, AttributeError):
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    return False


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of what is done and the total that moves a bar on stderr, if that is a terminal."""
    from tqdm import tqdm

    with tqdm(desc=what, file=sys.stderr, disable=None, leave=False, dynamic_ncols=True) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report
