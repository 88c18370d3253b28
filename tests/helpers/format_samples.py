"""A tiny sample of every published set that tools/convert.py reads: two frames, and one object or more."""

import json

import numpy as np
from published_sets import SIZE, add_frames, add_palette_png, add_png, colours, counts, squares

from mmdet.datasets.converting.conversion import ConvertRequest

FIRST, SECOND = squares(_1=(2, 3)), squares(_1=(4, 3))
NAMES = ("000001.jpg", "000002.jpg")


def frames(root, folder="JPEGImages/video"):
    add_frames(root / folder, NAMES)


def png(root):
    frames(root)
    for name, ids in zip(NAMES, (FIRST, SECOND), strict=True):
        add_palette_png((root / "Annotations" / "video" / name).with_suffix(".png"), ids)
    return ConvertRequest(source=root / "Annotations")


def davis(root):
    frames(root, "JPEGImages/480p/bear")
    for name, ids in zip(NAMES, (FIRST, SECOND), strict=True):
        add_palette_png((root / "Annotations" / "480p" / "bear" / name).with_suffix(".png"), ids)
    return ConvertRequest(source=root)


def youtube_vos(root):
    meta = {"videos": {"video": {"objects": {"1": {"category": "penguin", "frames": ["000001", "000002"]}}}}}
    request = png(root)
    (root / "meta.json").write_text(json.dumps(meta))
    return request


def mots_png(root):
    frames(root, "images/0002")
    for name, ids in zip(NAMES, (FIRST, SECOND), strict=True):
        pixels = np.where(ids, 2001, 0).astype(np.uint16) + squares(_10000=(20, 10))
        add_png((root / "instances" / "0002" / name).with_suffix(".png"), pixels)
    return ConvertRequest(source=root / "instances")


def mots_txt(root):
    frames(root, "images/0002")
    height, width = SIZE
    masks = {(1, 2001): FIRST, (2, 2001): SECOND, (1, 10000): squares(_1=(20, 10))}
    lines = [
        f"{at} {number} {number // 1000} {height} {width} {counts(mask)}\n" for (at, number), mask in masks.items()
    ]
    (root / "instances_txt").mkdir()
    (root / "instances_txt" / "0002.txt").write_text("".join(lines))
    return ConvertRequest(source=root / "instances_txt")


def vis(root):
    frames(root)
    rles = [{"size": [*SIZE], "counts": counts(mask)} for mask in (FIRST, SECOND)]
    video = {"id": 5, "height": SIZE[0], "width": SIZE[1], "file_names": [f"video/{name}" for name in NAMES]}
    annotation = {"id": 9, "video_id": 5, "category_id": 3, "segmentations": rles}
    raw = {"videos": [video], "annotations": [annotation], "categories": [{"id": 3, "name": "dog"}]}
    (root / "train.json").write_text(json.dumps(raw))
    return ConvertRequest(source=root / "train.json")


def burst(root):
    frames(root, "frames/train/LaSOT/book-1")
    sequence = {
        "dataset": "LaSOT",
        "seq_name": "book-1",
        "height": SIZE[0],
        "width": SIZE[1],
        "all_image_paths": NAMES,
        "annotated_image_paths": NAMES,
        "track_category_ids": {"1": 3},
        "segmentations": [{"1": {"rle": counts(mask)}} for mask in (FIRST, SECOND)],
    }
    raw = {"sequences": [sequence], "categories": [{"id": 3, "name": "book"}], "split": "train"}
    (root / "all_classes.json").write_text(json.dumps(raw))
    return ConvertRequest(source=root / "all_classes.json")


def vipseg(root):
    frames(root, "images/video")
    annotations = []
    for name, ids in zip(NAMES, (FIRST, SECOND), strict=True):
        add_png((root / "panomasksRGB" / "video" / name).with_suffix(".png"), colours(ids.astype(int) * 70_000))
        annotations.append({"file_name": name, "segments_info": [{"id": 70_000, "category_id": 60, "iscrowd": 0}]})
    raw = {
        "videos": [],
        "annotations": [{"video_id": "video", "annotations": annotations}],
        "categories": [{"id": 60, "name": "person", "isthing": 1}],
    }
    (root / "panoptic.json").write_text(json.dumps(raw))
    return ConvertRequest(source=root / "panoptic.json")


def vipseg_panomasks(root):
    frames(root, "imgs/video")
    for name, ids in zip(NAMES, (FIRST, SECOND), strict=True):
        add_png((root / "panomasks" / "video" / name).with_suffix(".png"), np.where(ids, 6101, 0).astype(np.uint16))
    (root / "panoVIPSeg_categories.json").write_text(json.dumps([{"id": 60, "name": "person", "isthing": 1}]))
    return ConvertRequest(source=root)


def bdd100k(root):
    frames(root, "images/seg_track_20/train/video")
    folder = root / "labels" / "seg_track_20" / "bitmasks" / "train"
    for name, ids in zip(NAMES, (FIRST, SECOND), strict=True):
        add_png(
            (folder / "video" / name).with_suffix(".png"), ids[..., None].astype(np.uint8) * np.uint8([3, 0, 1, 44])
        )
    return ConvertRequest(source=folder)


SAMPLES = {
    "png": png,
    "davis-2016": davis,
    "davis-2017": davis,
    "youtube-vos": youtube_vos,
    "mots-png": mots_png,
    "mots-txt": mots_txt,
    "kitti-mots-png": mots_png,
    "kitti-mots-txt": mots_txt,
    "youtube-vis-2019": vis,
    "youtube-vis-2021": vis,
    "youtube-vis-2022": vis,
    "ovis": vis,
    "lv-vis": vis,
    "uvo": vis,
    "burst": burst,
    "vipseg": vipseg,
    "vspw": vipseg,
    "vipseg-panomasks": vipseg_panomasks,
    "bdd100k": bdd100k,
}
