"""List files: a text file that names one source per line."""

from __future__ import annotations

from pathlib import Path

from mmdet.errors import UserError, shown

_LARGEST = 10_000_000  # bytes
_COMMENT = "#"


def read_list(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a list file that name sources, with their numbers from 1.

    Empty lines and lines that begin with # are left out. Raises UserError if it is no text, or names nothing.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise UserError(f"{path} is no list of sources: it has {path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no list of sources: a text in UTF-8 with one source per line") from error
    if "\0" in text:
        raise UserError(f"{path} is no list of sources: it holds {shown(chr(0))}")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    named = [(number, line) for number, line in lines if line and not line.startswith(_COMMENT)]
    if not named:
        raise UserError(f"{path} names no source: write one per line")
    return named
