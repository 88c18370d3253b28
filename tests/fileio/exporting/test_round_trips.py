"""Results exported and read back by the converters: the same masks, identities and classes."""

import json
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from made_labels import SIZE, pixels_of, run, seen_in, write_images
from programs import load_program
from pycocotools import mask as coco_mask

from mmdet.errors import UserError
from mmdet.fileio.exporting.run import ExportRequest, export

CATEGORIES = [{"id": 3, "name": "dog"}, {"id": 7, "name": "cat"}]
NAMES = [[f"{video}/{frame:05d}.png" for frame in range(4)] for video in ("a", "b")]
EXPORT = load_program("tools/export_results").main


def square(x, y, side=6):
    mask = np.zeros(SIZE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def coded(mask):
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [*SIZE], "counts": rle["counts"].decode()}


def entry(video_id, category_id, score, masks):
    segmentations = [None if mask is None else coded(mask) for mask in masks]
    return {"video_id": video_id, "category_id": category_id, "score": score, "segmentations": segmentations}


DOG = [square(2, 2), square(3, 2), None, square(5, 2)]
CAT = [None, square(20, 10), square(21, 10), None]
PARTS = [square(2, 2) & ~square(4, 4, 2) | square(12, 12, 4), None, None, None]  # two, and a hole
ENTRIES = [
    entry(11, 3, 0.9, DOG),
    entry(11, 7, 0.4, DOG),  # the same track as a cat
    entry(11, 7, 0.6, CAT),
    entry(12, 7, 0.5, CAT),
    entry(12, 3, 0.2, PARTS),
]
EXPECTED = {("a", "dog"): DOG, ("a", "cat"): CAT, ("b", "cat"): CAT, ("b", "dog"): PARTS}


@pytest.fixture
def made(tmp_path):
    """Write images, the json of the data set and results."""
    for names in NAMES:
        write_images(tmp_path / "images" / names[0].partition("/")[0], [name.partition("/")[2] for name in names])
    height, width = SIZE
    videos = [
        {"id": 11 + place, "height": height, "width": width, "file_names": names} for place, names in enumerate(NAMES)
    ]
    (tmp_path / "ann.json").write_text(json.dumps({"videos": videos, "categories": CATEGORIES}))
    (tmp_path / "results.json").write_text(json.dumps(ENTRIES))

    def call(name, out, **options):
        settings = {"ann_file": tmp_path / "ann.json", **options}
        request = ExportRequest(format=name, results=tmp_path / "results.json", out=tmp_path / out, **settings)
        return export(request, lambda done, total: None)

    call.folder = tmp_path
    return call


def found(data):
    """Return the masks of a set by video and class; every class occurs once in a video."""
    names = {category.category_id: category.name for category in data.categories}
    folders = {video.video_id: video.file_names[0].partition("/")[0] for video in data.videos}
    masks = {
        (folders[track.video_id], names[track.category_id]): [pixels_of(track, frame) for frame in range(4)]
        for track in data.tracks
    }
    assert len(masks) == len(data.tracks)
    return masks


def assert_same(got, expected):
    assert set(got) == set(expected)
    for key, masks in expected.items():
        for frame, mask in enumerate(masks):
            assert np.array_equal(got[key][frame], mask) if mask is not None else got[key][frame] is None, (key, frame)


@pytest.mark.parametrize(
    ("name", "out", "options"),
    [
        ("labelme", "out", {"shapes": "polygon", "tolerance": 0.0}),
        ("labelme", "out", {"shapes": "mask"}),
        ("coco", "out.json", {"shapes": "polygon", "tolerance": 0.0}),
        ("coco", "out.json", {"shapes": "mask"}),
        ("mots-txt", "out", {}),
        ("mots-png", "out", {}),
    ],
)
def test_what_is_read_back_is_what_was_exported(made, name, out, options):
    exported = made(name, out, **options)
    classes = {"categories": made.folder / "out/classes.json"} if name.startswith("mots") else {}
    source, frames = made.folder / out, made.folder / "images"
    _, data = run(name, source, out=made.folder / "back.json", frames=frames, **classes)
    assert_same(found(data), EXPECTED)
    assert exported.left_out["entries that are a track under a further class"] == 1


@pytest.mark.parametrize("shapes", ["mask", "polygon"])
def test_cvat_files_are_read_back_with_all_parts_and_holes(made, shapes):
    made("cvat-video", "out", shapes=shapes, tolerance=0.0)
    back = {}
    for video in ("a", "b"):
        source = made.folder / f"out/{video}.xml"
        _, data = run("cvat-video", source, out=made.folder / "back.json", frames=made.folder / "images")
        back |= found(data)
    assert_same(back, EXPECTED)


