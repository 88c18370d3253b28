import json
from pathlib import Path

import numpy as np
import pytest
from published_sets import SIZE, add_frames, assert_masks, counts, squares

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.burst import read_burst
from mmdet.errors import UserError

CATEGORIES = [{"id": 805, "name": "person", "synset": "person.n.01"}, {"id": 35, "name": "apron"}]
FRAMES = [f"frame{number:04d}.jpg" for number in (1, 31, 61, 91)]


def square(x, y):
    return squares(_1=(x, y)) > 0


def mask(pixels, **keys):
    return {"rle": counts(pixels), "is_gt": True, "score": 1.0, **keys}


def sequence(**keys):
    """A person in both annotated frames, an apron in the second."""
    return {
        "id": 4,
        "dataset": "YFCC100M",
        "seq_name": "v_1",
        "height": SIZE[0],
        "width": SIZE[1],
        "fps": 30,
        "all_image_paths": FRAMES,
        "annotated_image_paths": [FRAMES[0], FRAMES[2]],
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
        "track_category_ids": {"1": 805, "12": 35},
        "segmentations": [{"1": mask(square(2, 3))}, {"1": mask(square(4, 3)), "12": mask(square(12, 8))}],
        **keys,
    }


@pytest.fixture
def convert(tmp_path):
    """Write a file of sequences with the frames of YFCC100M/v_1, and read it."""

    def convert(*sequences, frames=FRAMES, options=None):
        path = tmp_path / "annotations" / "val" / "all_classes.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"sequences": list(sequences), "categories": CATEGORIES, "split": "val"}))
        if frames:
            add_frames(tmp_path / "frames" / "val" / "YFCC100M" / "v_1", frames)
        return read_burst(ConvertRequest(source=path, **(options or {})))

    return convert


def test_tracks_are_objects_and_only_annotated_frames_count(convert, tmp_path):
    conversion = convert(sequence())
    assert conversion.frames == tmp_path / "frames" / "val"
    (video,) = conversion.data.videos
    assert video.file_names == [f"YFCC100M/v_1/{name}" for name in FRAMES]
    assert video.annotated_frames == (0, 2)
    person, apron = conversion.data.tracks
    assert (person.category_id, apron.category_id) == (805, 35)
    assert_masks(person, [square(2, 3), None, square(4, 3), None])
    assert_masks(apron, [None, None, square(12, 8), None])
    assert person.boxes[2] == (4, 3, 5, 5)


def test_all_categories_of_the_file_are_kept(convert):
    data = convert(sequence()).data
    assert [(category.category_id, category.name) for category in data.categories] == [(805, "person"), (35, "apron")]


def test_frames_without_annotation_may_be_missing(convert):
    conversion = convert(sequence(), frames=[FRAMES[0], FRAMES[2]])
    (video,) = conversion.data.videos
    assert video.file_names == [f"YFCC100M/v_1/{FRAMES[0]}", f"YFCC100M/v_1/{FRAMES[2]}"]
    assert video.annotated_frames is None
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("frames", 2, "they are not annotated and have no image")


def test_a_missing_annotated_frame_stays_listed_for_the_check(convert):
    (video,) = convert(sequence(), frames=[FRAMES[0]]).data.videos
    assert len(video.file_names) == len(FRAMES)


def test_an_annotated_frame_may_show_nothing(convert):
    conversion = convert(sequence(segmentations=[{}, {"1": mask(square(4, 3))}]))
    assert conversion.data.videos[0].annotated_frames == (0, 2)
    assert [(left.what, left.count, left.why) for left in conversion.left_out] == [
        ("objects", 1, "no frame has a mask of them")
    ]


def test_a_sequence_without_images_is_left_out_and_named(convert):
    conversion = convert(sequence(), sequence(seq_name="v_2"))
    (left,) = conversion.left_out
    assert (left.what, left.count) == ("videos", 1)
    assert left.why.endswith("frames/val: YFCC100M/v_2")
    assert [conversion.read[name] for name in ("videos", "frames", "objects", "masks")] == [2, 8, 4, 6]


