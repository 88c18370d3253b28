import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

MAIN = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "check_data.py"))["main"]


def test_a_sound_set_is_found_and_described(two_videos, capsys):
    data = two_videos.write()
    assert MAIN([str(two_videos.folder)]) == 0
    out = capsys.readouterr().out
    assert "videos 2  frames 9  missing 0  tracks 3  crowd 0  categories 2" in out
    assert f"ann_file={data['ann_file']!r}, img_prefix={data['img_prefix']!r}" in out


def test_one_file_is_checked_with_its_image_folder(two_videos, capsys):
    data = two_videos.write()
    assert MAIN([data["ann_file"], "--img-prefix", data["img_prefix"]]) == 0
    assert "missing 0" in capsys.readouterr().out


def test_a_file_without_annotations_is_said_to_have_none(two_videos, capsys):
    two_videos.raw["annotations"] = None
    two_videos.write()
    assert MAIN([str(two_videos.folder)]) == 0
    assert "(no annotations" in capsys.readouterr().out


def _missing_frame(data):
    (data.img_prefix / "v905/00001.jpg").unlink()


def _damaged_frame(data):
    (data.img_prefix / "v3/00000.jpg").write_bytes(b"x")


def _no_frames(data):
    data.img_prefix.rename(data.folder / "elsewhere")


def _broken_json(data):
    data.ann_file.write_text("{")


def _broken_mask(data):
    data.raw["annotations"][0]["segmentations"][0]["counts"] = [1]
    data.write_json()


def _no_json(data):
    data.ann_file.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_missing_frame, "v905/00001.jpg is missing"),
        (_damaged_frame, "v3/00000.jpg is damaged or no image"),
        (_no_frames, "no folder near it has its frames; name it by --img-prefix"),
        (_broken_json, "is not a json file"),
        (_broken_mask, "annotation 77 of video 905:"),
        (_no_json, "no annotation file found; data/README.md shows the layouts"),
    ],
)
def test_faults_are_listed_and_the_exit_code_is_2(two_videos, capsys, damage, message):
    two_videos.write()
    damage(two_videos)
    assert MAIN([str(two_videos.folder)]) == 2
    assert message in capsys.readouterr().err


def test_a_sheet_a_video_is_drawn_on_demand(two_videos, tmp_path, capsys):
    two_videos.write()
    sheets = tmp_path / "sheets"
    assert MAIN([str(two_videos.ann_file), "--draw", str(sheets)]) == 0
    assert sorted(path.name for path in sheets.iterdir()) == ["3.jpg", "905.jpg"]
    assert cv2.imread(str(sheets / "905.jpg")).shape[1] > 1900  # four frames in a row


def test_the_sheets_of_a_folder_are_apart_by_set_and_as_many_as_asked_for(two_videos, tmp_path, capsys):
    two_videos.write()
    assert MAIN([str(two_videos.folder), "--draw", str(tmp_path / "sheets"), "--videos", "1"]) == 0
    drawn = [str(path.relative_to(tmp_path / "sheets")) for path in (tmp_path / "sheets").rglob("*.jpg")]
    assert drawn == ["annotations/instances_train/905.jpg"]


def test_a_damaged_frame_spares_the_sheets_of_other_videos(two_videos, tmp_path, capsys):
    two_videos.write()
    (two_videos.img_prefix / "v905/00003.jpg").write_bytes(b"x")
    assert MAIN([str(two_videos.ann_file), "--draw", str(tmp_path / "sheets")]) == 2
    assert "v905/00003.jpg is damaged or no image" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["3.jpg"]


def _first(data):
    return data.raw["annotations"][0]


def _each(data, key, change):
    """Change what is there of a list of every track."""
    for track in data.raw["annotations"]:
        track[key] = [None if value is None else change(value) for value in track[key]]


def _negative_width(data):
    _first(data)["bboxes"][0][2] = -10


def _box_outside(data):
    _first(data)["bboxes"][0] = [48, 6, 10, 10]


def _box_far_from_its_mask(data):
    _first(data)["bboxes"][0] = [30, 20, 10, 10]


def _empty_mask(data):
    _first(data)["segmentations"][0] = {"size": [36, 48], "counts": [36 * 48]}


def _no_boxes(data):
    _first(data)["bboxes"][1] = None


def _boxes_of_zeros(data):
    _first(data)["bboxes"][1] = [0, 0, 0, 0]


def _negative_area(data):
    _first(data)["areas"][0] = -100


def _zero_area(data):
    _first(data)["areas"][0] = 0


def _areas_of_another_scale(data):
    _each(data, "areas", lambda area: area * 4)


def _polygon_outside(data):
    _first(data)["segmentations"][2].append([60, 5, 70, 5, 70, 15])


