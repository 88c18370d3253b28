"""Read the bitmasks of BDD100K's segmentation tracking: red is the class, green attributes, blue and alpha the id.

Source: docs/convert/bdd100k.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected, VideoObjects
from mmdet.datasets.converting.published_sets.layout import find_images
from mmdet.datasets.converting.published_sets.pairs import add_video, masks_by_frame, pairs_of
from mmdet.fileio.annotations.vis_json import Category
from mmdet.fileio.pictures.mask_png import read_colours

CLASSES = ("pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")  # from 1
_CROWD, _IGNORE = 2, 1  # bits of green
_BITMASKS = "bitmasks"


def read_bdd100k(request: ConvertRequest) -> Conversion:
    """Read folders of bitmasks. What is marked as a crowd or to be ignored becomes a crowd, in those frames."""
    images = _images(request)
    collected = Collected([Category(number, name) for number, name in enumerate(CLASSES, start=1)])
    for pair in pairs_of(request, request.source, images, collected, _read):
        video = add_video(pair, collected, request.missing_is_empty)
        objects = VideoObjects(len(pair.frames.files))
        for frame, masks in masks_by_frame(pair, _read).items():
            for value, mask in masks.items():
                category_id, attributes = value & 0xFF, value >> 8 & 0xFF
                number = (value >> 16 & 0xFF) << 8 | value >> 24
                if category_id > len(CLASSES):
                    collected.leave_out("masks", f"class {category_id} is not one of segmentation tracking")
                    continue
                objects.see(number, frame, category_id, mask, bool(attributes & (_CROWD | _IGNORE)))
        collected.add_objects(video, objects)
    return collected.conversion(images)


def _images(request: ConvertRequest) -> Path:
    """Return the folder of images: BDD100K's `labels/SET/bitmasks/SPLIT` has it at `images/SET/SPLIT`."""
    parts = request.source.absolute().parts
    folder = Path(*("images" if part == "labels" else part for part in parts if part != _BITMASKS))
    if request.frames is None and "labels" in parts and folder.is_dir():
        return folder
    return find_images(request, request.source)


def _read(path: Path) -> np.ndarray:
    """Return class + 256 attributes + 256^2 (upper byte of the id) + 256^3 (its lower byte), 0 without a class."""
    values = read_colours(path, alpha=True)
    return np.where(values & 0xFF, values, 0).astype(np.uint32)
