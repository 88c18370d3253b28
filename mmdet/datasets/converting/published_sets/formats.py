"""The formats of published sets, one entry each."""

from __future__ import annotations

from mmdet.datasets.converting.conversion import Format

_PNG = frozenset({"frames", "only", "missing_is_empty"})
_NAMED_PNG = _PNG | {"categories", "category"}
_TEXT = frozenset({"frames", "only", "categories"})

PUBLISHED_SETS = (
    Format(
        "png",
        "folders of PNGs whose pixels are object ids, beside folders of frames",
        "published_sets.png_folders:read_png",
        _NAMED_PNG | {"binary"},
    ),
    Format(
        "davis-2016",
        "DAVIS 2016: PNGs of one object a video",
        "published_sets.png_folders:read_davis_2016",
        _PNG | {"category"},
    ),
    Format(
        "davis-2017",
        "DAVIS 2017: PNGs of several objects",
        "published_sets.png_folders:read_davis_2017",
        _NAMED_PNG,
    ),
    Format(
        "youtube-vos",
        "YouTube-VOS: PNGs, and meta.json with the categories of the objects",
        "published_sets.png_folders:read_youtube_vos",
        _NAMED_PNG,
    ),
    Format(
        "mots-png",
        "MOTSChallenge: PNGs of 16 bits, 1000 * class + number",
        "published_sets.mots_png:read_mots_png",
        _PNG | {"categories"},
    ),
    Format(
        "mots-txt",
        "MOTSChallenge: texts of run-length codes",
        "published_sets.mots_txt:read_mots_txt",
        _TEXT,
    ),
    Format(
        "kitti-mots-png",
        "KITTI-MOTS: PNGs of 16 bits, 1000 * class + number",
        "published_sets.mots_png:read_kitti_mots_png",
        _PNG | {"categories"},
    ),
    Format(
        "kitti-mots-txt",
        "KITTI-MOTS: texts of run-length codes",
        "published_sets.mots_txt:read_kitti_mots_txt",
        _TEXT,
    ),
)
