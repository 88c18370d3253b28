"""Explain in one line why a file cannot be read as a video: what it is, and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

HEAD = 1024  # bytes at the start that show what a file is
_MP4_BOXES = (b"ftyp", b"mdat", b"free", b"wide", b"skip")
_PLAYLIST = re.compile(r"(ffconcat|#EXTM3U|;FFMETADATA|\[playlist\]|file\s+\S|<\?xml|<MPD|<smil)", re.IGNORECASE)
_PAGE = re.compile(r"<!doctype html|<html|<head|<!--", re.IGNORECASE)
_GIT_LFS = "version https://git-lfs"


def why_no_video(path: Path, error: Exception) -> str:
    """Return the message for a file that could not be opened as a video because of `error`."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as unreadable:
        return f"{path} cannot be read: {unreadable.strerror}"
    return why_no_video_in(head, str(path), error)


def why_no_video_in(head: bytes, name: str, error: Exception) -> str:
    """Return the message for a file of which `head` is the start and `name` the name."""
    if not head:
        return f"{name} is empty (0 bytes): copy it anew"
    if (text := _as_text(head)) is not None:
        return f"{name} {_kind_of_text(text)}"
    if head[4:8] in _MP4_BOXES:
        return (
            f"{name} is an mp4 without its index (moov atom), as a recording that was cut off: copy it anew, or "
            "repair it with a program that rebuilds the index"
        )
    if not any(head):
        return f"{name} begins with zeros, as a download that was not finished: copy it anew"
    reason = getattr(error, "strerror", None) or str(error)
    return f"{name} is not a readable video ({reason}): give a video file or a folder of images"


def _as_text(head: bytes) -> str | None:
    """Return the start of a text file, None for other files."""
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char.isspace() for char in text) else None


def _kind_of_text(text: str) -> str:
    start = text.lstrip()
    if _PAGE.match(start):
        return "is a web page, not a video, as a download that was refused: download it anew"
    if _PLAYLIST.match(start):
        return "is a playlist, not a video: give the video that it names"
    if start.startswith(_GIT_LFS):
        return "is a pointer of Git LFS, not the video itself: fetch it by git lfs pull"
    return "is a text file, not a video: give a video file or a folder of images"
