import copy
import gc
import json

import pytest

from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import load_vis_json, write_vis_json


def test_categories_stay_in_file_order_whatever_their_ids(two_videos):
    data = load_vis_json(two_videos.write_json())
    assert [(c.category_id, c.name) for c in data.categories] == [(30, "dog"), (7, "cat")]


def test_videos_and_tracks_keep_their_own_ids(two_videos):
    data = load_vis_json(two_videos.write_json())
    assert [v.video_id for v in data.videos] == [905, 3]
    assert data.videos[1].size == (48, 36)
    assert [(t.annotation_id, t.video_id, t.category_id) for t in data.tracks] == [
        (77, 905, 7),
        (12, 905, 30),
        (5000, 3, 30),
    ]


def test_null_frames_are_none(two_videos):
    track = load_vis_json(two_videos.write_json()).tracks[0]
    assert track.boxes == [(4, 6, 10, 10), (5, 6, 10, 10), (6, 6, 10, 10), None, (8, 6, 10, 10), None]
    assert track.segmentations[3] is None
    assert track.areas[3] is None


@pytest.mark.parametrize("missing", ["null", "absent", "empty"])
def test_a_file_without_annotations_loads(two_videos, missing):
    if missing == "absent":
        del two_videos.raw["annotations"]
    else:
        two_videos.raw["annotations"] = None if missing == "null" else []
    data = load_vis_json(two_videos.write_json())
    assert len(data.videos) == 2
    assert data.tracks == []
    assert not data.has_annotations


def test_unknown_keys_such_as_occlusion_are_ignored(two_videos):
    two_videos.raw["annotations"][0]["occlusion"] = ["no_occlusion"] * 6
    two_videos.raw["licenses"] = "any"
    assert load_vis_json(two_videos.write_json()).has_annotations


def test_missing_areas_are_those_of_the_masks(two_videos):
    two_videos.raw["annotations"][1]["bboxes"][1] = [0, 0, 40, 30]
    del two_videos.raw["annotations"][0]["areas"]
    two_videos.raw["annotations"][1]["areas"][1] = None
    data = load_vis_json(two_videos.write_json())
    assert data.tracks[0].areas == [100, 100, 100, None, 100, None]
    assert data.tracks[1].areas[1] == 100


def test_missing_iscrowd_is_no_crowd(two_videos):
    del two_videos.raw["annotations"][0]["iscrowd"]
    two_videos.raw["annotations"][1]["iscrowd"] = 1
    assert [t.is_crowd for t in load_vis_json(two_videos.write_json()).tracks] == [False, True, False]


@pytest.mark.parametrize(
    ("value", "is_crowd"),
    [(None, False), (False, False), (True, True), (1.0, True), ("0", False), ("1", True), ("false", False)],
)
def test_a_crowd_is_one_or_true(two_videos, value, is_crowd):
    two_videos.raw["annotations"][0]["iscrowd"] = value
    assert load_vis_json(two_videos.write_json()).tracks[0].is_crowd is is_crowd


@pytest.mark.parametrize("value", ["no", "2", 2, -1, [], {}])
def test_another_crowd_is_refused(two_videos, value):
    two_videos.raw["annotations"][0]["iscrowd"] = value
    with pytest.raises(UserError, match=r"annotations\[0\].*'iscrowd' is .*, expected 0 or 1"):
        load_vis_json(two_videos.write_json())


def test_a_zero_box_without_segmentation_is_an_absent_object(two_videos):
    track = two_videos.raw["annotations"][0]
    track["bboxes"][3], track["segmentations"][3], track["areas"][3] = [0, 0, 0, 0], [], 0
    assert load_vis_json(two_videos.write_json()).tracks[0].areas[3] == 0


def test_what_is_written_reads_back_equal(two_videos, tmp_path):
    data = load_vis_json(two_videos.write_json())
    write_vis_json(data, tmp_path / "copy.json")
    assert load_vis_json(tmp_path / "copy.json") == data


