import copy
import json
import re
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.datasets import IndependentCrop, ItemKey, MixedDataset, VISDataset, load_vis_json, write_vis_json
from mmdet.datasets.converting.labelling_tools.coco import convert_coco
from mmdet.datasets.prepare.categories import CATEGORIES
from mmdet.errors import UserError

MAIN = runpy.run_path(str(Path(__file__).parents[4] / "tools" / "convert.py"))["main"]
SQUARE = [[10, 8, 30, 8, 30, 28, 10, 28]]
CROWD = {"size": [36, 48], "counts": [0, 36 * 5, 36 * 43]}
COCO = {
    "images": [
        {"id": 139, "height": 36, "width": 48, "file_name": "000000000139.png", "license": 2},
        {"id": 7, "height": 36, "width": 48, "file_name": "000000000007.png"},
        {"id": 8, "height": 36, "width": 48, "file_name": "000000000008.png"},
    ],
    "annotations": [
        {"id": 1, "image_id": 139, "category_id": 18, "bbox": [10, 8, 20, 20], "segmentation": SQUARE, "area": 400},
        {"id": 2, "image_id": 139, "category_id": 1, "iscrowd": 1, "bbox": [0, 0, 5, 36], "segmentation": CROWD},
        {"id": 3, "image_id": 7, "category_id": 62, "bbox": [10, 8, 20, 20], "segmentation": SQUARE, "area": 400},
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 62, "name": "chair"}],
}


@pytest.fixture
def coco():
    return copy.deepcopy(COCO)


@pytest.fixture
def write(tmp_path, coco):
    def write_coco():
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(coco))
        return path

    return write_coco


def test_an_image_becomes_a_video_of_one_frame_with_its_id(write):
    data = convert_coco(write(), None).data
    assert [(video.video_id, video.size, video.file_names) for video in data.videos] == [
        (139, (36, 48), ["000000000139.png"]),
        (7, (36, 48), ["000000000007.png"]),
    ]


def test_categories_are_those_of_the_target_in_the_order_of_their_ids(write):
    conversion = convert_coco(write(), "ovis")
    assert [category.name for category in conversion.data.categories] == list(CATEGORIES["ovis"])
    assert [category.category_id for category in conversion.data.categories] == list(range(1, 26))
    assert [track.category_id for track in conversion.data.tracks] == [4, 1]


def test_what_the_target_does_not_have_is_dropped_and_counted(write):
    conversion = convert_coco(write(), "youtube_vis_2021")
    assert (conversion.num_other, conversion.num_empty) == (1, 2)
    assert [video.video_id for video in conversion.data.videos] == [139]


def test_images_without_annotations_are_kept_on_demand(write):
    conversion = convert_coco(write(), "ovis", keep_empty=True)
    assert [video.video_id for video in conversion.data.videos] == [139, 7, 8]
    assert conversion.num_empty == 2


def test_crowds_polygons_and_counts_stay_as_they_are(write, tmp_path):
    conversion = convert_coco(write(), None)
    write_vis_json(conversion.data, tmp_path / "out.json")
    dog, crowd, _ = load_vis_json(tmp_path / "out.json").tracks
    assert (dog.segmentations, dog.areas, dog.boxes, dog.is_crowd) == ([SQUARE], [400.0], [(10, 8, 20, 20)], False)
    assert (crowd.segmentations, crowd.areas, crowd.is_crowd) == ([CROWD], [180.0], True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: c.pop("images"), "the key 'images' is missing"),
        (lambda c: c["images"][1].pop("file_name"), r"images\[1\]: the key 'file_name' is missing"),
        (lambda c: c["images"][1].update(id=139), "image id 139 occurs twice"),
        (lambda c: c["images"].append(3), r"images\[3\]: is 3, expected an object"),
        (lambda c: c["images"][0].update(width=0), r"images\[0\] \(id 139\): height and width are 36 and 0"),
        (lambda c: c["annotations"][2].update(image_id=5), r"annotations\[2\]: no image has the id 5"),
        (lambda c: c["annotations"][2].update(category_id=5), r"annotations\[2\]: no category has the id 5"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2]), r"annotations\[0\] .*: the box is \[1, 2\]"),
        (lambda c: [a.update(segmentation=[]) for a in c["annotations"]], "none of its 2 annotations has a mask"),
        (lambda c: c["annotations"][1].update(id=1), "annotation id 1 occurs twice"),
        (lambda c: c["categories"][1].update(name="cow"), "category 18 is 'cow', in COCO it is 'dog'"),
    ],
)
def test_what_is_malformed_is_named_with_its_place(coco, write, damage, message):
    damage(coco)
    with pytest.raises(UserError, match=message):
        convert_coco(write(), "ovis")


