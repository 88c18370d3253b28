import json

import numpy as np
import pytest
from published_sets import SIZE, add_frames, assert_masks, counts, squares

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.vis_sets import (
    read_lv_vis,
    read_ovis,
    read_uvo,
    read_youtube_vis_2019,
    read_youtube_vis_2021,
)
from mmdet.datasets.prepare.categories import CATEGORIES
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import load_vis_json, write_vis_json

HEIGHT, WIDTH = SIZE
NAMES = ["a/0.jpg", "a/1.jpg", "a/2.jpg"]


def square(x, y):
    return squares(_1=(x, y)) > 0


def rle(mask):
    return {"size": [*mask.shape], "counts": counts(mask)}


def runs(mask):
    """An uncompressed code, as YouTube-VIS 2019 has them."""
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges.tolist(), len(flat)]).tolist()
    return {"size": [*mask.shape], "counts": [0, *lengths] if flat[0] else lengths}


def video(number=7, names=NAMES, size=SIZE):
    return {"id": number, "height": size[0], "width": size[1], "length": len(names), "file_names": names}


def annotation(segmentations, number=70, video_id=7, **keys):
    return {"id": number, "video_id": video_id, "category_id": 30, "segmentations": segmentations, **keys}


@pytest.fixture
def write(tmp_path):
    """Write a json beside frames of its videos; return the request for it."""

    def write(*annotations, videos=None, categories=({"id": 30, "name": "dog"},), name="train.json", **keys):
        raw = {"videos": [video()] if videos is None else videos, "annotations": list(annotations), **keys}
        if categories:
            raw["categories"] = list(categories)
        (tmp_path / name).write_text(json.dumps(raw))
        add_frames(tmp_path / "JPEGImages" / "a", ["0.jpg", "1.jpg", "2.jpg"])
        return ConvertRequest(source=tmp_path / name)

    return write


def test_masks_are_compressed_and_ids_stay(write, tmp_path):
    conversion = read_youtube_vis_2019(write(annotation([runs(square(2, 3)), None, rle(square(4, 3))])))
    (track,) = conversion.data.tracks
    assert conversion.frames == tmp_path / "JPEGImages"
    assert (track.annotation_id, track.video_id, track.category_id) == (70, 7, 30)
    assert all(mask is None or isinstance(mask["counts"], str) for mask in track.segmentations)
    assert_masks(track, [square(2, 3), None, square(4, 3)])


def test_boxes_and_areas_are_made_from_masks_where_there_are_none(write):
    (track,) = read_lv_vis(write(annotation([rle(square(2, 3)), None, rle(square(4, 3))]))).data.tracks
    assert track.boxes == [(2, 3, 5, 5), None, (4, 3, 5, 5)]
    assert track.areas == [25.0, None, 25.0]


def test_boxes_and_areas_of_the_file_stay(write):
    given = annotation([rle(square(2, 3)), None, None], bboxes=[[1, 2, 7, 8], None, None], areas=[30, None, None])
    (track,) = read_ovis(write(given)).data.tracks
    assert (track.boxes[0], track.areas[0]) == ((1, 2, 7, 8), 30)