def test_bytes_counts_are_written_as_text(two_videos, tmp_path):
    data = load_vis_json(two_videos.write_json())
    rle = data.tracks[0].segmentations[0]
    text = rle["counts"]
    rle["counts"] = text.encode()
    write_vis_json(data, tmp_path / "copy.json")
    assert load_vis_json(tmp_path / "copy.json").tracks[0].segmentations[0]["counts"] == text


def test_a_missing_file_points_to_the_data_readme(tmp_path):
    with pytest.raises(UserError, match=r"none\.json does not exist; data/README\.md"):
        load_vis_json(tmp_path / "none.json")


def test_a_folder_is_no_annotation_file(tmp_path):
    with pytest.raises(UserError, match="is a folder, expected an annotation file"):
        load_vis_json(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"videos": [{"id": 1, "file_na', "is not a json file, perhaps cut off"),
        (b"", "is not a json file"),
        (b"\xff\xd8\xff\xe0 picture", "is not a json file"),
        (b"[" * 200_000, "is not a json file"),
        (b"[]", "expected an object with videos and categories, got a list"),
        (b"{}", "the key 'categories' is missing"),
        (b'{"categories": []}', "the key 'videos' is missing"),
        (b'{"categories": [], "videos": {}}', "'videos' is {}, expected a list"),
    ],
)
def test_a_file_that_is_no_vis_json_is_named(tmp_path, content, message):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="broken.json") as error:
        load_vis_json(path)
    assert message in str(error.value)


_VIDEO, _TRACK = "videos[0] (id 905)", "annotations[0] (id 77, video 905)"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("videos", 0), 5, "videos[0]: is 5, expected an object"),
        (("videos", 0, "id"), "abc", "videos[0]: 'id' is \"abc\", expected an integer"),
        (("videos", 0, "id"), True, "'id' is true, expected an integer"),
        (("videos", 0, "id"), 2**70, "expected an integer"),
        (("videos", 0, "id"), 3, "video id 3 occurs twice"),
        (("videos", 0, "height"), 0, f"{_VIDEO}: height and width are 0 and 48"),
        (("videos", 0, "width"), "delete", f"{_VIDEO}: the key 'width' is missing"),
        (("videos", 0, "file_names"), [], f"{_VIDEO}: 'file_names' is empty"),
        (("videos", 0, "file_names"), None, f"{_VIDEO}: 'file_names' is null, expected a list"),
        (("videos", 0, "file_names", 2), 7, f"{_VIDEO}: file_names[2] is 7, expected a text"),
        (("categories", 1, "id"), 30, "category id 30 occurs twice"),
        (("categories", 1, "name"), "delete", "categories[1]: the key 'name' is missing"),
        (("annotations",), {}, "'annotations' is {}, expected a list"),
        (("annotations", 0, "id"), "delete", "annotations[0]: the key 'id' is missing"),
        (("annotations", 0, "id"), 12, "annotation id 12 occurs twice"),
        (("annotations", 0, "video_id"), 4, "annotations[0] (id 77, video 4): no video has the id 4"),
        (("annotations", 0, "category_id"), 1, f"{_TRACK}: no category has the id 1"),
        (("annotations", 0, "category_id"), 1.5, f"{_TRACK}: 'category_id' is 1.5"),
        (("annotations", 0, "segmentations"), "delete", f"{_TRACK}: the key 'segmentations' is missing"),
        (
            ("videos", 0, "annotated_frames"),
            [0, 6],
            f"{_VIDEO}: 'annotated_frames' is [0, 6], expected a list of frame",
        ),
        (("videos", 0, "annotated_frames"), "0", f"{_VIDEO}: 'annotated_frames' is '0', expected a list of frame"),
        (("annotations", 0, "bboxes"), [None] * 5, f"{_TRACK}: 'bboxes' has 5 entries, its video 905 has 6 frames"),
        (("annotations", 0, "segmentations"), [None] * 7, f"{_TRACK}: 'segmentations' has 7 entries"),
        (("annotations", 0, "areas"), [1], f"{_TRACK}: 'areas' has 1 entries"),
        (
            ("annotations", 0, "bboxes", 1),
            [1, 2, "x", 4],
            f'{_TRACK}, frame 1: the box is [1, 2, "x", 4], expected four',
        ),
        (("annotations", 0, "bboxes", 1), [1, 2, 3], f"{_TRACK}, frame 1: the box is [1, 2, 3]"),
        (("annotations", 0, "bboxes", 1), [1, 2, float("nan"), 4], f"{_TRACK}, frame 1: the box is [1, 2, NaN, 4]"),
        (("annotations", 0, "areas", 1), "big", f'{_TRACK}, frame 1: the area is "big"'),
        (("annotations", 0, "segmentations", 1), None, f"{_TRACK}, frame 1: has a box but no segmentation"),
        (
            ("annotations", 0, "segmentations", 1),
            "abc",
            f'{_TRACK}, frame 1: the segmentation is "abc", expected a RLE',
        ),
        (("annotations", 0, "segmentations", 1), {"size": [1, 1]}, "has the keys ['size'], a RLE has 'counts' and"),
        (("annotations", 0, "segmentations", 1, "size"), [48, 36], "size is [48, 36], the video's is [36, 48]"),
    ],
)
def test_a_fault_is_named_with_its_place(two_videos, path, value, message):
    node = two_videos.raw = copy.deepcopy(two_videos.raw)
    for key in path[:-1]:
        node = node[key]
    if value == "delete":
        del node[path[-1]]
    else:
        node[path[-1]] = value
    ann_file = two_videos.write_json()
    with pytest.raises(UserError) as error:
        load_vis_json(ann_file)
    assert str(error.value).startswith(ann_file)
    assert message in str(error.value)


