"""Addresses of videos in a network: which are read, how they are shown without passwords, and how they are opened."""

from __future__ import annotations

import errno
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError, InvalidDataError, ProtocolNotFoundError

from mmdet.errors import UserError, suggestion
from mmdet.fileio.pictures.containers import open_container
from mmdet.fileio.pictures.images import is_image_name
from mmdet.fileio.pictures.video import VIDEO_FORMATS
from mmdet.fileio.sources.patterns import is_video_name

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_HTTP = "http,https,httpproxy,tcp,tls,crypto"
# FFmpeg's protocols by the scheme of the address: what is sent from there can name only addresses of these, no files
_PROTOCOLS = {
    **dict.fromkeys(("http", "https"), _HTTP),
    **dict.fromkeys(("rtsp", "rtsps"), "tcp,udp,tls,rtp,srtp"),
    **dict.fromkeys(("rtmp", "rtmps", "rtmpt", "rtmpe"), f"rtmp,rtmps,rtmpt,rtmpe,ffrtmpcrypt,ffrtmphttp,{_HTTP}"),
    **{name: name for name in ("udp", "tcp", "srt")},
    "rtp": "rtp,udp",
}
# besides those of files: HLS and what its parts may be, pictures of web cameras, RTP
_FORMATS = f"{VIDEO_FORMATS},hls,aac,mp3,webvtt,mpjpeg,rtsp,rtp,sdp"
_SECRET = re.compile(r"([?&;][^=&;]*(?:pass|pwd|token|key|auth|secret|sig|user)[^=&;]*=)[^&;#]*", re.IGNORECASE)
_USER = re.compile(r"://[^/?#]*@")
_ODD_USER = re.compile(r"://[^/?#@]*:[^0-9/?#@][^?]*@|://[^/?#@]*:[0-9]+[^0-9/?#@][^?]*@")  # a password with / or #
MASK = "***"
LOOK_S = 2.0  # of a stream that are looked at to find out what it is


@dataclass(frozen=True, slots=True)
class Address:
    """An address. Its text may hold a password, so that only `shown` is printed or written."""

    text: str = field(repr=False)

    @property
    def shown(self) -> str:
        """The address without user, password and what looks like a key."""
        return _SECRET.sub(rf"\g<1>{MASK}", _USER.sub(f"://{MASK}@", _ODD_USER.sub(f"://{MASK}@", self.text)))

    @property
    def parts(self) -> SplitResult:
        """The parts of the address."""
        return urlsplit(self.text)

    @property
    def without_user(self) -> str:
        """The address as it is sent, without user, password and fragment."""
        parts = self.parts
        path, query = (quote(part, safe="/%:=&?~+!$,;'@()*[]") for part in (parts.path, parts.query))
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, query, ""))

    @property
    def is_http(self) -> bool:
        """Whether it is of the web, where finite files are found as well."""
        return self.parts.scheme in ("http", "https")

    @property
    def names_a_file(self) -> bool:
        """Whether it ends like the name of a video or image, as addresses of live streams do not."""
        path = Path(self.parts.path)
        return self.is_http and (is_video_name(path) or is_image_name(path))

    @property
    def names(self) -> tuple[str, ...]:
        """Names for files that are written of it, the plainest first."""
        path = Path(self.parts.path)
        whole = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{self.parts.netloc.rpartition('@')[2]}{self.parts.path}").strip("_")
        return (path.stem, path.name, whole) if self.names_a_file else (whole,)

    def open(self, timeout_s: float) -> InputContainer:
        """Connect. Raises UserError with the reason, at the latest after about `timeout_s`."""
        options = {
            "format_whitelist": _FORMATS,
            "protocol_whitelist": _PROTOCOLS[self.parts.scheme],
            "analyzeduration": str(round(LOOK_S * av.time_base)),
        }
        if self.parts.scheme in ("rtsp", "rtsps"):
            options["rtsp_flags"] = "prefer_tcp"  # packets sent by UDP get lost on the way
        start_s = time.monotonic()
        try:
            return open_container(self.text, options=options, timeout=(timeout_s, timeout_s))
        except (FFmpegError, OSError, ValueError) as error:
            late = time.monotonic() - start_s >= timeout_s  # FFmpeg may call an interrupted answer a wrong one
            reason = _no_answer(timeout_s) if late else why_broken(error, timeout_s)
            raise UserError(f"{self.shown}: {reason}") from None  # FFmpeg's message has the password


def find_address(text: str) -> Address | None:
    """Return the address that a text is, None if it is none.

    Raises UserError if it is one of a kind that is not read.
    """
    found = _ADDRESS.match(text)
    if not found:
        return None
    scheme = found[1].lower()
    address = Address(scheme + text[len(scheme) :])
    if scheme == "file":
        raise UserError(f"source {address.shown}: give the path alone, without file://")
    if scheme not in _PROTOCOLS:
        raise UserError(f"source {address.shown}: {scheme} is not read; {suggestion(scheme, list(_PROTOCOLS))}")
    try:
        host, _ = address.parts.hostname, address.parts.port
    except ValueError:
        host = None
    if not host and scheme not in ("udp", "rtp"):  # which may listen at any of this machine's addresses
        raise UserError(f"source {address.shown} has no host, or a wrong port: expected {scheme}://HOST[:PORT]/...")
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise UserError(f"source {address.shown!r} has blanks or control characters: write them as %20 and so on")
    return address


def why_broken(error: Exception, timeout_s: float) -> str:
    """Return why a connection failed, without the address, which FFmpeg adds to its messages."""
    if isinstance(error, ExitError):
        return _no_answer(timeout_s)
    if isinstance(error, ProtocolNotFoundError):
        return "the FFmpeg of this installation cannot read this kind of address, or it leads to another kind"
    if isinstance(error, InvalidDataError):
        return "what is sent is no video"
    if isinstance(error, EOFError):
        return "it ended before anything could be read"
    if getattr(error, "errno", None) == errno.EIO:
        return "it was cut off"
    return getattr(error, "strerror", None) or type(error).__name__


def _no_answer(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"
