"""Files of other formats are named for what they are, with what turns them into ours."""

import json

import pytest

from mmdet.errors import UserError
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.annotations.vis_json import load_vis_json

IMAGE = {"id": 1, "file_name": "a/0.jpg", "height": 4, "width": 5}
MARK = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "segmentation": []}
CLASSES = [{"id": 1, "name": "dog"}]
COCO = {"images": [IMAGE], "annotations": [MARK], "categories": CLASSES}
FILES = {
    "COCO": (COCO, "is a COCO file of single images; python tools/convert.py coco"),
    "CVAT": (
        COCO | {"annotations": [MARK | {"attributes": {"track_id": 0}}]},
        "is a COCO file of images with track ids (as CVAT writes it); python tools/convert.py coco",
    ),
    "CocoVID": (COCO | {"videos": [{"id": 3, "name": "a"}]}, "is a CocoVID file"),
    "video ids": (COCO | {"images": [IMAGE | {"video_id": 3}]}, "is a CocoVID file"),
    "BURST": (
        {"split": "val", "sequences": [], "categories": CLASSES},
        "is a BURST (TAO) file; python tools/convert.py burst",
    ),
    "labelme": ({"version": "5", "shapes": [], "imagePath": "0.jpg", "imageData": None}, "is a labelme file"),
    "VIA": ({"_via_settings": {}, "_via_img_metadata": {}}, "is a project of the VGG Image Annotator"),
    "Supervisely": ({"framesCount": 3, "frames": [], "objects": []}, "is a Supervisely video annotation"),
    "Label Studio": (
        [{"id": 1, "data": {}, "annotations": []}],
        "is an export of Label Studio; python tools/convert.py",
    ),
    "Scalabel": ([{"name": "0.jpg", "labels": []}], "is a file of BDD100K or Scalabel"),
    "VIPSeg": (
        {"videos": [{"video_id": "a"}], "annotations": [{"video_id": "a", "annotations": []}], "categories": CLASSES},
        "is a video panoptic file, whose masks are PNGs: python tools/convert.py vipseg",
    ),
    "YouTube-VOS": ({"videos": {"a": {"objects": {}}}}, "is the meta.json of YouTube-VOS, whose masks are PNGs"),
    "MeViS": ({"videos": {"a": {"expressions": {}}}}, "lists expressions"),
    "results": ([{"video_id": 1, "category_id": 1, "score": 1, "segmentations": []}], "is a list of results, not"),
    "COCO results": ([{"image_id": 1, "category_id": 1, "score": 1}], "is a list of COCO results of single images"),
}


@pytest.mark.parametrize("read", [load_vis_json, load_ground_truth])
@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_another_format_is_named(tmp_path, kind, read):
    raw, message = FILES[kind]
    path = tmp_path / "other.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(UserError) as error:
        read(path)
    assert str(error.value).startswith(f"{path} {message}")


def test_a_file_of_ours_with_images_beside_the_videos_is_ours(tmp_path):
    path = tmp_path / "ours.json"
    videos = [{"id": 1, "height": 4, "width": 5, "file_names": ["0.jpg"]}]
    path.write_text(json.dumps({"videos": videos, "images": [], "categories": CLASSES, "annotations": []}))
    assert len(load_vis_json(path).videos) == 1