def test_labels_of_occlusion_are_kept_in_the_file_that_is_written(write, tmp_path):
    labels = ["slight_occlusion", None, "no_occlusion"]
    data = read_ovis(write(annotation([rle(square(2, 3)), None, rle(square(4, 3))], occlusion=labels))).data
    write_vis_json(data, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["annotations"][0]["occlusion"] == labels
    assert load_vis_json(tmp_path / "out.json") == data


def test_crowds_stay_crowds(write):
    (track,) = read_ovis(write(annotation([rle(square(2, 3)), None, None], iscrowd=1))).data.tracks
    assert track.is_crowd


def test_masks_of_no_pixel_and_objects_of_no_mask_are_left_out(write):
    empty = rle(np.zeros(SIZE, bool))
    conversion = read_ovis(
        write(
            annotation([rle(square(2, 3)), empty, None]),
            annotation([None, None, None], 71),
            annotation([empty] * 3, 72),
        )
    )
    (track,) = conversion.data.tracks
    assert_masks(track, [square(2, 3), None, None])
    assert track.boxes[1] is None
    assert [(left.what, left.count, left.why) for left in conversion.left_out] == [
        ("masks", 4, "they have no pixel"),
        ("objects", 2, "no frame has a mask of them: annotation 71, annotation 72"),
    ]


def test_a_video_without_images_is_left_out_with_its_objects_and_named(write):
    videos = [video(), video(8, ["b/0.jpg"])]
    conversion = read_ovis(
        write(annotation([rle(square(2, 3)), None, None]), annotation([rle(square(2, 3))], 71, 8), videos=videos)
    )
    assert [entry.video_id for entry in conversion.data.videos] == [7]
    assert [track.annotation_id for track in conversion.data.tracks] == [70]
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("videos", 1, f"no images in {conversion.frames}: b")
    assert {name: conversion.read[name] for name in ("videos", "frames", "objects", "masks")} == {
        "videos": 2,
        "frames": 4,
        "objects": 2,
        "masks": 2,
    }


def test_a_size_in_the_file_that_neither_masks_nor_frames_have_is_corrected(write):
    wrong = video(size=(HEIGHT * 2, WIDTH * 2))
    (made,) = read_lv_vis(write(annotation([rle(square(2, 3)), None, None]), videos=[wrong])).data.videos
    assert made.size == SIZE


def test_a_video_whose_frames_have_another_size_than_its_masks_is_left_out(write, tmp_path):
    videos = [video(), video(8, ["b/0.jpg"])]
    add_frames(tmp_path / "JPEGImages" / "b", ["0.jpg"], (HEIGHT + 2, WIDTH))
    conversion = read_lv_vis(
        write(annotation([rle(square(2, 3)), None, None]), annotation([rle(square(2, 3))], 71, 8), videos=videos)
    )
    (left,) = conversion.left_out
    assert (left.what, left.why) == ("videos", "their frames have another size than their masks: b")


def test_a_file_without_annotations_lists_its_videos(write):
    conversion = read_youtube_vis_2021(write(name="valid.json"))
    assert conversion.only_videos
    assert len(conversion.data.videos) == 1


def test_uvo_without_categories_has_the_category_object(write):
    given = annotation([rle(square(2, 3)), None, None])
    del given["category_id"]
    data = read_uvo(write(given, categories=())).data
    assert [(c.category_id, c.name) for c in data.categories] == [(1, "object")]
    assert [track.category_id for track in data.tracks] == [1]


def test_all_objects_may_become_one_category(write):
    request = write(annotation([rle(square(2, 3)), None, None]))
    data = read_uvo(ConvertRequest(source=request.source, category="object")).data
    assert [(c.category_id, c.name) for c in data.categories] == [(1, "object")]
    assert [track.category_id for track in data.tracks] == [1]


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (CATEGORIES["youtube_vis_2019"], None),
        (CATEGORIES["youtube_vis_2021"], "its categories are those of youtube_vis_2021, not of youtube_vis_2019"),
        (("dog", "cat"), "its categories are not youtube_vis_2019's"),
    ],
)
def test_categories_of_another_set_are_noted(write, names, note):
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    given = annotation([rle(square(2, 3)), None, None]) | {"category_id": 1}
    conversion = read_youtube_vis_2019(write(given, categories=categories))
    assert conversion.notes == (*([note] if note else []), "videos are 3 to 3 frames long")


def test_videos_are_chosen_by_their_folders(write, tmp_path):
    videos = [video(), video(8, ["b/0.jpg"])]
    add_frames(tmp_path / "JPEGImages" / "b", ["0.jpg"])
    request = write(annotation([rle(square(2, 3))], 71, 8), videos=videos)
    (tmp_path / "split.txt").write_text("b\n")
    data = read_uvo(ConvertRequest(source=request.source, only=tmp_path / "split.txt")).data
    assert [entry.video_id for entry in data.videos] == [8]


def test_the_frames_of_lv_vis_are_found_by_the_split_in_the_name_of_the_file(write, tmp_path):
    add_frames(tmp_path / "frames" / "JPEGImages" / "val" / "c", ["0.jpg"])
    request = write(annotation([rle(square(2, 3))]), videos=[video(names=["c/0.jpg"])], name="val_instances.json")
    (tmp_path / "frames" / "val_instances.json").write_text(request.source.read_text())
    conversion = read_lv_vis(ConvertRequest(source=tmp_path / "frames" / "val_instances.json"))
    assert conversion.frames == tmp_path / "frames" / "JPEGImages" / "val"


def test_frames_that_are_nowhere_are_asked_for(write, tmp_path):
    request = write(annotation([rle(square(2, 3))]), videos=[video(names=["c/0.jpg"])])
    with pytest.raises(UserError, match="none of the frames of .* is in .*: --frames names the folder that 'c/0.jpg"):
        read_ovis(request)
    with pytest.raises(UserError, match=r"train\.json is in .*nowhere: --frames"):
        read_ovis(ConvertRequest(source=request.source, frames=tmp_path / "nowhere"))


def test_a_mask_that_cannot_be_decoded_is_named(write):
    request = write(
        annotation([{"size": [*SIZE], "counts": "00~"}, None, None], bboxes=[[1, 2, 3, 4], None, None], areas=[9, 0, 0])
    )
    with pytest.raises(UserError, match="annotation 70 of video 7: counts "):
        read_ovis(request)


def test_a_file_of_another_format_is_named(tmp_path):
    (tmp_path / "burst.json").write_text(json.dumps({"sequences": [], "categories": []}))
    with pytest.raises(UserError, match="is a BURST"):
        read_ovis(ConvertRequest(source=tmp_path / "burst.json"))
