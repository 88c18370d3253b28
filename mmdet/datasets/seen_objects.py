"""Decide by its box whether training sees an object, and report what it does not see of a file."""

from __future__ import annotations

from collections.abc import Iterator

from mmdet.fileio.annotations.box_check import box_faults
from mmdet.fileio.annotations.vis_json import Track, VISJson
from mmdet.structures import Size

_COMPARED_BOXES = 200  # that are compared with their masks when training starts
_TOLD_FAULTS = 3


def seen_box(track: Track, frame_index: int, size: Size, least: float) -> tuple[float, float, float, float] | None:
    """Return a track's xyxy box in a frame, clipped to the image; None if it is absent or too small."""
    box, area = track.boxes[frame_index], track.areas[frame_index]
    if box is None or area is None or area <= 0:
        return None
    x, y, width, height = box
    x1, y1, x2, y2 = max(x, 0.0), max(y, 0.0), min(x + width, size[1]), min(y + height, size[0])
    return (x1, y1, x2, y2) if x2 - x1 >= least and y2 - y1 >= least else None


def training_notes(data: VISJson, least: float) -> list[str]:
    """Return notes on what training sees wrongly or not at all.

    These are boxes that do not fit their masks, and masks whose boxes do not count.
    """
    faults = box_faults(data, _COMPARED_BOXES)
    notes = faults[:_TOLD_FAULTS]
    if len(faults) > _TOLD_FAULTS:
        notes.append(f"and {len(faults) - _TOLD_FAULTS} more such objects; `memcnp check-data` lists all")
    unseen = list(_unseen(data, least))
    if unseen:
        track, frame = unseen[0]
        notes.append(
            f"{len(unseen)} masks are not trained on, as their boxes reach less than {least:g} px into the image; "
            f"first: annotation {track.annotation_id}, video {track.video_id}, frame {frame}"
        )
    return notes


def _unseen(data: VISJson, least: float) -> Iterator[tuple[Track, int]]:
    """Yield the objects and frames that have a mask with an area but no box that counts."""
    sizes = {video.video_id: video.size for video in data.videos}
    for track in data.tracks:
        for frame, (mask, area) in enumerate(zip(track.segmentations, track.areas, strict=True)):
            if mask and area and area > 0 and seen_box(track, frame, sizes[track.video_id], least) is None:
                yield track, frame
