"""Check videos and classes of an annotation file for lists of frames and names that load but are probably mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mmdet.datasets.prepare.findings import Finding, Kind
from mmdet.errors import shown
from mmdet.fileio.annotations.vis_json import VideoInfo, VISJson
from mmdet.fileio.pictures.images import natural_key

# Classes of a checkpoint and a set are matched by name, so one of two equal names cannot be reached.
SAME_CLASS = Kind("classes of one name", is_error=True)
# An object annotated in one of the videos is background in the other, and testing counts it twice.
SAME_FRAMES = Kind("videos with the frames of another", is_error=True)
# Clips of one film may share frames if all objects are annotated in each.
SHARED_FRAMES = Kind("videos that share frames with another", is_error=False)
# Some sets repeat frames on purpose; more often all later masks are shifted by one frame.
FRAME_TWICE = Kind("videos that list a frame twice", is_error=False)
# Names may be anything, but falling numbers suggest that the frames are not in order of time.
ORDER = Kind("videos whose frames are not in the order of their names", is_error=False)
# These values are not used, but they show that frames were dropped or added after the annotation.
LENGTH = Kind("entries of another length or size than their video", is_error=False)
NEAR_CLASS = Kind("classes whose names are nearly the same", is_error=False)


def check_videos(data: VISJson, raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield the findings about videos and categories.

    `raw` is the unchanged file content, for values that loading ignores.
    """
    yield from _class_names(data)
    for video in data.videos:
        yield from _frame_list(video)
    yield from _shared_frames(data.videos)
    yield from _lengths(data, raw)


def _class_names(data: VISJson) -> Iterator[Finding]:
    exact = Counter(category.name for category in data.categories)
    for name, count in exact.items():
        if count > 1:
            ids = [category.category_id for category in data.categories if category.name == name]
            yield Finding(SAME_CLASS, f"{count} categories have the name {shown(name)} (ids {ids})")
    folded: dict[str, str] = {}
    for name in exact:
        other = folded.setdefault(" ".join(name.casefold().replace("_", " ").split()), name)
        if other != name:
            yield Finding(
                NEAR_CLASS, f"the categories {shown(other)} and {shown(name)} are two classes: should they be one?"
            )


def _frame_list(video: VideoInfo) -> Iterator[Finding]:
    names = video.file_names
    if len(set(names)) < len(names):
        name, count = Counter(names).most_common(1)[0]
        yield Finding(FRAME_TWICE, f"video {video.video_id} lists the frame {shown(name)} {count} times")
    keys = [natural_key(name) for name in names]
    if keys == sorted(keys):
        return
    if keys == sorted(keys, reverse=True):
        how = "backwards"
    else:
        place = next(index for index in range(1, len(keys)) if keys[index] < keys[index - 1])
        how = f"in another order than the numbers in their names, first {shown(names[place])} at place {place}"
    yield Finding(ORDER, f"video {video.video_id} has its frames {how}; 'file_names' is the order of time")


def _shared_frames(videos: list[VideoInfo]) -> Iterator[Finding]:
    first: dict[str, VideoInfo] = {}
    for video in videos:
        others = {owner.video_id: owner for name in video.file_names if (owner := first.setdefault(name, video))}
        others.pop(video.video_id, None)
        for other in others.values():
            if set(other.file_names) == set(video.file_names):
                text = f"videos {other.video_id} and {video.video_id} have the same frames; put their tracks into one"
                yield Finding(SAME_FRAMES, text)
            else:
                shared = len(set(other.file_names) & set(video.file_names))
                yield Finding(SHARED_FRAMES, f"videos {other.video_id} and {video.video_id} share {shared} frames")


def _lengths(data: VISJson, raw: dict[str, Any]) -> Iterator[Finding]:
    """Compare the lengths and sizes in entries with those of their video."""
    by_id = {video.video_id: video for video in data.videos}
    owners = [(entry, by_id[video.video_id], f"video {video.video_id}") for entry, video in zip(
        raw.get("videos") or [], data.videos, strict=False
    )]  # fmt: skip
    owners += [
        (entry, by_id[track.video_id], f"annotation {track.annotation_id} of video {track.video_id}")
        for entry, track in zip(raw.get("annotations") or [], data.tracks, strict=False)
    ]
    for entry, video, where in owners:
        true = {"length": len(video.file_names), "height": video.size[0], "width": video.size[1]}
        for key, value in true.items():
            said = entry.get(key, value)
            if said is not None and said != value:
                whose = f"{value} frames" if key == "length" else f"a {key} of {value}"
                yield Finding(LENGTH, f"{where}: {key!r} is {shown(said)}, the video has {whose}")
