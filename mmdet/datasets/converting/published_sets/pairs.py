"""Folders of frames beside folders of mask PNGs: pair them by name, and read all masks of a video.

Threads read, since decoders release Python's lock; a frame's masks are encoded in one pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected
from mmdet.datasets.converting.published_sets.layout import VideoFrames, find_video_frames, wanted_videos
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import VideoInfo
from mmdet.fileio.pictures.images import header_of, list_folder
from mmdet.fileio.pictures.mask_png import mask_files
from mmdet.ops.masks.id_maps import encode_ids
from mmdet.structures import RLE, Size

ReadIds = Callable[[Path], np.ndarray]  # (H, W) of whole numbers, 0 where there is no object
_MAX_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The frames of a video and the PNGs of some or all of them."""

    frames: VideoFrames
    masks: dict[int, Path]  # by frame
    size: Size
    report_frame: Callable[[], None]  # called when the masks of a frame have been read

    @property
    def name(self) -> str:
        """The name of the video."""
        return self.frames.name


def pairs_of(
    request: ConvertRequest,
    annotations: Path,
    images: Path,
    collected: Collected,
    read_ids: ReadIds,
    listed: Collection[str] | None = None,
) -> Iterator[Pair]:
    """Yield the videos in natural order. Notes those without images or PNGs, and PNGs without a frame.

    `annotations` has a folder of PNGs for every video, or is one itself; videos are all of these, or those `listed`.
    Raises UserError if no video has both.
    """
    folders = _mask_folders(annotations)
    wanted = wanted_videos(request, folders if listed is None else listed, collected)
    for name in [name for name in wanted if name not in folders]:
        collected.leave_out("videos", f"no PNGs in {annotations}", name=name)
        wanted.remove(name)
    found = {name: find_video_frames(images, name, alone=len(folders) == 1) for name in wanted}
    pairs = []
    for name in wanted:
        frames = found[name]
        if frames is None:
            collected.leave_out("videos", f"no images in {images}", name=name)
            continue
        masks, strays = mask_files(folders[name], frames.files)
        if strays and not masks:
            collected.leave_out("videos", "none of their PNGs has a frame of its name", name=name)
            continue
        if strays:
            collected.leave_out("PNGs", "no frame has their name", name=f"{name}/{strays[0].name}", count=len(strays))
        pairs.append((frames, masks))
    if not pairs:
        raise UserError(
            f"no video of {annotations} has images in {images}: expected {images}/VIDEO/00000.jpg and "
            f"{annotations}/VIDEO/00000.png; --frames names the folder of images"
        )
    numbers, total = count(1), sum(len(masks) for _, masks in pairs)
    for frames, masks in pairs:
        yield Pair(
            frames=frames,
            masks=masks,
            size=_video_size(frames.files, masks, read_ids),
            report_frame=lambda: request.report_progress(next(numbers), total),
        )
    request.report_progress(total, total)


def add_video(pair: Pair, collected: Collected, missing_is_empty: bool = False) -> VideoInfo:
    """Add the video of a pair. A frame without a PNG is not annotated, or shows nothing if `missing_is_empty`."""
    without = len(pair.frames.files) - len(pair.masks)
    if missing_is_empty:
        collected.note("frames without a PNG show nothing: {}", without)
    else:
        collected.note("frames without a PNG are not annotated: {}", without)
    annotated = None if missing_is_empty or not without else sorted(pair.masks)
    return collected.add_video(pair.frames.file_names, pair.size, annotated)


def masks_by_frame(pair: Pair, read_ids: ReadIds) -> dict[int, dict[int, RLE]]:
    """Return the masks of a video, by frame and by the id in the PNG. Raises UserError for a PNG of another size."""
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        read = pool.map(lambda path: encode_ids(_of_size(read_ids(path), path, pair)), pair.masks.values())
        by_frame = {}
        for frame, masks in zip(pair.masks, read, strict=True):
            by_frame[frame] = masks
            pair.report_frame()
        return dict(sorted(by_frame.items()))


def masks_by_object(by_frame: dict[int, dict[int, RLE]], num_frames: int) -> dict[int, list[RLE | None]]:
    """Return the masks of every object, one entry per frame, in the order of the ids."""
    objects: dict[int, list[RLE | None]] = {}
    for frame, masks in by_frame.items():
        for number, mask in masks.items():
            objects.setdefault(number, [None] * num_frames)[frame] = mask
    return dict(sorted(objects.items()))


def _mask_folders(annotations: Path) -> dict[str, Path]:
    """Return the folders with PNGs by the name of the video."""
    listed = list_folder(annotations, "folder of PNGs")
    folders = {path.name: path for path in listed if path.is_dir()}
    if any(path.suffix.lower() == ".png" for path in listed):
        folders[annotations.name] = annotations
    if not folders:
        raise UserError(f"{annotations} has no PNG for any video: expected {annotations}/VIDEO/00000.png")
    return folders


def _video_size(frames: list[Path], masks: dict[int, Path], read_ids: ReadIds) -> Size:
    """Return the size of the first frame: upright, or as stored if its first mask was drawn on the stored picture."""
    header = header_of(frames[0])
    if header.stored != header.upright and masks:
        ids = read_ids(masks[min(masks)])
        return header.stored if header.as_stored(ids.shape) else header.upright
    return header.upright


def _of_size(ids: np.ndarray, path: Path, pair: Pair) -> np.ndarray:
    height, width = pair.size
    if ids.shape != pair.size:
        raise UserError(
            f"{path} is {ids.shape[1]}x{ids.shape[0]}, frame {pair.frames.files[0]} is {width}x{height}: masks belong "
            "to frames of their size; --frames names the folder of images"
        )
    return ids
