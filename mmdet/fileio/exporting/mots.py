"""Write the texts and PNGs of MOTS: an id is 1000 * class + number, and every pixel belongs to one object.

Where masks overlap, the pixels are those of the track with the better score. The classes' numbers stand in
classes.json. Source: docs/export_results.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet.errors import UserError
from mmdet.fileio.exporting.tracks import ExportOptions, ExportSet, ExportVideo
from mmdet.ops.masks.segmentations import decode_segmentation, encode_masks

CLASSES = PurePosixPath("classes.json")
_IDS_A_CLASS = 1000
_IGNORED_CLASS = 10  # of regions that no object is known of
_MOST_CLASS = 64  # in 16 bits


def mots_txt_names(data: ExportSet) -> Iterator[PurePosixPath]:
    """Yield the texts that are written."""
    yield from (PurePosixPath(f"{video.name}.txt") for video in data.videos)
    yield CLASSES


def mots_txt_files(data: ExportSet, options: ExportOptions) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the texts: a line `frame id class height width rle` per mask. A frame's number is that of its file."""
    classes = class_numbers(data)
    for name, video in zip(mots_txt_names(data), data.videos, strict=False):
        ids, lines = object_ids(video, classes), []
        height, width = video.info.size
        for frame, number in enumerate(_frame_numbers(video)):
            pixels = _id_map(video, frame, ids, options)
            shown = [int(value) for value in np.unique(pixels) if value]
            codes = encode_masks(np.array([pixels == value for value in shown], bool).reshape(-1, height, width))
            lines += [
                f"{number} {value} {value // _IDS_A_CLASS} {height} {width} {code['counts']}"
                for value, code in zip(shown, codes, strict=True)
            ]
        yield name, "".join(f"{line}\n" for line in lines).encode()
    yield CLASSES, _classes(data, classes)


def mots_png_names(data: ExportSet) -> Iterator[PurePosixPath]:
    """Yield the PNGs that are written, one per frame."""
    for video in data.videos:
        yield from (PurePosixPath(video.name) / f"{video.stem(i)}.png" for i in range(len(video.info.file_names)))
    yield CLASSES


def mots_png_files(data: ExportSet, options: ExportOptions) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the PNGs, 16 bits of grey; a frame that shows nothing is black."""
    classes, names = class_numbers(data), mots_png_names(data)
    for video in data.videos:
        ids = object_ids(video, classes)
        for frame in range(len(video.info.file_names)):
            _, png = cv2.imencode(".png", _id_map(video, frame, ids, options))
            yield next(names), png.tobytes()
    yield CLASSES, _classes(data, classes)


def class_numbers(data: ExportSet) -> dict[int, int]:
    """Return the class number of each category id: the id where all are usable, else its place in the list.

    Raises UserError for more classes than 16 bits can hold.
    """
    allowed = [number for number in range(1, _MOST_CLASS + 1) if number != _IGNORED_CLASS]
    if set(data.class_names) <= set(allowed):
        return {number: number for number in data.class_names}
    if len(data.class_names) > len(allowed):
        raise UserError(f"MOTS has room for {len(allowed)} classes, the set has {len(data.class_names)}")
    return dict(zip(data.class_names, allowed, strict=False))


def object_ids(video: ExportVideo, classes: dict[int, int]) -> dict[int, int]:
    """Return the id of every track, by its track id: numbers count within a class from 0.

    Raises UserError for more tracks than ids.
    """
    counts: Counter[int] = Counter()
    ids = {}
    for track in video.tracks:
        number = classes[track.category_id]
        if counts[number] == _IDS_A_CLASS:
            raise UserError(
                f"video {video.name} has more than {_IDS_A_CLASS} tracks of one class, MOTS has no ids for them: leave "
                "the poorer ones out by --min-score"
            )
        ids[track.track_id] = _IDS_A_CLASS * number + counts[number]
        counts[number] += 1
    return ids


def _id_map(video: ExportVideo, frame: int, ids: dict[int, int], options: ExportOptions) -> NDArray[np.uint16]:
    """Return the ids (H, W) of a frame; better tracks cover poorer ones."""
    pixels = np.zeros(video.info.size, np.uint16)
    shown = list(video.seen_in(frame))
    for track in reversed(shown):
        pixels[decode_segmentation(track.masks[frame], video.info.size)] = ids[track.track_id]
    left = set(np.unique(pixels).tolist())
    options.lost["masks that better tracks cover wholly"] += sum(ids[track.track_id] not in left for track in shown)
    return pixels


def _frame_numbers(video: ExportVideo) -> list[int]:
    """Return the numbers in the names of the frames; their places, from 0, if the names are no such numbers."""
    stems = [video.stem(frame) for frame in range(len(video.info.file_names))]
    if all(stem.isdecimal() for stem in stems) and len({int(stem) for stem in stems}) == len(stems):
        return [int(stem) for stem in stems]
    return list(range(len(stems)))


def _classes(data: ExportSet, classes: dict[int, int]) -> bytes:
    named = {str(classes[category_id]): name for category_id, name in data.class_names.items()}
    return json.dumps(named, indent=1, ensure_ascii=False).encode()
