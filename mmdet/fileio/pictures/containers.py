"""Open what FFmpeg reads, with any PyAV that pyproject.toml allows."""

from __future__ import annotations

from typing import Any

import av
from av.container import InputContainer

# Before version 19 a text in a file that is not UTF-8 is an error unless this says otherwise; later it is escaped.
_LENIENT: dict[str, Any] = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}


def open_container(file: Any, **settings: Any) -> InputContainer:
    """Open a file, an address or an object with `read` as PyAV does, whatever the encoding of the texts in it."""
    container: InputContainer = av.open(file, "r", **settings, **_LENIENT)
    return container
