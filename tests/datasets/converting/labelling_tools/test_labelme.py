"""Folders of labelme: identities in group ids, descriptions and flags; frames with and without a json."""

import base64
import io

import numpy as np
import pytest
from made_labels import SIZE, SQUARE, drawn, left_out, pixels_of, run, seen_in, write_images, write_json
from PIL import Image

from mmdet.errors import UserError

CORNERS = [SQUARE[i : i + 2] for i in range(0, 8, 2)]


def shape(group=None, label="dog", points=CORNERS, kind="polygon", **more):
    return {"label": label, "points": points, "group_id": group, "shape_type": kind, "flags": {}, **more}


def label_file(image, shapes, size=SIZE):
    return {
        **{"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": "AAAA"},
        **{"imageHeight": size[0], "imageWidth": size[1]},
    }


@pytest.fixture
def folder(tmp_path):
    """A function that writes a video of frames and their labels, None for none, and returns the folder of videos."""

    def write(frames, name="clip"):
        write_images(tmp_path / "set" / name, [f"{stem}.png" for stem in frames])
        for stem, shapes in frames.items():
            if shapes is not None:
                write_json(tmp_path / "set" / name / f"{stem}.json", label_file(f"{stem}.png", shapes))
        return tmp_path / "set"

    return write


def test_frame_10_comes_after_frame_9(folder):
    source = folder({"frame_10": [shape(1)], "frame_9": [shape(1)]})
    _, data = run("labelme", source)
    assert data.videos[0].file_names == ["frame_9.png", "frame_10.png"]


def test_a_group_id_is_a_track_over_gaps(folder):
    source = folder({"0": [shape(1), shape(2)], "1": [shape(2)], "2": [shape(1)]})
    conversion, data = run("labelme", source)
    assert [seen_in(track) for track in data.tracks] == [[0, 2], [0, 1]]
    assert dict(conversion.read) == {"videos": 1, "frames": 3, "annotated frames": 3, "masks": 4}


@pytest.mark.parametrize(
    "more",
    [
        {"description": "7"},
        {"description": " Track: 7 "},
        {"description": "id=7"},
        {"description": "track_id 7"},
        {"flags": {"occluded": True, "id 7": True, "id 8": False}},
        {"flags": {"track_id": 7}},
        {"flags": {"7": True}},
    ],
)
def test_a_number_in_description_or_flags_is_an_identity(folder, more):
    _, data = run("labelme", folder({"0": [shape(**more)], "1": [shape(**more)], "2": [shape(7)]}))
    assert [seen_in(track) for track in data.tracks] == [[0, 1, 2]]


def test_a_description_that_is_no_number_is_none(folder):
    conversion, data = run("labelme", folder({"0": [shape(description="behind 2 cars")]}))
    assert len(data.tracks) == 1
    assert conversion.notes == ("1 masks have no identity: each is an object of one frame",)


def test_an_id_of_two_labels_in_one_frame_is_two_objects(folder):
    source = folder({"0": [shape(1), shape(1, "Katze ä")], "1": [shape(1, "Katze ä")], "2": [shape(1)]})
    conversion, data = run("labelme", source)
    assert [(seen_in(track), track.category_id) for track in data.tracks] == [([0, 2], 2), ([0, 1], 1)]
    assert [category.name for category in data.categories] == ["Katze ä", "dog"]
    assert conversion.notes[0].startswith("1 ids stand for objects of several categories in one frame")


def test_an_id_whose_label_changes_is_one_object(folder):
    conversion, data = run("labelme", folder({"0": [shape(1)], "1": [shape(1, "cat")], "2": [shape(1)]}))
    assert [seen_in(track) for track in data.tracks] == [[0, 1, 2]]
    assert "1 objects change their category" in conversion.notes[0]


def test_a_frame_without_a_json_is_not_annotated(folder):
    source = folder({"0": [shape(1)], "1": None, "2": []})
    assert run("labelme", source)[1].videos[0].annotated_frames == (0, 2)
    assert run("labelme", source, missing_is_empty=True)[1].videos[0].annotated_frames is None


def test_a_polygon_is_to_the_pixel_what_pycocotools_draws(folder):
    points = [[3.4, 2.2], [20.7, 5.1], [14.3, 17.9], [2.2, 12.5]]
    _, data = run("labelme", folder({"0": [shape(1, points=points)]}))
    outline = [value for point in points for value in point]
    assert data.tracks[0].segmentations[0]["counts"] == drawn(outline)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_mask_is_a_picture_at_its_place(folder, mode):
    pixels = np.array([[1, 0, 1], [0, 1, 0]], bool)
    file = io.BytesIO()
    Image.fromarray((255 * pixels).astype(np.uint8)).convert(mode).save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode()
    _, data = run("labelme", folder({"0": [shape(1, kind="mask", points=[[5, 7], [7, 8]], mask=text)]}))
    expected = np.zeros(SIZE, bool)
    expected[7:9, 5:8] = pixels
    assert (pixels_of(data.tracks[0], 0) == expected).all()


