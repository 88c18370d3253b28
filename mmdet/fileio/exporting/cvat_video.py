"""Write "CVAT for video 1.1": an xml per video, which CVAT's import puts onto a task of the same frames.

Source: CVAT's documentation, "XML annotation format"; docs/export_results.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from mmdet.fileio.exporting.shapes import polygons_of, row_runs, window_of
from mmdet.fileio.exporting.tracks import ExportOptions, ExportSet, ExportTrack, ExportVideo
from mmdet.ops.masks.outlines import joined
from mmdet.structures import RLE

_ENDING = ".xml"


def cvat_names(data: ExportSet) -> Iterator[PurePosixPath]:
    """Yield the files that are written."""
    yield from (PurePosixPath(f"{video.name}{_ENDING}") for video in data.videos)


def cvat_files(data: ExportSet, options: ExportOptions) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the files and their contents."""
    for name, video in zip(cvat_names(data), data.videos, strict=True):
        root = Element("annotations")
        SubElement(root, "version").text = "1.1"
        root.append(_meta(video, data))
        number = 0
        for track in video.tracks:
            label = data.class_names[track.category_id]
            for element in _track(track, video, options):
                element.attrib = {"id": str(number), "label": label, "source": "auto", **element.attrib}
                root.append(element)
                number += 1
        ElementTree.indent(root)
        yield name, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _meta(video: ExportVideo, data: ExportSet) -> Element:
    meta = Element("meta")
    task = SubElement(meta, "task")
    length = len(video.info.file_names)
    values = {"name": video.name, "size": length, "mode": "interpolation", "start_frame": 0, "stop_frame": length - 1}
    for key, value in values.items():
        SubElement(task, key).text = str(value)
    labels = SubElement(task, "labels")
    for name in data.class_names.values():
        label = SubElement(labels, "label")
        SubElement(label, "name").text = name
        SubElement(label, "attributes")
    size = SubElement(task, "original_size")
    for key, value in (("width", video.info.size[1]), ("height", video.info.size[0])):
        SubElement(size, key).text = str(value)
    SubElement(task, "source").text = video.name
    return meta


def _track(track: ExportTrack, video: ExportVideo, options: ExportOptions) -> Iterator[Element]:
    """Yield a track of polygons, or a track for each mask: CVAT's import takes the first mask of a track alone.

    The masks of one object are a group in CVAT.
    """
    length = len(video.info.file_names)
    if options.shapes == "mask":
        for frame, mask in track.masks.items():
            alone = Element("track", {"group_id": str(track.track_id)})
            alone.extend(_until_gone([(frame, _mask(mask))], length))
            yield alone
        return
    whole = Element("track")
    whole.extend(_until_gone([(frame, _polygon(mask, options)) for frame, mask in track.masks.items()], length))
    yield whole


def _until_gone(shapes: list[tuple[int, dict[str, str]]], length: int) -> Iterator[Element]:
    """Yield the shapes, each a keyframe. The frame after one that is the last for now says that the object is gone."""
    seen = {frame for frame, _ in shapes}
    for frame, values in shapes:
        yield _shape(frame, values, outside=False)
        if frame + 1 < length and frame + 1 not in seen:
            yield _shape(frame + 1, values, outside=True)


def _shape(frame: int, values: dict[str, str], outside: bool) -> Element:
    flags = {"frame": str(frame), "keyframe": "1", "outside": str(int(outside)), "occluded": "0"}
    return Element("mask" if "rle" in values else "polygon", {**flags, **values, "z_order": "0"})


def _polygon(mask: RLE, options: ExportOptions) -> dict[str, str]:
    """Return one outline of all parts: a track of CVAT has one shape per frame."""
    return {"points": ";".join(f"{x:.2f},{y:.2f}" for x, y in joined(polygons_of(mask, options)))}


def _mask(mask: RLE) -> dict[str, str]:
    window = window_of(mask)
    height, width = window.pixels.shape
    place = {"left": window.left, "top": window.top, "width": width, "height": height}
    return {"rle": ", ".join(map(str, row_runs(window.pixels))), **{key: str(value) for key, value in place.items()}}
