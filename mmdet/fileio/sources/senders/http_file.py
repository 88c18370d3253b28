"""A finite file behind an http address, read like a local one: after a break it is asked for from where it broke."""

from __future__ import annotations

import base64
import os
import re
import urllib.request
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote

from mmdet.errors import UserError
from mmdet.fileio.sources.senders.addresses import Address
from mmdet.fileio.sources.senders.waiting import Feed, Patience

_PARTIAL = 206
_PROGRESS = 2**20  # bytes that were read on give all tries back
_SKIPPED = 2**16  # bytes at once, of what a server sends though it was asked for a later part
_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")
_ERRORS = (OSError, HTTPException, ValueError)  # of a connection; urllib's errors are OSErrors
# neither files nor ftp, whatever a server sends the reader on to
_HANDLERS = (
    urllib.request.ProxyHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.UnknownHandler,
)


class HttpFile:
    """A file that a server sends, for PyAV. Breaks are said to `feed` and mended; `end` says why one could not be."""

    def __init__(self, address: Address, patience: Patience, feed: Feed[Any]) -> None:
        self.feed = feed
        self.end: str | None = None
        self._address, self._patience = address, patience
        self._place = self._tries = self._progress = 0
        self._response: HTTPResponse | None = _ask(address, 0, patience.timeout_s)
        headers = self._response.headers
        asked, length = _RANGE.match(headers.get("Content-Range", "")), headers.get("Content-Length", "")
        self.size = int(asked[1]) if asked else int(length) if length.isdecimal() else None
        is_playlist = "mpegurl" in headers.get("Content-Type", "").lower() or address.parts.path.endswith(".m3u8")
        self.is_finite = self.size is not None and not is_playlist

    def read(self, size: int) -> bytes:
        """Return the next bytes, at least one unless the file or the patience is at its end."""
        while self._place < (self.size or 0) and self.end is None and not self.feed.closed:
            try:
                self._response = self._response or _ask(self._address, self._place, self._patience.timeout_s)
                data = self._response.read1(size)
            except _ERRORS as error:
                self._wait(_why(error, self._patience.timeout_s))
                continue
            if data:
                self._place += len(data)
                self._progress += len(data)
                return data
            self._wait("it was cut off")
        return b""

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place. The server is asked for it when it is read."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size or 0}[whence]
        if start + place != self._place:
            self.close()
            self._place = start + place
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def close(self) -> None:
        """End the connection."""
        if self._response is not None:
            self._response.close()
        self._response = None

    def _wait(self, broken: str) -> None:
        """Say that the connection broke and pause, or note the end if it did too often."""
        self.close()
        self._tries = 0 if self._progress >= _PROGRESS else self._tries
        self._progress = 0
        name, tries = self._address.shown, self._patience.tries
        if self._tries >= tries:
            self.end = f"{broken}, after connecting again {self._tries} times"
            self.feed.say(f"{name} has ended: {self.end}")
            return
        pause_s = self._patience.pause_s(self._tries)
        self._tries += 1
        self.feed.say(f"{name} broke off: {broken}; connecting again in {pause_s:g} s ({self._tries} of {tries})")
        self.feed.pause(pause_s)


def open_http_file(address: Address, patience: Patience, feed: Feed[Any]) -> HttpFile | None:
    """Return the finite file that a server sends; None for a live stream, a playlist, or an answer that is an error.

    Raises UserError if the server cannot be reached.
    """
    try:
        file = HttpFile(address, patience, feed)
    except HTTPError:
        return None  # FFmpeg knows more ways to log in; if it is refused, too, it tells why
    except _ERRORS as error:
        raise UserError(f"{address.shown}: {_why(error, patience.timeout_s)}") from None
    if file.is_finite:
        return file
    file.close()
    return None


def _ask(address: Address, place: int, timeout_s: float) -> HTTPResponse:
    """Ask for a file from a place on."""
    request = urllib.request.Request(address.without_user, headers={"Range": f"bytes={place}-"})
    if address.parts.username is not None:
        user = f"{unquote(address.parts.username)}:{unquote(address.parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    opener = urllib.request.OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    response: HTTPResponse = opener.open(request, timeout=timeout_s)
    if response.status != _PARTIAL:  # the server sends no parts
        while place and (skipped := response.read1(min(place, _SKIPPED))):
            place -= len(skipped)
    return response


def _why(error: Exception, timeout_s: float) -> str:
    """Return why a request failed, without the address."""
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