def test_boxes_points_and_lines_are_left_out_and_counted(folder):
    others = [shape(2, kind="rectangle", points=[[9, 8], [1, 2]]), shape(3, kind="point", points=[[1, 2]])]
    source = folder({"0": [shape(1), *others, shape(4, kind="linestrip")]})
    conversion, data = run("labelme", source)
    assert len(data.tracks) == 1
    assert left_out(conversion) == {"rectangles": 1, "points and lines": 2}
    boxes = run("labelme", source, boxes_as_masks=True)[1]
    assert [track.boxes[0] for track in boxes.tracks] == [(4, 3, 8, 8), (1, 2, 8, 6)]


def test_parts_of_one_object_are_joined(folder):
    other = [[20, 3], [24, 3], [24, 7], [20, 7]]
    _, data = run("labelme", folder({"0": [shape(1), shape(1, points=other)]}))
    assert data.tracks[0].areas == [64 + 16]


def test_twelve_objects_of_one_frame(folder):
    shapes = [shape(n, points=[[2 * n, 0], [2 * n + 2, 0], [2 * n + 2, 4], [2 * n, 4]]) for n in range(12)]
    _, data = run("labelme", folder({"0": shapes}))
    assert [track.boxes[0][0] for track in data.tracks] == [2 * n for n in range(12)]


def test_folders_below_are_videos_in_natural_order(folder):
    folder({"0": [shape(1)]}, "vidéo 10")
    source = folder({"0": [shape(1)]}, "vidéo 9")
    _, data = run("labelme", source)
    assert [video.file_names for video in data.videos] == [["vidéo 9/0.png"], ["vidéo 10/0.png"]]
    assert [track.video_id for track in data.tracks] == [1, 2]


def test_a_folder_that_nobody_labelled_is_left_out_and_counted(folder):
    folder({"0": None, "1": None}, "later")
    conversion, data = run("labelme", folder({"0": [shape(1)]}))
    assert [video.file_names for video in data.videos] == [["0.png"]]
    assert left_out(conversion) == {"folders of images": 1}


def test_images_may_lie_elsewhere(folder, tmp_path):
    source = folder({"0": [shape(1)], "1": [shape(1)]})
    (source / "clip").rename(tmp_path / "images")
    write_json(tmp_path / "labels" / "0.json", label_file(r"..\images\0.png", [shape(1)]))
    _, data = run("labelme", tmp_path / "labels")
    assert data.videos[0].file_names == ["0.png", "1.png"]
    assert left_out(run("labelme", tmp_path)[0]) == {"jsons": 1}  # the set that was just written, and no folder
    conversion, _ = run("labelme", tmp_path / "labels", frames=tmp_path / "images")
    assert conversion.frames == tmp_path / "images"


def test_a_json_without_its_image_is_left_out_and_counted(folder):
    source = folder({"0": [shape(1)], "1": [shape(1)]})
    (source / "clip" / "1.png").unlink()
    conversion, data = run("labelme", source)
    assert data.videos[0].file_names == ["0.png"]
    assert left_out(conversion) == {"jsons": 1}


def test_without_any_image_the_option_is_named(folder):
    source = folder({"0": [shape(1)]})
    (source / "clip" / "0.png").unlink()
    with pytest.raises(UserError, match="none of its 1 jsons has its image: give --frames DIR"):
        run("labelme", source)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (shape(1, points=[[1, 2], [3]]), r"0\.json: shapes\[0\]: 'points' is \[\[1, 2\], \[3\]\], expected pairs"),
        (shape(1, kind="circle", points=[[1, 2]]), r"shapes\[0\]: a circle has two points, this has 1"),
        (shape(1, label=None), r"shapes\[0\]: 'label' is null, expected a text"),
        (shape(1, kind="mask", points=[[1, 1], [2, 2]], mask="?"), r"its mask is '\?', expected a picture as base64"),
        (shape(1, kind="mask", points=[[1, 1], [2, 2]], mask="AAAA"), "its mask cannot be read as a PNG"),
    ],
)
def test_what_is_malformed_is_named_with_its_place(folder, broken, message):
    with pytest.raises(UserError, match=message):
        run("labelme", folder({"0": [broken]}))


def test_an_image_of_another_size_than_when_it_was_labelled_is_named(folder):
    source = folder({"0": [shape(1)]})
    write_json(source / "clip" / "0.json", label_file("0.png", [shape(1)], size=(48, 64)))
    with pytest.raises(UserError, match=r"0\.json: the image was 64x48 when it was labelled, it is 32x24"):
        run("labelme", source)


def test_an_empty_folder_is_named_for_what_it_is(tmp_path):
    with pytest.raises(UserError, match="is not a folder of labelme: one json for each labelled frame: it is empty"):
        run("labelme", tmp_path)


def test_a_folder_of_another_format_is_recognised(tmp_path):
    write_json(tmp_path / "all.json", {"images": [], "annotations": []})
    with pytest.raises(UserError, match=r"it holds all\.json, which is a COCO file of single images"):
        run("labelme", tmp_path)
