"""COCO files with track ids become videos with identities, and nothing is lost without a word."""

import json
import re
import runpy
from pathlib import Path

import pytest
from made_labels import run, write_images, write_json

from mmdet.datasets import load_vis_json
from mmdet.datasets.converting.labelling_tools.coco import convert_coco
from mmdet.errors import UserError
from mmdet.ops.masks.segmentations import mask_areas, to_rles

MAIN = runpy.run_path(str(Path(__file__).parents[4] / "tools" / "convert.py"))["main"]
SQUARE = [[10, 8, 30, 8, 30, 28, 10, 28]]
OTHER = [[30, 8, 40, 8, 40, 28, 30, 28]]


def annotation(number, image, track=None, where="track_id", category=1, **changes):
    entry = {"id": number, "image_id": image, "category_id": category, "segmentation": SQUARE, "bbox": [10, 8, 20, 20]}
    entry |= {"area": 400, "iscrowd": 0}
    if where == "attributes":
        entry["attributes"] = {"occluded": False, "track_id": track}
    elif track is not None:
        entry[where] = track
    return entry | changes


def coco(annotations, names=("a/2.jpg", "a/10.jpg", "a/1.jpg", "b/1.jpg"), **keys):
    images = [{"id": i, "height": 36, "width": 48, "file_name": name} for i, name in enumerate(names, start=1)]
    for key, values in keys.items():
        for image, value in zip(images, values, strict=True):
            image[key] = value
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.fixture
def convert(tmp_path):
    def run(raw, **options):
        path = tmp_path / "coco.json"
        path.write_text(json.dumps(raw))
        return convert_coco(path, None, **options)

    return run


@pytest.mark.parametrize("where", ["track_id", "instance_id", "attributes"])
def test_annotations_of_one_track_id_are_one_track(convert, where):
    conversion = convert(coco([annotation(1, 1, 5, where), annotation(2, 3, 5, where), annotation(3, 2, 6, where)]))
    (video,) = conversion.data.videos
    assert video.file_names == ["a/1.jpg", "a/2.jpg", "a/10.jpg"]
    first, second = conversion.data.tracks
    assert [mask is not None for mask in first.segmentations] == [True, True, False]
    assert [mask is not None for mask in second.segmentations] == [False, False, True]
    assert (first.boxes[0], first.areas[0]) == ((10, 8, 20, 20), 400)
    assert conversion.has_identities


def test_cocovid_keeps_its_video_ids_and_its_order(convert):
    raw = coco(
        [annotation(1, 1, 0), annotation(2, 3, 0), annotation(3, 4, 0)], video_id=[70, 70, 70, 9], frame_id=[0, 1, 2, 0]
    )
    conversion = convert(raw)
    assert {video.video_id: video.file_names for video in conversion.data.videos} == {
        70: ["a/2.jpg", "a/10.jpg", "a/1.jpg"],
        9: ["b/1.jpg"],
    }
    assert [track.video_id for track in conversion.data.tracks] == [70, 9]  # one id in two videos is two objects


def test_images_in_no_folder_are_one_video(convert):
    names = ("frame_000010.png", "frame_000002.png")
    (video,) = convert(coco([annotation(1, 1, 1)], names)).data.videos
    assert video.file_names == ["frame_000002.png", "frame_000010.png"]


def test_an_annotation_without_an_id_is_a_track_of_its_own(convert):
    conversion = convert(coco([annotation(1, 1, 5), annotation(2, 3), annotation(3, 2)]))
    assert len(conversion.data.tracks) == 3
    assert "2 annotations have no track id: each is a track of one frame" in conversion.notes


def test_parts_of_a_track_in_one_frame_are_joined(convert):
    conversion = convert(coco([annotation(1, 1, 5), annotation(2, 1, 5, segmentation=OTHER, bbox=[30, 8, 10, 20])]))
    (track,) = conversion.data.tracks
    assert track.boxes[1] == (10, 8, 30, 20)
    assert track.areas[1] == 600 == mask_areas(to_rles([track.segmentations[1]], (36, 48)))[0]
    assert "1 annotations repeat a track in one frame: their masks are joined" in conversion.notes