def test_a_message_never_shows_a_whole_broken_entry(two_videos):
    two_videos.raw["annotations"][0]["bboxes"][0] = list(range(10_000))
    with pytest.raises(UserError) as error:
        load_vis_json(two_videos.write_json())
    assert len(str(error.value)) < 500


def test_whole_numbers_written_as_floats_are_integers(two_videos):
    two_videos.raw["videos"][0]["width"] = 48.0
    text = json.dumps(two_videos.raw)
    two_videos.raw = json.loads(text)
    assert load_vis_json(two_videos.write_json()).videos[0].size == (36, 48)


def test_the_garbage_collector_works_again_after_a_file_and_after_a_broken_one(two_videos):
    load_vis_json(two_videos.write_json())
    assert gc.isenabled()
    two_videos.raw["videos"] = None
    with pytest.raises(UserError):
        load_vis_json(two_videos.write_json())
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off(two_videos):
    gc.disable()
    try:
        load_vis_json(two_videos.write_json())
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("value", [None, [], [0, 0, 0, 0], [5, 6, -3, 10]])
def test_a_box_that_is_not_there_is_that_of_the_mask(two_videos, value):
    track = two_videos.raw["annotations"][0]
    expected = [tuple(box) if box else None for box in track["bboxes"]]
    track["bboxes"] = [value if box else None for box in track["bboxes"]]
    assert load_vis_json(two_videos.write_json()).tracks[0].boxes == expected


@pytest.mark.parametrize("how", ["absent", "null", "empty"])
def test_a_file_without_boxes_and_areas_has_those_of_the_masks(two_videos, how):
    given = load_vis_json(two_videos.write_json())
    for track in two_videos.raw["annotations"]:
        for key in ("bboxes", "areas"):
            if how == "absent":
                del track[key]
            else:
                track[key] = None if how == "null" else []
    assert load_vis_json(two_videos.write_json()) == given


@pytest.mark.parametrize("area", [0, -4, None, []])
def test_an_area_that_is_not_there_is_that_of_the_mask(two_videos, area):
    two_videos.raw["annotations"][0]["areas"][1] = area
    assert load_vis_json(two_videos.write_json()).tracks[0].areas[1] == 100