def _polygon_beyond(data):
    _first(data)["segmentations"][2].append([40, 5, 55, 5, 55, 15])
    _first(data)["bboxes"][2] = [6, 5, 42, 11]


def _frame_twice(data):
    names = data.raw["videos"][0]["file_names"]
    names[2] = names[1]


def _frames_backwards(data):
    data.raw["videos"][0]["file_names"].reverse()


def _frames_as_texts_sort(data):
    data.raw["videos"][0]["file_names"] = [f"v905/{n}.jpg" for n in (1, 10, 11, 2, 3, 4)]


def _same_frames(data):
    data.add_track(9, data.raw["videos"][0] | {"id": 4})
    data.raw["videos"].append(data.raw["videos"][0] | {"id": 4})


def _shared_frames(data):
    names = data.raw["videos"][0]["file_names"][3:]
    data.raw["videos"].append(data.raw["videos"][0] | {"id": 4, "file_names": names})


def _same_class(data):
    data.raw["categories"][1]["name"] = "dog"


def _near_class(data):
    data.raw["categories"][1]["name"] = "Dog "


def _wrong_length(data):
    data.raw["videos"][0]["length"] = 7


def _wrong_width(data):
    _first(data).update(height=36, width=50)


def _object_twice(data):
    data.raw["annotations"].append(_first(data) | {"id": 78})


def _mask_twice_in_one_frame(data):
    still = data.add_video(4, frames=1)
    data.add_track(90, still)
    data.add_track(91, still)


def _corners(data):
    _each(data, "bboxes", lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]])


def _shares_of_the_image(data):
    data.raw["annotations"].pop()  # its video has another size
    _each(data, "bboxes", lambda box: [box[0] / 48, box[1] / 36, box[2] / 48, box[3] / 36])


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (_negative_width, 2, "annotation 77 of video 905, frame 0: the box is [4, 6, -10, 10], its width is negative"),
        (_box_outside, 2, "frame 0: the box is [48, 6, 10, 10], all of it outside of the frame of 48x36"),
        (_box_far_from_its_mask, 2, "does not fit the mask in 1 frames: annotation 77, video 905, frame 0: box 30, 20"),
        (_empty_mask, 2, "annotation 77 of video 905, frame 0: the box is [4, 6, 10, 10], its mask is empty"),
        (
            _no_boxes,
            0,
            "1 masks without a box, which is taken from the mask; first: annotation 77 of video 905, frame 1",
        ),
        (_boxes_of_zeros, 0, "1 masks without a box, which is taken from the mask; first: annotation 77 of video 905"),
        (_negative_area, 2, "annotation 77 of video 905, frame 0: the area is -100"),
        (_zero_area, 0, "1 masks with an area of 0, which is taken from the mask; first: annotation 77 of video 905"),
        (_areas_of_another_scale, 0, "10 areas at odds with their masks by more than 2 times; first: annotation 77"),
        (
            _polygon_outside,
            2,
            "frame 2: a polygon spans x 60 to 70, y 5 to 15, all of it outside of the frame of 48x36",
        ),
        (_polygon_beyond, 0, "frame 2: a polygon spans x 40 to 55, y 5 to 15, beyond the frame of 48x36"),
        (_frame_twice, 0, "video 905 lists the frame 'v905/00001.jpg' 2 times"),
        (_frames_backwards, 0, "video 905 has its frames backwards; 'file_names' is the order of time"),
        (_frames_as_texts_sort, 0, "order than the numbers in their names, first 'v905/2.jpg' at place 3"),
        (_same_frames, 2, "videos 905 and 4 have the same frames"),
        (_shared_frames, 0, "videos 905 and 4 share 3 frames"),
        (_same_class, 2, "2 categories have the name 'dog' (ids [30, 7])"),
        (_near_class, 0, "the categories 'dog' and 'Dog ' are two classes"),
        (_wrong_length, 0, "video 905: 'length' is 7, the video has 6 frames"),
        (_wrong_width, 0, "annotation 77 of video 905: 'width' is 50, the video has a width of 48"),
        (_object_twice, 2, "annotations 77 and 78 of video 905 have the same masks"),
        (_mask_twice_in_one_frame, 0, "annotations 90 and 91 of video 4 have the same masks"),
        (_corners, 2, "they look like corners x1, y1, x2, y2"),
        (_shares_of_the_image, 2, "they look like x, y, width, height as shares of the image"),
    ],
)
def test_what_is_odd_in_a_set_that_loads_is_named(two_videos, capsys, spoil, code, message):
    spoil(two_videos)
    two_videos.write()
    assert MAIN([str(two_videos.folder)]) == code
    said = capsys.readouterr().err.splitlines()
    line = next((line for line in said if message in line), None)
    assert line is not None, said
    assert line.startswith("FAULT: " if code else "WARNING: ")
    assert code or len(said) == 1, said