def test_a_track_of_several_categories_has_the_most_frequent_one(convert):
    seen = [annotation(1, 1, 5, category=2), annotation(2, 2, 5), annotation(3, 3, 5, category=2, iscrowd=1)]
    conversion = convert(coco(seen))
    assert conversion.data.tracks[0].category_id == 2
    assert not conversion.data.tracks[0].is_crowd
    assert len(conversion.notes) == 2


def test_frames_of_several_sizes_are_no_video(convert):
    raw = coco([annotation(1, 1, 5)])
    raw["images"][1]["width"] = 50
    with pytest.raises(UserError, match=r"image a/10\.jpg is 50x36, image a/1\.jpg of the same video 48x36"):
        convert(raw)


def test_stills_stay_stills_where_there_are_no_ids_or_on_demand(convert):
    assert len(convert(coco([annotation(1, 1), annotation(2, 3)])).data.videos) == 2
    assert len(convert(coco([annotation(1, 1, 5), annotation(2, 3, 5)]), as_stills=True).data.videos) == 2


def test_images_of_videos_without_tracks_are_stills_and_that_is_said(convert):
    conversion = convert(coco([annotation(1, 1), annotation(2, 3)], video_id=[1, 1, 1, 2]))
    assert len(conversion.data.videos) == 2
    assert "no annotation names its track" in conversion.notes[0]


def test_the_tool_writes_videos_that_load(tmp_path, capsys):
    path, out = tmp_path / "coco.json", tmp_path / "out.json"
    flat = annotation(2, 3, 5, segmentation=[*SQUARE, [1, 1, 2, 2]])
    path.write_text(json.dumps(coco([annotation(1, 1, 5, segmentation=SQUARE[0]), flat])))
    assert MAIN(["coco", str(path), str(out)]) == 2  # the images are not there, and that is told
    ended = capsys.readouterr()
    assert re.search(r"^frames +4 +3$", ended.out, re.MULTILINE)
    assert re.search(r"^objects +- +1$", ended.out, re.MULTILINE)
    assert "note: polygons of fewer than 3 points, left out: 1" in ended.out
    assert "left out: 1 videos without annotations: --keep-empty keeps them" in ended.out
    assert f"ann_file={str(out)!r}," in ended.out
    assert "FAULT" in ended.err
    assert load_vis_json(out).tracks[0].segmentations == [SQUARE, SQUARE, None]


def test_parts_that_cannot_be_joined_are_named(convert):
    broken = {"size": [36, 48], "counts": "~"}
    with pytest.raises(UserError, match="annotation 2 repeats its track in image 1, and their masks cannot be joined"):
        convert(coco([annotation(1, 1, 5), annotation(2, 1, 5, segmentation=broken)]))


@pytest.mark.parametrize("folder", ["images", "images/default"])
def test_the_images_of_an_export_of_cvat_are_found(tmp_path, folder):
    path = write_json(tmp_path / "annotations" / "instances_default.json", coco([annotation(1, 1, 5)], ["f_1.png"]))
    write_images(tmp_path / folder, ["f_1.png"])
    conversion, data = run("coco", path, out=tmp_path / "out.json")
    assert conversion.frames == tmp_path / folder
    assert data.videos[0].file_names == ["f_1.png"]


def test_twelve_objects_of_one_frame_keep_their_ids(convert):
    squares = [[[2 * n, 0, 2 * n + 2, 0, 2 * n + 2, 4, 2 * n, 4]] for n in range(12)]
    seen = [annotation(12 * i + n, i, n, segmentation=squares[n], bbox=None) for i in (1, 3) for n in range(12)]
    raw = coco(seen)
    raw["categories"][0]["name"] = "кот 猫"
    data = convert(raw).data
    assert [track.boxes[0][0] for track in data.tracks] == [2 * n for n in range(12)]
    assert [track.boxes[1] for track in data.tracks] == [track.boxes[0] for track in data.tracks]
    assert data.categories[0].name == "кот 猫"