def test_the_xml_of_cvat_says_when_an_object_is_gone_and_comes_back(made):
    made("cvat-video", "out")
    root = ElementTree.parse(made.folder / "out/a.xml").getroot()
    dog, cat = root.findall("track")
    shown = [(int(shape.get("frame")), int(shape.get("outside"))) for shape in dog]
    assert shown == [(0, 0), (1, 0), (2, 1), (3, 0)]
    assert [(int(shape.get("frame")), int(shape.get("outside"))) for shape in cat] == [(1, 0), (2, 0), (3, 1)]
    assert dog[0].get("points") == "2.00,2.00;2.00,8.00;8.00,8.00;8.00,2.00"
    assert (dog.get("label"), cat.get("label")) == ("dog", "cat")
    assert [label.findtext("name") for label in root.findall("meta/task/labels/label")] == ["dog", "cat"]
    assert root.findtext("meta/task/size") == "4"


def test_the_runs_of_cvats_masks_go_along_the_rows_of_the_window(made):
    made("cvat-video", "out", shapes="mask")
    tracks = ElementTree.parse(made.folder / "out/b.xml").getroot().findall("track")
    mask = next(track for track in tracks if track.get("label") == "dog")[0]
    place = {key: mask.get(key) for key in ("left", "top", "width", "height")}
    assert place == {"left": "2", "top": "2", "width": "14", "height": "14"}
    runs = [int(run) for run in mask.get("rle").split(", ")]
    assert runs[:6] == [0, 6, 8, 6, 8, 2]
    assert sum(runs) == 14 * 14
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(14, 14)
    assert (pixels == PARTS[0][2:16, 2:16]).all()
    assert len({track.get("group_id") for track in tracks if track.get("label") == "cat"}) == 1


def test_the_lines_of_mots_hold_class_and_number(made):
    made("mots-txt", "out")
    lines = [line.split() for line in (made.folder / "out/a.txt").read_text().splitlines()]
    assert [line[:5] for line in lines] == [
        ["0", "3000", "3", "24", "32"],
        ["1", "3000", "3", "24", "32"],
        ["1", "7000", "7", "24", "32"],
        ["2", "7000", "7", "24", "32"],
        ["3", "3000", "3", "24", "32"],
    ]
    assert lines[0][5] == coded(DOG[0])["counts"]
    assert json.loads((made.folder / "out/classes.json").read_text()) == {"3": "dog", "7": "cat"}


