"""YOLO's segmentation texts: outlines in parts of the frame, with what trackers append to them."""

import numpy as np
import pytest
from made_labels import SIZE, SQUARE, drawn, left_out, pixels_of, run, seen_in, write_images, write_video

from mmdet.errors import UserError

HEIGHT, WIDTH = SIZE


def parts(outline=SQUARE):
    """Return an outline in pixels as parts of the frame's sides, as text."""
    return " ".join(f"{value / (HEIGHT if index % 2 else WIDTH):.8f}" for index, value in enumerate(outline))


@pytest.fixture
def dataset(tmp_path):
    """A function that writes the images and texts (None for none) of a split, and returns the folder of the set."""

    def write(texts, names="[dog, кот]", split="train", more=""):
        root = tmp_path / "set"
        for path, lines in texts.items():
            folder, _, stem = path.rpartition("/")
            write_images(root / "images" / split / folder, [f"{stem}.png"])
            if lines is not None:
                (root / "labels" / split / folder).mkdir(parents=True, exist_ok=True)
                (root / "labels" / split / f"{path}.txt").write_text("\n".join(lines))
        (root / "data.yaml").write_text(f"path: .\n{split}: images/{split}\nnames: {names}\n{more}", encoding="utf-8")
        return root

    return write


def test_the_id_behind_an_outline_is_a_track_over_gaps(dataset):
    root = dataset({"0": [f"0 {parts()} 7", f"1 {parts()} 8"], "1": [f"1 {parts()} 8"], "2": [f"0 {parts()} 7"]})
    conversion, data = run("yolo-seg", root)
    assert [(seen_in(track), track.category_id) for track in data.tracks] == [([0, 2], 1), ([0, 1], 2)]
    assert [category.name for category in data.categories] == ["dog", "кот"]
    assert dict(conversion.read) == {"videos": 1, "frames": 3, "masks": 4, "categories": 2}
    assert conversion.frames == root / "images" / "train"


def test_a_score_may_stand_before_the_id(dataset):
    texts = {str(n): [f"0 {parts()} 0.75 {identity}" for identity in (0, 1, 2)] for n in range(2)}
    conversion, data = run("yolo-seg", dataset(texts))
    assert [seen_in(track) for track in data.tracks] == [[0, 1]] * 3
    assert all(track.areas[0] == 64 for track in data.tracks)
    assert conversion.notes == ("scores of 6 lines are not read",)


def test_without_ids_each_mask_is_an_object_of_one_frame(dataset):
    conversion, data = run("yolo-seg", dataset({"0": [f"0 {parts()}"], "1": [f"0 {parts()} 0.5"]}))
    assert [seen_in(track) for track in data.tracks] == [[0], [1]]
    assert "2 masks have no identity: each is an object of one frame" in conversion.notes


def test_a_triangle_without_an_id_is_no_box_with_one(dataset):
    _, data = run("yolo-seg", dataset({"0": [f"0 {parts(SQUARE[:6])}"]}))
    assert data.tracks[0].segmentations[0]["counts"] == drawn(SQUARE[:6])


def test_an_outline_is_to_the_pixel_what_pycocotools_draws(dataset):
    outline = [3.4, 2.2, 20.8, 5.2, 14.2, 17.8, 2.4, 12.6]
    _, data = run("yolo-seg", dataset({"0": [f"0 {parts(outline)} 1"]}))
    assert data.tracks[0].segmentations[0]["counts"] == drawn(outline)


def test_boxes_are_no_masks_unless_that_is_asked_for(dataset):
    root = dataset({"0": [f"0 {parts()} 1", "1 0.5 0.5 0.25 0.25 2", "1 0.5 0.5 0.25 0.25"]})
    conversion, data = run("yolo-seg", root)
    assert len(data.tracks) == 1
    assert left_out(conversion) == {"boxes": 2}
    _, data = run("yolo-seg", root, boxes_as_masks=True)
    assert data.tracks[1].boxes[0] == (12, 9, 8, 6)


def test_an_id_of_two_classes_in_one_frame_is_two_objects(dataset):
    root = dataset({"0": [f"0 {parts()} 1", f"1 {parts()} 1"], "1": [f"1 {parts()} 1"]})
    _, data = run("yolo-seg", root)
    assert [(seen_in(track), track.category_id) for track in data.tracks] == [([0], 1), ([0, 1], 2)]


def test_folders_are_videos_and_frame_10_comes_after_frame_9(dataset):
    line = [f"0 {parts()} 1"]
    _, data = run("yolo-seg", dataset({"v10/f9": line, "v10/f10": line, "v9/f1": line}))
    assert [video.file_names for video in data.videos] == [["v9/f1.png"], ["v10/f9.png", "v10/f10.png"]]
    assert [seen_in(track) for track in data.tracks] == [[0], [0, 1]]


def test_a_frame_without_a_text_shows_nothing_and_that_is_said(dataset):
    conversion, data = run("yolo-seg", dataset({"0": [f"0 {parts()} 1"], "1": None, "2": []}))
    assert data.videos[0].annotated_frames is None
    assert conversion.notes == ("1 frames have no text: by YOLO's rule they show nothing",)


