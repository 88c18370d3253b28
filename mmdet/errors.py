"""Mistakes of the user: an error that one line explains, and short texts of wrong values and of similar names.

Imports nothing heavy, because every command line imports it first.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from typing import Any

SHOWN_LENGTH = 80  # characters of a value in an error message
LISTED_NAMES = 5  # of a short list
LONGEST_NAME = 40  # characters of each
SHOWN_NAMES = 20  # shown of all known names if none is similar
_SHOWN_BITS = 64  # of a whole number


class UserError(Exception):
    """A mistake of the user that one line explains. Command lines print it and exit with 2."""


class FrameError(UserError):
    """A frame's file cannot be read or does not have its video's size. The message names it.

    If a dataset raises it while making a sample, the loader tries again and then draws another sample.
    """


class _ShortText(reprlib.Repr):
    """Shows a short part of a value, however large, deep or recursive it is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, SHOWN_LENGTH, SHOWN_LENGTH

    def repr_int(self, x: int, level: int) -> str:
        """Return a short text, because Python refuses to write numbers with thousands of digits."""
        return repr(x) if x.bit_length() <= _SHOWN_BITS else f"a number of {x.bit_length()} bits"


def shown(value: Any) -> str:
    """Return a value as short text for an error, because a wrong value may be megabytes long."""
    text = _ShortText().repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def extra_remedy(extra: str) -> str:
    """Return the end of an error message: how to install an extra, anywhere and in a checkout."""
    return f"pip install 'memcnp-vis[{extra}]', or from a checkout pip install -e '.[{extra}]'"


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return the end of an error message: similar names, or the known names, at most SHOWN_NAMES of them."""
    names = [key for key in known if isinstance(key, str)]  # keys of a config need not be strings
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5) if isinstance(name, str) else []
    if close:
        return f"did you mean {', '.join(close)}?"
    more = f", ... ({len(names)} in all)" if len(names) > SHOWN_NAMES else ""
    return f"known: {', '.join(sorted(names)[:SHOWN_NAMES])}{more}"


def short_list(names: Sequence[str], longest: int = LONGEST_NAME) -> str:
    """Return the first few of names, each of at most `longest` characters, and how many more there are."""
    more = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    parts = (name if len(name) <= longest else f"{name[:longest]}..." for name in names[:LISTED_NAMES])
    return ", ".join(parts) + more