def test_where_masks_overlap_mots_has_the_better_track(made):
    hidden = entry(11, 7, 0.1, [square(3, 3, 2), None, square(2, 2), None])
    (made.folder / "results.json").write_text(json.dumps([hidden, ENTRIES[0]]))
    exported = made("mots-png", "out")
    pixels = cv2.imread(str(made.folder / "out/a/00000.png"), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16
    assert set(np.unique(pixels)) == {0, 3000}
    assert (pixels == 3000).sum() == 36
    assert exported.left_out["masks that better tracks cover wholly"] == 1


def test_classes_that_mots_has_no_number_for_are_counted_anew(made):
    raw = json.loads((made.folder / "ann.json").read_text())
    raw["categories"] = [
        {"id": 900, "name": "dog"},
        *({"id": 900 + number, "name": f"c{number}"} for number in range(1, 12)),
    ]
    (made.folder / "ann.json").write_text(json.dumps(raw))
    (made.folder / "results.json").write_text(json.dumps([entry(11, 910, 0.5, DOG)]))
    made("mots-png", "out")
    classes = json.loads((made.folder / "out/classes.json").read_text())
    assert classes["1"] == "dog"
    assert "10" not in classes  # it stands for regions to ignore
    assert classes["12"] == "c10"
    assert 12000 in np.unique(cv2.imread(str(made.folder / "out/a/00000.png"), cv2.IMREAD_UNCHANGED))


def test_labelmes_jsons_point_to_the_images(made):
    made("labelme", "out/deep", frames=made.folder / "images")
    raw = json.loads((made.folder / "out/deep/a/00001.json").read_text())
    assert (made.folder / "out/deep/a" / raw["imagePath"]).resolve() == (made.folder / "images/a/00001.png").resolve()
    shapes = [(shape["label"], shape["group_id"], shape["shape_type"]) for shape in raw["shapes"]]
    assert shapes == [("dog", 1, "polygon"), ("cat", 2, "polygon")]
    assert (raw["imageHeight"], raw["imageWidth"]) == SIZE


def test_labelmes_jsons_lie_beside_the_images_if_out_is_their_folder(made):
    made("labelme", "images")
    assert json.loads((made.folder / "images/a/00000.json").read_text())["imagePath"] == "00000.png"
    _, data = run("labelme", made.folder / "images", out=made.folder / "back.json")
    assert {seen_in(track)[0] for track in data.tracks} == {0, 1}


def test_ids_of_coco_are_unique_in_the_file(made):
    made("coco", "out.json")
    raw = json.loads((made.folder / "out.json").read_text())
    by_track = {}
    for annotation in raw["annotations"]:
        video = raw["images"][annotation["image_id"] - 1]["video_id"]
        by_track.setdefault(annotation["track_id"], set()).add(video)
    assert sorted(map(sorted, by_track.values())) == [[11], [11], [12], [12]]
    first = raw["annotations"][0]
    assert first["bbox"] == [2.0, 2.0, 6.0, 6.0]
    assert (first["area"], first["score"], first["category_id"]) == (36, 0.9, 3)


def test_poor_tracks_are_left_out_and_counted(made):
    exported = made("coco", "out.json", min_score=0.5)
    raw = json.loads((made.folder / "out.json").read_text())
    assert len({annotation["track_id"] for annotation in raw["annotations"]}) == 3
    assert exported.left_out["tracks with a score below 0.5"] == 1


def test_ids_of_predictions_are_kept_and_they_need_no_data_set(made):
    tracks = [
        {"id": 1, "track_id": 4, **entry(1, 3, 0.9, DOG)},
        {"id": 2, "track_id": 0, **entry(1, 7, 0.6, CAT)},
    ]
    video = {"id": 1, "name": "a", "height": SIZE[0], "width": SIZE[1], "file_names": NAMES[0]}
    raw = {
        "info": {"made_by": "memcnp-vis predict"},
        "videos": [video],
        "categories": CATEGORIES,
        "annotations": tracks,
    }
    (made.folder / "results.json").write_text(json.dumps(raw))
    made("labelme", "out", ann_file=None)
    shapes = json.loads((made.folder / "out/a/00001.json").read_text())["shapes"]
    assert [(shape["label"], shape["group_id"]) for shape in shapes] == [("dog", 5), ("cat", 1)]


def test_annotations_can_be_exported_too(made):
    raw = json.loads((made.folder / "ann.json").read_text())
    annotation = {"id": 1, "video_id": 12, "category_id": 7, "bboxes": [None] * 4, "iscrowd": 0}
    raw["annotations"] = [{**annotation, "segmentations": ENTRIES[3]["segmentations"]}]
    (made.folder / "results.json").write_text(json.dumps(raw))
    made("coco", "out.json", ann_file=None)
    annotations = json.loads((made.folder / "out.json").read_text())["annotations"]
    assert [(one["image_id"], one["score"]) for one in annotations] == [(6, 1.0), (7, 1.0)]


@pytest.mark.parametrize(
    ("name", "out", "options", "message"),
    [
        ("cvat-video", "out.xml", {}, "is one file, the results have 2 videos: give a folder"),
        ("coco", "out", {}, r"writes one file, name it NAME\.json"),
        ("mots-txt", "out", {"shapes": "polygon"}, "has no polygon shapes, only mask"),
        ("cvat-vido", "out", {}, "unknown format cvat-vido; did you mean cvat-video"),
        ("coco", "results.json", {}, "is the input"),
        ("coco", "ann.json", {}, "is the input"),
        ("coco", "out.json", {"ann_file": None}, "does not name its videos: give the json of the data set by --ann"),
        ("coco", "out.json", {"frames": "images"}, "names no images: leave --frames out"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(made, name, out, options, message):
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=message):
        made(name, out, **options)
    assert {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()} == before


def test_files_that_may_have_been_corrected_are_never_written_over(made):
    made("labelme", "images")
    corrected = made.folder / "images/a/00002.json"
    corrected.write_text("corrected")
    with pytest.raises(UserError, match="nothing is written over, since files may have been corrected"):
        made("labelme", "images")
    assert corrected.read_text() == "corrected"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video_id": 5}, "have a video_id that .* does not have: 5"),
        ({"category_id": 5}, "have a category_id that .* does not have: 5"),
        ({"segmentations": [None]}, "result 0 has 1 frames, its video 11 4"),
        ({"segmentations": [{"size": [3, 3], "counts": "9"}, None, None, None]}, "result 0, frame 0: "),
    ],
)
def test_results_that_do_not_fit_the_videos_are_named(made, change, message):
    (made.folder / "results.json").write_text(json.dumps([{**ENTRIES[0], **change}]))
    with pytest.raises(UserError, match=message):
        made("coco", "out.json")


def test_the_command_says_what_was_written_and_how_it_is_read_back(made, capsys):
    folder = made.folder
    arguments = [
        "mots-png",
        folder / "results.json",
        folder / "out",
        "--ann",
        folder / "ann.json",
        "--min-score",
        "0.3",
    ]
    assert EXPORT([*map(str, arguments)]) == 0
    said = capsys.readouterr().out
    assert "3 tracks with 7 masks in 2 videos, 9 files" in said
    assert "left out: 1 entries that are a track under a further class" in said
    assert f"memcnp convert mots-png {folder / 'out'} SET.json --frames IMAGES --categories" in said


def test_a_mistake_is_one_line_and_status_two(made, capsys):
    assert EXPORT(["coco", str(made.folder / "nowhere.json"), str(made.folder / "out.json")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_formats_are_listed(capsys):
    assert EXPORT(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "cvat-video",
        "labelme",
        "coco",
        "mots-txt",
        "mots-png",
    ]