@pytest.mark.parametrize("folder", ["elsewhere", "elsewhere/val"])
def test_the_folder_of_frames_may_be_that_of_all_splits(convert, tmp_path, folder):
    add_frames(tmp_path / "elsewhere" / "val" / "YFCC100M" / "v_1", FRAMES)
    conversion = convert(sequence(), frames=[], options={"frames": tmp_path / folder})
    assert conversion.frames == tmp_path / "elsewhere" / "val"


def test_automatic_masks_and_incomplete_classes_are_noted(convert):
    masks = [{"1": mask(square(2, 3)) | {"is_gt": False}}, {"1": mask(square(4, 3))}]
    conversion = convert(sequence(segmentations=masks, not_exhaustive_category_ids=[35]))
    assert "masks made by the set's own model (is_gt is false): 1" in conversion.notes
    assert "videos in which not every object of some classes is annotated: 1" in conversion.notes


def test_a_file_of_first_frames_is_noted(convert):
    conversion = convert(sequence(segmentations=[{"1": mask(square(2, 3), point=[3, 4])}, {}]))
    assert any(note.startswith("objects have points: this is a file of first frames") for note in conversion.notes)


def test_masks_of_no_pixel_are_left_out(convert):
    conversion = convert(sequence(segmentations=[{"1": mask(square(2, 3))}, {"12": mask(np.zeros(SIZE, bool))}]))
    assert ("masks", 1, "they have no pixel") in [(left.what, left.count, left.why) for left in conversion.left_out]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"segmentations": [{}]}, r"sequences\[0\] \(YFCC100M/v_1\): 'segmentations' has 1 entries, expected .* its 2"),
        ({"segmentations": [{}, []]}, "'segmentations' has 2 entries, expected an object for each"),
        ({"annotated_image_paths": [FRAMES[0], "other.jpg"]}, "annotated frame 'other.jpg' is not among"),
        ({"track_category_ids": {"1": 7, "12": 35}}, "track '1' is of category 7, which the file does not list"),
        ({"track_category_ids": {"1": 805}}, "track '12' has masks, but no category in track_category_ids"),
        ({"track_category_ids": [805]}, r"'track_category_ids' is \[805\], expected an object"),
        ({"segmentations": [{"1": {}}, {}]}, "track '1': the key 'rle' is missing"),
        ({"segmentations": [{"1": {"rle": "00~"}}, {}]}, "a mask cannot be decoded: counts "),
        ({"all_image_paths": True}, "'all_image_paths' is true, expected a list"),
        ({"height": 0.5}, "'height' is 0.5, expected an integer"),
    ],
)
def test_faults_are_named_with_their_sequence(convert, keys, message):
    with pytest.raises(UserError, match=message):
        convert(sequence(**keys))


def test_a_sequence_that_occurs_twice_is_refused(convert):
    with pytest.raises(UserError, match=r"sequences\[1\] \(YFCC100M/v_1\): occurs twice"):
        convert(sequence(), sequence())


def test_frames_that_are_nowhere_are_asked_for(convert):
    with pytest.raises(
        UserError, match="none of the frames of .*: --frames names the folder that 'YFCC100M/v_1/frame0001"
    ):
        convert(sequence(), frames=[])


def test_folders_are_named_as_the_file_was_given(convert, tmp_path, monkeypatch):
    convert(sequence())
    monkeypatch.chdir(tmp_path / "annotations")
    assert str(read_burst(ConvertRequest(source=Path("val/all_classes.json"))).frames) == str(
        tmp_path / "frames" / "val"
    )
    monkeypatch.chdir(tmp_path)
    source = Path("annotations/val/all_classes.json")
    assert str(read_burst(ConvertRequest(source=source)).frames) == "frames/val"
