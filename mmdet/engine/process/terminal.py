"""Write lines to stderr, even if it is gone: a closed terminal, or a `tee` that Ctrl-C has ended.

The run then goes on silently, because it may have a checkpoint to write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


def tell(line: str) -> None:
    """Write a line to stderr, above a progress bar if there is one."""
    from tqdm import tqdm  # imported here, because a wrong option needs no bar

    _drop_if_gone(sys.stdout)  # its lines come first
    with suppress(OSError):
        tqdm.write(line, file=sys.stderr)
    _drop_if_gone(sys.stderr)


def _drop_if_gone(stream: TextIO) -> None:
    """Redirect a stream that cannot be written to /dev/null, so that no later write to it fails."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, AttributeError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of what is done and the total that moves a bar on stderr, if that is a terminal."""
    from tqdm import tqdm

    with tqdm(desc=what, file=sys.stderr, disable=None, leave=False, dynamic_ncols=True) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report
