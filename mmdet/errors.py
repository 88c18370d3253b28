"""The user's mistakes: the error that one line explains, wrong values and lists of names as short text, and near names.

Imports nothing heavy: command lines read it before they know that there is work to do.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from typing import Any

SHOWN_LENGTH = 80  # characters of a value in an error message
LISTED_NAMES = 5  # of a short list
LONGEST_NAME = 40  # characters of each
SHOWN_NAMES = 20  # of all that are known, where none is near
_SHOWN_BITS = 64  # of a whole number


class UserError(Exception):
    """A mistake of the user's that one line explains; the command lines print it and exit with 2."""


class FrameError(UserError):
    """A frame's file cannot be read or is not of its video's size; the message names it.

    A dataset that raises it in making a sample lets the loader try again and draw another instead.
    """


class _ShortText(reprlib.Repr):
    """Looks at little of a value, however large, deep, or often repeated inside of itself it is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, SHOWN_LENGTH, SHOWN_LENGTH

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write out numbers of thousands of digits."""
        return repr(x) if x.bit_length() <= _SHOWN_BITS else f"a number of {x.bit_length()} bits"


def shown(value: Any) -> str:
    """Return a value as short text for an error: a wrong one may be megabytes long."""
    text = _ShortText().repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return the end of an error message: near names, or all of them, the first where they would fill a screen."""
    names = [key for key in known if isinstance(key, str)]  # of a config's keys some may be none
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