def test_a_region_may_be_a_crowd_of_several_categories(two_videos, capsys):
    crowd = _first(two_videos)
    crowd.update(iscrowd=1)
    other = next(c["id"] for c in two_videos.raw["categories"] if c["id"] != crowd["category_id"])
    two_videos.raw["annotations"].append(crowd | {"id": 78, "category_id": other})
    two_videos.write()
    assert MAIN([str(two_videos.folder)]) == 0
    assert capsys.readouterr().err == ""


def _cut_off(path, image):
    path.write_bytes(path.read_bytes()[:-500])


def _empty(path, image):
    path.write_bytes(b"")


def _smaller(path, image):
    image.resize((24, 18)).save(path)


def _small_on_its_side(path, image):
    _turn(path, image.resize((24, 18)), 6)


def _turn(path, image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)


def _text(path, image):
    path.write_text("<html>not found</html>")


def _folder(path, image):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut_off, "is cut off after"),
        (_empty, "is empty (0 bytes)"),
        (_smaller, "is 24x18, its annotation file says 48x36"),
        (_small_on_its_side, "is 18x24 (24x18 before its EXIF orientation turns it), its annotation file says 48x36"),
        (_text, "is damaged or no image"),
        (_folder, "cannot be read: Is a directory"),
    ],
)
def test_every_frame_is_looked_at_not_the_first_alone(two_videos, capsys, damage, message):
    two_videos.write()
    path = two_videos.img_prefix / "v905/00003.jpg"
    with Image.open(path) as image:
        image.load()
        damage(path, image)
    assert MAIN([str(two_videos.folder)]) == 2
    said = capsys.readouterr().err
    assert f"frame {path} {message}" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp"])
def test_a_file_of_any_format_that_was_cut_off_is_found_without_decoding(two_videos, capsys, ending):
    names = two_videos.raw["videos"][0]["file_names"]
    names[:] = [name.replace("jpg", ending) for name in names]
    two_videos.write()
    path = two_videos.img_prefix / names[5]
    assert MAIN([str(two_videos.folder)]) == 0
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert MAIN([str(two_videos.folder)]) == 2
    assert f"{path} is cut off" in capsys.readouterr().err


def test_damage_inside_of_a_frame_is_found_by_decoding(two_videos, capsys):
    names = two_videos.raw["videos"][0]["file_names"]
    names[:] = [name.replace("jpg", "png") for name in names]
    two_videos.write()
    path = two_videos.img_prefix / names[2]
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    assert MAIN([str(two_videos.folder)]) == 0
    assert MAIN([str(two_videos.folder), "--decode"]) == 2
    assert f"{path} is damaged" in capsys.readouterr().err


def test_of_many_faults_of_one_kind_the_first_are_listed_and_the_rest_counted(tiny_set, capsys):
    tiny_set.add_video(1, frames=30, size=(8, 8))
    tiny_set.write()
    for path in sorted(tiny_set.img_prefix.glob("*/*.jpg"))[3:]:
        path.write_bytes(b"")
    assert MAIN([str(tiny_set.folder)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 21
    assert said[-1].endswith("and 7 more frames that are empty files")


def test_a_note_behind_the_end_of_a_jpeg_is_no_damage(two_videos, capsys):
    two_videos.write()
    path = two_videos.img_prefix / "v905/00003.jpg"
    path.write_bytes(path.read_bytes() + b"made by a camera")
    assert MAIN([str(two_videos.folder), "--decode"]) == 0


@pytest.mark.parametrize("shape", [(48, 36, 3), (36, 48, 3)])  # upright it is 36 x 48, or as stored
def test_a_picture_with_an_orientation_is_of_its_upright_or_of_its_stored_size(two_videos, capsys, shape):
    two_videos.write()
    _turn(two_videos.img_prefix / "v905/00003.jpg", Image.fromarray(np.zeros(shape, np.uint8)), 6)
    assert MAIN([str(two_videos.folder), "--decode"]) == 0
    assert capsys.readouterr().err == ""


def test_a_half_turned_picture_is_a_warning_as_its_size_does_not_tell_what_its_masks_are_of(two_videos, capsys):
    two_videos.write()
    _turn(two_videos.img_prefix / "v905/00003.jpg", Image.fromarray(np.zeros((36, 48, 3), np.uint8)), 3)
    assert MAIN([str(two_videos.folder), "--decode"]) == 0
    assert "00003.jpg is turned as its EXIF orientation (3) says: are its masks, too?" in capsys.readouterr().err
