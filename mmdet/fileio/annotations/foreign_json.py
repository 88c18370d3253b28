"""Recognise json files in other formats than YouTube-VIS's, and say what converts them.

Formats are recognised by the keys that their documentation gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_COCO = "python tools/convert.py coco FILE OUT.json turns it into one"
_NO_CONVERTER = (
    "there is no converter for it yet: write its masks into the format of docs/data.md, or export them as PNGs for "
    "tools/convert.py png"
)


def foreign_format(raw: Any) -> str | None:
    """Return a sentence that names the format of a json value and what to do; None if it is no other known format."""
    if isinstance(raw, list):
        return next((said for fits, said in _LISTS if raw and isinstance(raw[0], dict) and fits(raw[0])), None)
    if not isinstance(raw, dict) or looks_own(raw):
        return None
    return next((said for fits, said in _OBJECTS if fits(raw)), None)


def has_identities(raw: dict[str, Any]) -> bool:
    """Whether a COCO file says which annotations are one object: by `track_id`, CVAT's attribute or `instance_id`."""
    return any(track_number(entry) is not None for entry in _entries(raw, "annotations"))


def track_number(entry: dict[str, Any]) -> Any:
    """Return the object identity in a COCO annotation, None if it has none."""
    attributes = entry.get("attributes")
    places = [entry, attributes] if isinstance(attributes, dict) else [entry]
    found = [place.get(key) for place in places for key in ("track_id", "instance_id")]
    return next((number for number in found if number is not None), None)


def looks_own(raw: dict[str, Any]) -> bool:
    """Whether the videos list their frames; no other format does that."""
    return any("file_names" in video for video in _entries(raw, "videos"))


def _entries(raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    values = raw.get(key)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _has(*keys: str) -> Callable[[dict[str, Any]], bool]:
    return lambda raw: all(key in raw for key in keys)


def _is_cocovid(raw: dict[str, Any]) -> bool:
    return "images" in raw and ("videos" in raw or any("video_id" in image for image in _entries(raw, "images")))


def _describes_videos(key: str) -> Callable[[dict[str, Any]], bool]:
    def fits(raw: dict[str, Any]) -> bool:
        videos = raw.get("videos")
        return isinstance(videos, dict) and any(isinstance(value, dict) and key in value for value in videos.values())

    return fits


_LISTS = (
    (
        _has("video_id", "score"),
        "is a list of results, not annotations: the annotation file of a data set has videos and categories",
    ),
    (
        _has("image_id", "score"),
        "is a list of COCO results of single images, not annotations",
    ),
    (
        _has("data", "annotations"),
        "is an export of Label Studio; python tools/convert.py label-studio FILE OUT.json reads it",
    ),
    (
        _has("name", "labels"),
        "is a file of BDD100K or Scalabel; python tools/convert.py bdd100k reads BDD100K's bitmasks instead",
    ),
)
_OBJECTS = (
    (
        lambda raw: any("annotations" in entry for entry in _entries(raw, "annotations")),
        "is a video panoptic file, whose masks are PNGs: python tools/convert.py vipseg FILE OUT.json reads them",
    ),
    (_is_cocovid, f"is a CocoVID file (images with the ids of their videos); {_COCO}, with its identities"),
    (
        lambda raw: "images" in raw and has_identities(raw),
        f"is a COCO file of images with track ids (as CVAT writes it); {_COCO}, with its identities",
    ),
    (
        _has("images", "annotations"),
        f"is a COCO file of single images; {_COCO}: a video of one frame from each image",
    ),
    (_has("sequences"), "is a BURST (TAO) file; python tools/convert.py burst FILE OUT.json turns it into one"),
    (
        _has("shapes", "imagePath"),
        "is a labelme file of one image; python tools/convert.py labelme FOLDER OUT.json reads its folder",
    ),
    (_has("_via_img_metadata"), f"is a project of the VGG Image Annotator; {_NO_CONVERTER}"),
    (
        _has("framesCount", "frames"),
        "is a Supervisely video annotation; python tools/convert.py supervisely PROJECT OUT.json reads its project",
    ),
    (
        _describes_videos("objects"),
        "is the meta.json of YouTube-VOS, whose masks are PNGs: python tools/convert.py youtube-vos reads its folder",
    ),
    (
        _describes_videos("expressions"),
        "lists expressions (of Ref-YouTube-VOS or MeViS), not masks: those are PNGs, which tools/convert.py png reads",
    ),
)