def test_boxes_and_areas_stay_as_they_are_on_demand(two_videos):
    track = two_videos.raw["annotations"][0]
    track["bboxes"][1], track["areas"][1], track["bboxes"][2] = None, 0, [5, 6, -3, 10]
    track = load_vis_json(two_videos.write_json(), as_is=True).tracks[0]
    assert (track.boxes[1], track.areas[1], track.boxes[2]) == (None, 0, (5, 6, -3, 10))


def test_a_mask_that_cannot_be_decoded_for_its_box_is_named(two_videos):
    track = two_videos.raw["annotations"][0]
    track["bboxes"][1], track["segmentations"][1]["counts"] = None, [3]
    with pytest.raises(UserError, match=r"annotations\[0\] \(id 77, video 905\): a box or an area is missing, and"):
        load_vis_json(two_videos.write_json())


def test_a_file_with_boxes_decodes_no_mask(two_videos):
    two_videos.raw["annotations"][0]["segmentations"][0]["counts"] = "~~ no mask ~~"
    assert len(load_vis_json(two_videos.write_json()).tracks) == 3


def test_an_empty_list_is_an_absent_box_and_an_absent_segmentation(two_videos):
    track = two_videos.raw["annotations"][0]
    track["bboxes"][3], track["segmentations"][3], track["areas"][3] = [], [], []
    track = load_vis_json(two_videos.write_json()).tracks[0]
    assert (track.boxes[3], track.segmentations[3], track.areas[3]) == (None, None, None)


def test_a_flat_polygon_and_points_are_read_as_a_list_of_polygons(two_videos):
    track = two_videos.raw["annotations"][0]
    flat = track["segmentations"][2][0]
    track["segmentations"][2] = flat
    track["segmentations"][1] = [[[x, y] for x, y in zip(flat[::2], flat[1::2], strict=True)]]
    read = load_vis_json(two_videos.write_json()).tracks[0].segmentations
    assert read[1] == read[2] == [flat]


def test_two_point_polygons_are_dropped_with_a_count(two_videos):
    track = two_videos.raw["annotations"][0]
    good = track["segmentations"][2]
    track["segmentations"][2] = [*good, [1, 1, 5, 5]]
    track["segmentations"][1] = [[1, 1, 5, 5]]
    data = load_vis_json(two_videos.write_json())
    assert data.tracks[0].segmentations[:3] == [track["segmentations"][0], None, good]
    assert (data.tracks[0].boxes[1], data.tracks[0].areas[1]) == (None, None)
    assert data.notes == (
        "polygons of fewer than 3 points, left out: 2",
        "segmentations of such polygons alone, their objects not seen in these frames: 1",
    )


def test_counts_as_shown_bytes_are_read_as_counts(two_videos):
    mask = two_videos.raw["annotations"][0]["segmentations"][0]
    counts, mask["counts"] = mask["counts"], str(mask["counts"].encode())
    assert load_vis_json(two_videos.write_json()).tracks[0].segmentations[0]["counts"] == counts


def test_backslashes_in_file_names_are_slashes(two_videos):
    two_videos.raw["videos"][0]["file_names"][2] = "v905\\00002.jpg"
    data = load_vis_json(two_videos.write_json())
    assert data.videos[0].file_names[2] == "v905/00002.jpg"
    assert data.notes == ("backslashes in file names read as /: 1 names",)


def test_annotated_frames_are_read_and_written(two_videos, tmp_path):
    two_videos.raw["videos"][0]["annotated_frames"] = [4, 0, 2]
    data = load_vis_json(two_videos.write_json())
    assert [video.annotated_frames for video in data.videos] == [(0, 2, 4), None]
    write_vis_json(data, tmp_path / "copy.json")
    assert load_vis_json(tmp_path / "copy.json") == data


def test_masks_in_frames_that_are_not_annotated_are_counted(two_videos):
    two_videos.raw["videos"][0]["annotated_frames"] = [0, 4]
    (note,) = load_vis_json(two_videos.write_json()).notes
    assert note == "masks in frames that 'annotated_frames' does not list, neither trained on nor measured: 5"