def test_texts_without_an_image_are_left_out_and_counted(dataset):
    root = dataset({"0": [f"0 {parts()} 1"], "1": [f"0 {parts()} 1"]})
    (root / "images" / "train" / "1.png").unlink()
    conversion, _ = run("yolo-seg", root)
    assert left_out(conversion) == {"texts": 1}


def test_of_several_splits_one_is_to_be_chosen(dataset):
    dataset({"0": [f"0 {parts()} 1"]}, split="val")
    root = dataset({"0": [f"0 {parts()} 1"], "1": []}, more="val: images/val")
    with pytest.raises(UserError, match=r"data\.yaml: has the splits train, val: choose one by --split"):
        run("yolo-seg", root)
    assert len(run("yolo-seg", root / "data.yaml", split="val")[1].videos[0].file_names) == 1
    with pytest.raises(UserError, match="--split test is none of them"):
        run("yolo-seg", root, split="test")


def test_names_may_be_numbered(dataset):
    root = dataset({"0": [f"1 {parts()} 1"]}, names="{1: cat, 0: dog}")
    assert [category.name for category in run("yolo-seg", root)[1].categories] == ["dog", "cat"]


def test_texts_alone_need_a_list_of_names(dataset, tmp_path):
    root = dataset({"0": [f"1 {parts()} 1"]})
    (root / "data.yaml").unlink()
    with pytest.raises(UserError, match=r"it has no data\.yaml, and no --categories names its classes"):
        run("yolo-seg", root / "labels" / "train")
    (tmp_path / "names.txt").write_text("dog\ncat")
    _, data = run("yolo-seg", root / "labels" / "train", categories=tmp_path / "names.txt")
    assert data.tracks[0].category_id == 2


def test_texts_of_a_tracked_video_are_numbered_from_1(tmp_path):
    (tmp_path / "labels").mkdir()
    for number in (1, 3):
        (tmp_path / "labels" / f"my clip_{number}.txt").write_text(f"0 {parts()} 5")
    (tmp_path / "names.txt").write_text("dog")
    video = write_video(tmp_path / "my clip.mp4", 4, SIZE)
    options = {"categories": tmp_path / "names.txt", "frames": video, "extract_to": tmp_path / "frames"}
    _, data = run("yolo-seg", tmp_path / "labels", out=tmp_path / "out.json", **options)
    assert data.videos[0].file_names[0] == "my clip/00000.jpg"
    assert [seen_in(track) for track in data.tracks] == [[0, 2]]


def test_twelve_objects_of_one_frame(dataset):
    outlines = [[2 * n, 0, 2 * n + 2, 0, 2 * n + 2, 4, 2 * n, 4] for n in range(12)]
    _, data = run("yolo-seg", dataset({"0": [f"0 {parts(one)} {n}" for n, one in enumerate(outlines)]}))
    assert [track.boxes[0][0] for track in data.tracks] == [2 * n for n in range(12)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dog 0.1 0.2", r"0\.txt, line 2: is 'dog 0.1 0.2', expected a class and numbers"),
        ("1.5 0.1 0.2 0.1 0.3 0.4 0.5", "line 2: the class is 1.5, expected a whole number from 0"),
        ("2 0.1 0.2 0.1 0.3 0.4 0.5 1", "line 2: class 2, the set has 2: 0 dog, 1 кот"),
        ("0 0.1 0.2 0.1", "line 2: has 3 numbers behind its class, expected x y x y"),
        ("0 10 20 30.5 20 30.5 40 7", "line 2: the coordinate 10 is no part of the frame's side, from 0 to 1"),
        ("0 nan 0.2 0.1 0.3 0.4 0.5 7", "the coordinate nan is no part"),
    ],
)
def test_what_is_malformed_is_named_with_its_line(dataset, line, message):
    with pytest.raises(UserError, match=message):
        run("yolo-seg", dataset({"0": ["", line]}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [", r"data\.yaml cannot be read as YAML: while parsing"),
        ("train: images/train", r"data\.yaml: has no 'names'"),
        ("names: {0: dog, 2: cat}\ntrain: images/train", "'names' has the numbers .*expected 0, 1, 2"),
        ("names: []\ntrain: images/train", r"'names' is \[\], expected the names"),
        ("names: [dog]\ntrain: nowhere", "none of train, val, test names a folder of images that is there"),
    ],
)
def test_a_yaml_without_what_is_needed_is_named(dataset, text, message):
    root = dataset({"0": [f"0 {parts()} 1"]})
    (root / "data.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        run("yolo-seg", root)


def test_a_set_without_any_text_is_none(dataset):
    with pytest.raises(UserError, match="is not a YOLO set: no text in .* has an image in"):
        run("yolo-seg", dataset({"0": None}))


def test_numbers_of_parts_are_rounded_no_further_than_pixels(dataset):
    _, data = run("yolo-seg", dataset({"0": [f"0 {parts()} 1"]}))
    assert np.count_nonzero(pixels_of(data.tracks[0], 0)) == 64
