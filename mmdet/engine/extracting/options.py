"""What an extraction is asked for: the options of `tools/extract_frames.py` as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from mmdet.errors import UserError, shown
from mmdet.fileio.sources.selection import Selection

FORMATS = ("jpg", "png")
DEFAULT_QUALITY = 95
_BEST_QUALITY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """Which frames of which sources go where, and how they are stored. Raises UserError for a quality out of range."""

    sources: tuple[str, ...]
    out: Path
    selection: Selection
    format: str = "jpg"
    quality: int = DEFAULT_QUALITY  # of JPEGs, 1 to 100
    categories: Path | None = None  # see `read_category_list`
    resize_to_first: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= _BEST_QUALITY:
            raise UserError(f"--quality {shown(self.quality)}: expected 1 to {_BEST_QUALITY}")

    def described(self) -> dict[str, Any]:
        """Return what decides the frames, as json content: a folder holds frames of one such choice."""
        chosen = self.selection
        return {
            "start": None if chosen.start is None else str(chosen.start),
            "end": None if chosen.end is None else str(chosen.end),
            "stride": chosen.stride,
            "fps": chosen.fps,
            "max_frames": chosen.max_frames,
            "format": self.format,
            "quality": self.quality if self.format == "jpg" else None,
            "resize_to_first": self.resize_to_first,
        }

    @property
    def encoding(self) -> list[int]:
        """OpenCV's parameters for the format."""
        return [cv2.IMWRITE_JPEG_QUALITY, self.quality] if self.format == "jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
