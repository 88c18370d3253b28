"""The formats of published sets, one entry each."""

from __future__ import annotations

from mmdet.datasets.converting.conversion import Format

_PNG = frozenset({"frames", "only", "missing_is_empty"})
_NAMED_PNG = _PNG | {"categories", "category"}
_TEXT = frozenset({"frames", "only", "categories"})
_LISTED = frozenset({"frames", "only", "category"})

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
    Format(
        "youtube-vis-2019",
        "YouTube-VIS 2019: checked, with all masks compressed and all boxes",
        "published_sets.vis_sets:read_youtube_vis_2019",
        _LISTED,
    ),
    Format(
        "youtube-vis-2021",
        "YouTube-VIS 2021: checked, with all masks compressed and all boxes",
        "published_sets.vis_sets:read_youtube_vis_2021",
        _LISTED,
    ),
    Format(
        "youtube-vis-2022",
        "YouTube-VIS 2022, short and long videos: the same",
        "published_sets.vis_sets:read_youtube_vis_2021",
        _LISTED,
    ),
    Format("ovis", "OVIS: the same, with its labels of occlusion", "published_sets.vis_sets:read_ovis", _LISTED),
    Format("lv-vis", "LV-VIS: boxes made from masks", "published_sets.vis_sets:read_lv_vis", _LISTED),
    Format("uvo", "UVO's dense videos, of the category object", "published_sets.vis_sets:read_uvo", _LISTED),
    Format(
        "burst",
        "BURST: json of sequences, annotated about once a second",
        "published_sets.burst:read_burst",
        frozenset({"frames", "only"}),
    ),
    Format(
        "vipseg",
        "VIPSeg: panoptic json, and PNGs whose colours are ids; things only",
        "published_sets.vipseg:read_vipseg",
        frozenset({"frames", "only"}),
    ),
    Format(
        "vspw",
        "VSPW in the panoptic form of VIPSeg; its masks of classes have no objects",
        "published_sets.vipseg:read_vipseg",
        frozenset({"frames", "only"}),
    ),
    Format(
        "vipseg-panomasks",
        "VIPSeg's own PNGs of 16 bits; things only",
        "published_sets.vipseg:read_vipseg_panomasks",
        frozenset({"frames", "only", "categories"}),
    ),
    Format(
        "bdd100k",
        "BDD100K segmentation tracking: PNGs of class, attributes and id",
        "published_sets.bdd100k:read_bdd100k",
        _PNG,
    ),
)
