"""The formats that `tools/convert.py` reads, one entry each."""

from __future__ import annotations

from mmdet.datasets.converting.conversion import Format
from mmdet.datasets.converting.published_sets.formats import PUBLISHED_SETS
from mmdet.errors import UserError, suggestion

_COCO = frozenset({"frames", "to", "keep_empty", "stills", "boxes_as_masks"})
_VIDEO = frozenset({"frames", "extract_to", "categories", "category", "boxes_as_masks"})
_FOLDERS = frozenset({"frames", "categories", "category", "boxes_as_masks", "missing_is_empty"})

FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            "coco",
            "COCO json: images, with track ids (CVAT, CocoVID) or without",
            "labelling_tools.coco:read_coco",
            _COCO,
        ),
        Format(
            "cvat-video", '"CVAT for video 1.1": annotations.xml', "labelling_tools.cvat_video:read_cvat_video", _VIDEO
        ),
        Format(
            "label-studio",
            "Label Studio's JSON: videos with boxes through time, or frames with brushes and polygons",
            "labelling_tools.label_studio.reader:read_label_studio",
            _VIDEO | _FOLDERS,
        ),
        Format(
            "labelme",
            "folders of labelme: a json for each labelled frame",
            "labelling_tools.labelme:read_labelme",
            _FOLDERS,
        ),
        Format(
            "supervisely",
            "Supervisely video project: meta.json, DATASET/ann, DATASET/video",
            "labelling_tools.supervisely:read_supervisely",
            _VIDEO,
        ),
        Format(
            "yolo-seg",
            "YOLO's segmentation texts with track ids: data.yaml, images, labels",
            "labelling_tools.yolo_seg:read_yolo_seg",
            _VIDEO | {"split"},
        ),
        *PUBLISHED_SETS,
    )
}


def find_format(name: str) -> Format:
    """Return the format of this name. Raises UserError that lists similar names or all of them."""
    if name not in FORMATS:
        raise UserError(f"no format is called {name!r}; {suggestion(name, list(FORMATS))} (docs/convert.md)")
    return FORMATS[name]


def format_lines() -> list[str]:
    """Return a line for every format: its name, what it is, its options."""
    width = max(map(len, FORMATS))
    return [f"{name:{width}}  {entry.summary}{_options(entry)}" for name, entry in FORMATS.items()]


def _options(entry: Format) -> str:
    names = [f"--{name.replace('_', '-')}" for name in sorted(entry.options)]
    return f" ({', '.join(names)})" if names else ""
