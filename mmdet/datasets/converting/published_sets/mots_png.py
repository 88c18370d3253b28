"""Read the PNGs of MOTSChallenge and KITTI-MOTS: 16 bits of grey, a pixel is 1000 * class + number of its object.

Source: docs/convert/mots.md.
"""

from __future__ import annotations

from pathlib import Path

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.published_sets.collected import VideoObjects
from mmdet.datasets.converting.published_sets.layout import find_images
from mmdet.datasets.converting.published_sets.mots_classes import (
    IDS_A_CLASS,
    KITTI_MOTS,
    MOTS_CHALLENGE,
    Classes,
    collect_objects,
    new_collection,
)
from mmdet.datasets.converting.published_sets.pairs import add_video, masks_by_frame, pairs_of
from mmdet.errors import UserError
from mmdet.fileio.pictures.mask_png import read_ids

_INSTANCES = "instances"


def read_mots_png(request: ConvertRequest) -> Conversion:
    """Read MOTSChallenge's PNGs, or with `--categories` any of the same form."""
    return _read(request, MOTS_CHALLENGE)


def read_kitti_mots_png(request: ConvertRequest) -> Conversion:
    """Read KITTI-MOTS's PNGs."""
    return _read(request, KITTI_MOTS)


def _read(request: ConvertRequest, classes: Classes) -> Conversion:
    inner = request.source / _INSTANCES
    annotations = inner if inner.is_dir() else request.source
    images = find_images(request, annotations, [_INSTANCES])
    collected = new_collection(request, annotations, classes)
    for pair in pairs_of(request, annotations, images, collected, read_ids):
        video = add_video(pair, collected, request.missing_is_empty)
        objects = VideoObjects(len(pair.frames.files))
        for frame, masks in masks_by_frame(pair, read_ids).items():
            for number, mask in masks.items():
                objects.see(number, frame, number // IDS_A_CLASS, mask)
        _check_ids(objects, annotations / pair.name)
        collect_objects(objects, video, collected, annotations / pair.name)
    return collected.conversion(images)


def _check_ids(objects: VideoObjects, where: Path) -> None:
    """Raise UserError if no id holds a class, as in PNGs of DAVIS and other tools."""
    if objects.by_key and all(seen.category_id == 0 for seen in objects.by_key.values()):
        raise UserError(
            f"{where}: the ids in its PNGs are below {IDS_A_CLASS}, without a class (1000 * class + number): the "
            "format png reads plain ids"
        )