def test_annotations_without_a_mask_are_left_out_and_counted(coco, write):
    coco["annotations"][0]["segmentation"] = []
    coco["annotations"][2]["segmentation"] = [[1, 1, 5, 5]]
    conversion = convert_coco(write(), None)
    assert [track.annotation_id for track in conversion.data.tracks] == [2]
    assert conversion.num_bare == 2
    assert "polygons of fewer than 3 points, left out: 1" in conversion.notes


def test_a_box_that_is_missing_is_that_of_the_mask(coco, write):
    del coco["annotations"][0]["bbox"]
    assert convert_coco(write(), None).data.tracks[0].boxes == [(10, 8, 20, 20)]


def test_another_format_is_named(tmp_path):
    path = tmp_path / "burst.json"
    path.write_text(json.dumps({"split": "val", "sequences": [], "categories": []}))
    with pytest.raises(UserError, match="is a BURST"):
        convert_coco(path, None)


def test_own_categories_may_have_any_names(coco, write):
    coco["categories"][1]["name"] = "wombat"
    assert convert_coco(write(), None).data.categories[1].name == "wombat"


def test_the_tool_says_what_it_left_out(write, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "000000000139.png"), np.zeros((36, 48, 3), np.uint8))
    assert MAIN(["coco", str(write()), str(tmp_path / "new" / "out.json"), "--to", "ovis"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^masks +3 +2$", out, re.MULTILINE)
    assert "left out: 1 annotations of other categories: ovis does not have them" in out
    assert "left out: 2 images without annotations: --keep-empty keeps them" in out


def test_the_tool_never_overwrites_its_input(write, capsys):
    path = write()
    before = path.read_bytes()
    assert MAIN(["coco", str(path), str(path)]) == 2
    assert "is the input" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_converted_image_trains_beside_videos_as_a_pair_of_different_crops(write, tmp_path, tiny_set):
    """From a COCO file and its images to a batch item: COCO -> pseudo-videos -> a mixed set -> key and reference."""
    tiny_set.raw["categories"] = [{"id": i, "name": name} for i, name in enumerate(CATEGORIES["ovis"], start=1)]
    tiny_set.add_track(5, tiny_set.add_video(1, frames=2), category_id=3)
    MAIN(["coco", str(write()), str(tmp_path / "coco.json"), "--to", "ovis"])
    image = np.random.default_rng(0).integers(0, 255, (36, 48, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "000000000139.png"), image)
    crop = {"type": "IndependentCrop", "fraction": (0.5, 0.9)}
    resize = {"type": "ResizeKeepRatio", "long_edge": (60, 96), "short_edge": (50, 72)}
    stills = VISDataset(str(tmp_path / "coco.json"), str(tmp_path), [crop, resize, {"type": "RandomFlip"}])
    mixed = MixedDataset([VISDataset(**tiny_set.write(), transforms=[resize]), stills], ratios=[2, 1])
    for epoch in range(20):
        sample = mixed[ItemKey(epoch, 2)]
        key, reference = sample.truths
        assert [meta.video_id for meta in sample.metas] == [139, 139]
        assert not sample.images[0].equal(sample.images[1])
        dog = list(CATEGORIES["ovis"]).index("Dog")
        for truth in (key, reference):
            shown = truth[truth.instance_ids == 1]
            assert (shown.labels.tolist(), shown.is_crowd.tolist()) == ([dog], [False])
        assert key.masks[key.instance_ids == 1].any()
        boxes = [truth[truth.instance_ids == 1].boxes for truth in (key, reference)]
        assert not boxes[0].equal(boxes[1])
        again = mixed[ItemKey(epoch, 2)]
        assert again.images.equal(sample.images)


def test_random_crops_in_testing_are_refused(write, tmp_path):
    MAIN(["coco", str(write()), str(tmp_path / "coco.json")])
    with pytest.raises(UserError, match="IndependentCrop draws at random"):
        VISDataset(str(tmp_path / "coco.json"), str(tmp_path), [IndependentCrop()], test_mode=True, check_files=False)


def test_real_coco_annotations_convert(shared):
    path = shared / "data" / "coco128" / "coco_instances.json"
    everything = convert_coco(path, None)
    assert (len(everything.data.videos), len(everything.data.tracks), everything.num_other) == (128, 900, 0)
    assert sum(track.is_crowd for track in everything.data.tracks) == 13
    for target in CATEGORIES:
        some = convert_coco(path, target)
        assert len(some.data.tracks) + some.num_other == 900
        assert len(some.data.videos) + some.num_empty == 128


def test_a_box_is_a_mask_only_where_that_is_asked_for(coco, write):
    coco["annotations"][0]["segmentation"] = []
    boxes = convert_coco(write(), None, boxes_as_masks=True)
    assert boxes.num_bare == 0
    assert boxes.data.tracks[0].segmentations == [SQUARE]


def test_an_unknown_target_is_named(write, tmp_path, capsys):
    assert MAIN(["coco", str(write()), str(tmp_path / "out.json"), "--to", "youtube_vis_2020"]) == 2
    assert "did you mean youtube_vis_20" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
