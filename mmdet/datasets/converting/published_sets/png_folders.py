"""Read folders of frames and of PNGs whose pixels are object ids: DAVIS, YouTube-VOS, and what tools export so.

The value of a pixel is the id of its object within the video; 0 is background, 255 void. A frame without a PNG is not
annotated. Source: docs/convert/png.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmdet.datasets.converting.conversion import Conversion, ConvertRequest
from mmdet.datasets.converting.published_sets.collected import Collected
from mmdet.datasets.converting.published_sets.layout import find_images
from mmdet.datasets.converting.published_sets.pairs import (
    Pair,
    ReadIds,
    add_video,
    masks_by_frame,
    masks_by_object,
    pairs_of,
)
from mmdet.errors import UserError, short_list, shown
from mmdet.fileio.annotations.json_fields import checked_text, read_object
from mmdet.fileio.annotations.vis_json import Category
from mmdet.fileio.pictures.images import list_folder
from mmdet.fileio.pictures.mask_png import is_shown, read_ids

VOID = 255  # void pixels: borders and doubtful regions in DAVIS and YouTube-VOS
_ANNOTATIONS = ("Annotations", "Annotations_unsupervised")
_LEAST_MOTS = 1000
_META = "meta.json"  # of YouTube-VOS, beside its folder of PNGs

Names = dict[str, dict[str, str]]  # video -> object id as text -> category


def read_png(request: ConvertRequest) -> Conversion:
    """Read folders of frames and of PNGs; with `binary` all pixels above 0 are one object."""
    names = load_names(request.categories) if request.categories else None
    return _read(request, names, binary=request.binary)


def read_davis_2016(request: ConvertRequest) -> Conversion:
    """Read DAVIS 2016, one object a video: white, or in a few files coloured, on black."""
    return _read(request, None, binary=True)


def read_davis_2017(request: ConvertRequest) -> Conversion:
    """Read DAVIS 2017, whose palette indices are object ids."""
    return read_png(request)


def read_youtube_vos(request: ConvertRequest) -> Conversion:
    """Read YouTube-VOS, whose meta.json has the category of every object."""
    annotations = find_annotations(request.source)
    near = [folder / _META for folder in (annotations, annotations.absolute().parent)]
    meta = request.categories or next((path for path in near if path.is_file()), None)
    if meta is None and request.category is None:
        raise UserError(
            f"no {_META} is in {annotations} or beside it: it names the category of every object; --categories names "
            "the file if it lies elsewhere, --category NAME gives all objects one category"
        )
    return _read(request, load_names(meta) if meta and not request.category else None, binary=False)


def load_names(path: Path) -> Names:
    """Read the categories of objects: `{"VIDEO": {"1": "dog"}}`, or YouTube-VOS's meta.json."""
    raw = read_object(path)
    videos = raw.get("videos")
    if isinstance(videos, dict) and all(isinstance(video, dict) and "objects" in video for video in videos.values()):
        raw = {name: _categories_of(video["objects"], f"{path}: {shown(name)}") for name, video in videos.items()}
    for video, ids in raw.items():
        if not isinstance(ids, dict):
            raise UserError(
                f'{path}: {shown(video)} is {shown(ids)}, expected the categories of its objects: {{"1": "dog"}}'
            )
        for object_id, name in ids.items():
            checked_text(name, f"{path}: {shown(video)}: the category of {shown(object_id)}")
    if not any(raw.values()):
        raise UserError(f'{path} names no category; expected {{"VIDEO": {{"1": "dog"}}}}')
    return raw


def _categories_of(objects: object, where: str) -> dict[str, object]:
    """Return the categories of a video of YouTube-VOS's meta.json, unchecked."""
    if not isinstance(objects, dict):
        raise UserError(f"{where}: 'objects' is {shown(objects)}, expected an object")
    return {number: entry.get("category") if isinstance(entry, dict) else None for number, entry in objects.items()}


def find_annotations(source: Path) -> Path:
    """Return the folder that has a folder of PNGs for every video: `source`, or one in it as DAVIS has them.

    Raises UserError if there are several, DAVIS's sizes or its two sets of annotations.
    """
    inner = [source / name for name in _ANNOTATIONS if (source / name).is_dir()]
    folder = _only_one(source, inner) if inner else source
    listed = list_folder(folder, "folder of PNGs")
    sizes = [path for path in listed if path.is_dir() and _has_folders_of_pngs(path)]
    return _only_one(folder, sizes) if sizes else folder


def _only_one(parent: Path, folders: list[Path]) -> Path:
    if len(folders) > 1:
        names = " and ".join(str(folder.relative_to(parent)) for folder in folders)
        raise UserError(f"{parent} has annotations in {names}: give one of them as IN")
    return folders[0]


def _has_folders_of_pngs(folder: Path) -> bool:
    inner = [path for path in folder.iterdir() if path.is_dir()]
    return bool(inner) and any(path.suffix.lower() == ".png" for path in inner[0].iterdir())


def _read(request: ConvertRequest, names: Names | None, binary: bool) -> Conversion:
    if request.categories and request.category:
        raise UserError("--categories gives every object its category, --category all of them one: give one of both")
    annotations = find_annotations(request.source)
    images = find_images(request, annotations, _ANNOTATIONS)
    categories = sorted({name for ids in names.values() for name in ids.values()}) if names else []
    categories = categories or [request.category or "object"]
    collected = Collected([Category(number, name) for number, name in enumerate(categories, start=1)])
    ids = {category.name: category.category_id for category in collected.categories}
    read = is_shown if binary else _read_objects
    for pair in pairs_of(request, annotations, images, collected, read):
        video = add_video(pair, collected, request.missing_is_empty)
        for number, masks in _objects(pair, read).items():
            name = _name(names, pair.name, number) if names else categories[0]
            collected.add_track(video, ids[name], masks)
    if not collected.read["objects"]:
        raise UserError(
            f"all PNGs in {annotations} hold only 0 and {VOID} (void); if {VOID} is the object, use --binary"
        )
    return collected.conversion(images)


def _objects(pair: Pair, read: ReadIds) -> dict[int, list]:
    return masks_by_object(masks_by_frame(pair, read), len(pair.frames.files))


def _read_objects(path: Path) -> np.ndarray:
    """Return object ids without void, which only PNGs of 8 bits have. Raises UserError for ids that hold a class."""
    ids = read_ids(path)
    if ids.dtype == np.uint8:
        ids[ids == VOID] = 0
    elif ids.max() >= _LEAST_MOTS:
        raise UserError(
            f"{path} has ids from {_LEAST_MOTS} on, up to {ids.max()}: if they are 1000 * class + number, the format "
            "mots-png reads them"
        )
    return ids


def _name(names: Names, video: str, object_id: int) -> str:
    try:
        return names[video][str(object_id)]
    except KeyError:
        raise UserError(
            f"the categories name none for object {object_id} of video {video!r}; "
            f"they name {short_list(sorted(names.get(video, {}))) or 'none of its objects'}"
        ) from None
