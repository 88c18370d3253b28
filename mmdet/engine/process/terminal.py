"""Lines for whoever watches, on stderr, which may be gone: a terminal that was closed, a `tee` that Ctrl-C has ended.

Nobody can be told then, and the run goes on without: it may have a checkpoint to write.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


def tell(line: str) -> None:
    """Write a line to stderr, above a progress bar if there is one."""
    from tqdm import tqdm  # here, as a wrong option needs no bar

    _drop_if_gone(sys.stdout)  # what was said there comes first
    with suppress(OSError):
        tqdm.write(line, file=sys.stderr)
    _drop_if_gone(sys.stderr)


def _drop_if_gone(stream: TextIO) -> None:
    """Lead a stream that cannot be written nowhere, so that nothing written to it later, by whomever, fails."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, AttributeError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
