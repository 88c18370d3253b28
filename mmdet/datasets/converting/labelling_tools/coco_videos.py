"""Join the images and annotations of a COCO file to videos and tracks, if annotations have an identity.

Images belong to the video in their `video_id` (CocoVID and TAO), else to the folder of their file. Their order is that
of `frame_id`, else the natural order of their names. Reads no file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pycocotools import mask as coco_mask

from mmdet.errors import UserError
from mmdet.fileio.annotations.json_fields import get_integer
from mmdet.fileio.annotations.vis_json import Track, VideoInfo
from mmdet.fileio.pictures.images import natural_key
from mmdet.ops.masks.segmentations import mask_areas, mask_boxes, to_rles
from mmdet.structures import Size

_ORDER = ("frame_id", "frame_index")  # keys of CocoVID and TAO


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A checked annotation of one image, as a track of one frame whose video is the image."""

    track: Track
    number: Any  # the identity in the file, None if it has none


def join_videos(
    images: Sequence[dict[str, Any]], stills: Sequence[VideoInfo], sightings: Sequence[Sighting], path: str | Path
) -> tuple[list[VideoInfo], list[Track], list[str]]:
    """Return the videos, their tracks numbered from 1, and notes on what was joined or has no identity.

    `stills` are the images as videos of one frame. An annotation without an identity is a track of its own. Raises
    UserError for a video of frames of several sizes.
    """
    videos, places = _videos(images, stills, path)
    sizes = {video.video_id: video.size for video in videos}
    lengths = {video.video_id: len(video.file_names) for video in videos}
    groups: dict[tuple[int, str], list[tuple[int, Track]]] = defaultdict(list)
    for index, sighting in enumerate(sightings):
        video_id, frame = places[sighting.track.video_id]
        name = f"alone {index}" if sighting.number is None else f"track {sighting.number}"
        groups[video_id, name].append((frame, sighting.track))
    tracks = [
        _track(number, video_id, lengths[video_id], sizes[video_id], seen)
        for number, ((video_id, _), seen) in enumerate(groups.items(), start=1)
    ]
    return videos, tracks, _notes(sightings, list(groups.values()))


def _videos(
    images: Sequence[dict[str, Any]], stills: Sequence[VideoInfo], path: str | Path
) -> tuple[list[VideoInfo], dict[int, tuple[int, int]]]:
    """Return the videos, and the video and frame of each image."""
    named = any("video_id" in image for image in images)
    folders = sorted({_folder(still) for still in stills}, key=natural_key)
    members: dict[int, list[tuple[Any, VideoInfo]]] = defaultdict(list)
    for index, (image, still) in enumerate(zip(images, stills, strict=True)):
        where = f"{path}: images[{index}] (id {still.video_id})"
        video_id = get_integer(image, "video_id", where) if named else folders.index(_folder(still)) + 1
        order = next((get_integer(image, key, where) for key in _ORDER if image.get(key) is not None), 0)
        members[video_id].append(((order, natural_key(still.file_names[0])), still))
    videos, places = [], {}
    for video_id, frames in members.items():
        frames.sort(key=lambda frame: frame[0])
        first = frames[0][1]
        for frame, (_, still) in enumerate(frames):
            places[still.video_id] = (video_id, frame)
            if still.size != first.size:
                raise UserError(
                    f"{path}: image {still.file_names[0]} is {still.size[1]}x{still.size[0]}, image "
                    f"{first.file_names[0]} of the same video {first.size[1]}x{first.size[0]}: a video has one size"
                )
        videos.append(VideoInfo(video_id, first.size, [still.file_names[0] for _, still in frames]))
    return videos, places


def _folder(still: VideoInfo) -> str:
    return str(PurePosixPath(still.file_names[0]).parent)


def _track(number: int, video_id: int, length: int, size: Size, seen: Sequence[tuple[int, Track]]) -> Track:
    """Place the annotations of one object at their frames; several in one frame are parts of it."""
    whole = Track(
        annotation_id=number,
        video_id=video_id,
        category_id=Counter(track.category_id for _, track in seen).most_common(1)[0][0],
        is_crowd=2 * sum(track.is_crowd for _, track in seen) > len(seen),
        boxes=[None] * length,
        segmentations=[None] * length,
        areas=[None] * length,
    )
    for frame, track in seen:
        other = whole.segmentations[frame]
        if other is None:
            values: tuple[Any, ...] = (track.boxes[0], track.segmentations[0], track.areas[0])
        else:
            values = _united(other, track, size)
        whole.boxes[frame], whole.segmentations[frame], whole.areas[frame] = values
    return whole


def _united(first: Any, second: Track, size: Size) -> tuple[Any, Any, float]:
    """Return box, mask and area of two parts of an object in one frame."""
    try:
        merged = coco_mask.merge(to_rles([first, second.segmentations[0]], size))
    except ValueError as error:
        raise UserError(
            f"annotation {second.annotation_id} repeats its track in image {second.video_id}, and their masks cannot "
            f"be joined: {error}"
        ) from error
    rle = {"size": [*size], "counts": merged["counts"].decode("ascii")}
    x, y, width, height = mask_boxes([merged])[0].tolist()
    return (x, y, width, height), rle, float(mask_areas([merged])[0])


def _notes(sightings: Sequence[Sighting], groups: Sequence[Sequence[tuple[int, Track]]]) -> list[str]:
    alone = sum(sighting.number is None for sighting in sightings)
    several = sum(len(seen) - len({frame for frame, _ in seen}) for seen in groups)
    mixed = sum(len({track.category_id for _, track in seen}) > 1 for seen in groups)
    crowds = sum(len({track.is_crowd for _, track in seen}) > 1 for seen in groups)
    counted = (
        (alone, "{} annotations have no track id: each is a track of one frame"),
        (several, "{} annotations repeat a track in one frame: their masks are joined"),
        (mixed, "{} tracks change their category: each has its most frequent one"),
        (crowds, "{} tracks are crowds in some frames only: each is what it is in most"),
    )
    return [sentence.format(count) for count, sentence in counted if count]
