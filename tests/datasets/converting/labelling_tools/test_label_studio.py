"""Exports of Label Studio: boxes through time of videos, and regions of images that are frames."""

import base64
import io

import numpy as np
import pytest
from made_labels import SIZE, SQUARE, left_out, pixels_of, run, seen_in, write_images, write_json, write_video
from PIL import Image

from mmdet.datasets.converting.labelling_tools.label_studio.brush import decode_brush
from mmdet.errors import UserError

HEIGHT, WIDTH = SIZE
# Two masks as Label Studio's own converter encodes them
HOLE = [0, 0, 0, 216, 57, 27, 254, 43, 0, 194, 127, 247, 192, 39, 255, 140, 2, 127, 251, 224, 24, 79, 255, 21, 128, 71]
HOLE += [255, 135, 192, 0]
NOISE = [0, 0, 0, 140, 57, 27, 252, 127, 246, 192, 48, 223, 252, 96, 17, 255, 198, 1, 31, 252, 96, 19, 255, 223, 0, 183]
NOISE += [255, 24, 6, 19, 255, 156, 2, 127, 240]
NOISE_PIXELS = ["1000111", "1111010", "1011000", "0111011", "1110011"]


def hole_pixels():
    mask = np.zeros((6, 9), bool)
    mask[1:4, 2:7] = mask[5, 0] = True
    mask[2, 4] = False
    return mask


def percent(outline=SQUARE):
    return [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in zip(outline[::2], outline[1::2], strict=True)]


def region(number, kind, value, label="dog", **more):
    key = kind if kind.endswith("labels") else "labels"
    return {
        **{"id": number, "type": kind, "from_name": "label", "to_name": "media"},
        **{"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0},
        "value": value | ({key: [label]} if label else {}),
        **more,
    }


def polygon(number, track=None, label="dog", outline=SQUARE):
    drawn = region(number, "polygonlabels", {"points": percent(outline), "closed": True}, label)
    typed = {"id": number, "type": "number", "from_name": "track_id", "to_name": "media", "value": {"number": track}}
    return [drawn] if track is None else [drawn, typed]


def video_box(number, sequence, frames=4, label="dog"):
    keys = ("frame", "x", "y", "width", "height", "enabled")
    entries = [dict(zip(keys, entry, strict=True), rotation=0, time=0) for entry in sequence]
    return region(number, "videorectangle", {"framesCount": frames, "duration": 0.4, "sequence": entries}, label)


def task(number, path, *results, annotations=None, key="media"):
    done = [{"id": number, "result": list(results), "was_cancelled": False}] if annotations is None else annotations
    return {"id": number, "data": {"note": "x", key: path}, "annotations": done, "predictions": []}


@pytest.fixture
def export(tmp_path):
    def write(*tasks, images=(), video=None):
        for name in images:
            folder, _, stem = name.rpartition("/")
            write_images(tmp_path / "images" / folder, [stem])
        if video:
            write_video(tmp_path / video, 4, SIZE)
        return write_json(tmp_path / "export.json", list(tasks))

    return write


def convert(path, **options):
    return run("label-studio", path, out=path.with_name("out.json"), **{"frames": path.parent / "images", **options})


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [(HOLE, hole_pixels()), (NOISE, np.array([[value == "1" for value in row] for row in NOISE_PIXELS]))],
    ids=["a hole", "noise"],
)
def test_a_brush_is_the_mask_that_the_tool_encoded(numbers, expected):
    assert (decode_brush(numbers, expected.shape, "here") == expected).all()


@pytest.mark.parametrize(
    ("numbers", "size", "message"),
    [
        (HOLE[:-3], (6, 9), "here: the brush ends early"),
        (HOLE[:3], (6, 9), "here: the brush ends early"),
        (HOLE, (9, 7), "here: the brush holds 216 values, a frame of 7x9 has 4 a pixel"),
        ([256], (6, 9), r"here: 'rle' is \[256\], expected a list of bytes"),
        ("AAAA", (6, 9), "here: 'rle' is 'AAAA'"),
        ([*HOLE[:4], 255, *HOLE[5:]], (6, 9), "here: the brush has values of 32 bits"),
    ],
)
def test_a_brush_that_is_none_is_named(numbers, size, message):
    with pytest.raises(UserError, match=message):
        decode_brush(numbers, size, "here")


def test_the_number_of_a_region_is_a_track_over_frames(export):
    tasks = [
        task(1, "/data/upload/3/1a2b3c4d-f10.png", *polygon("r1", 7), *polygon("r2", 8, "кот")),
        task(2, "/data/upload/3/5a2b3c4e-f9.png", *polygon("r3", 7)),
    ]
    conversion, data = convert(export(*tasks, images=["f9.png", "f10.png"]))
    assert data.videos[0].file_names == ["f9.png", "f10.png"]
    assert [seen_in(track) for track in data.tracks] == [[0, 1], [1]]
    assert [category.name for category in data.categories] == ["dog", "кот"]
    assert dict(conversion.read) == {"videos": 1, "frames": 2, "regions": 3}
    assert data.tracks[0].areas == [64, 64]


@pytest.mark.parametrize(
    "result",
    [
        {"type": "textarea", "value": {"text": ["track 7"]}},
        {"type": "choices", "value": {"choices": ["id 7"]}},
        {"type": "number", "value": {"number": 7}},
    ],
)
def test_the_number_may_be_typed_or_chosen(export, result):
    others = [{"id": "r1", "from_name": "n", "to_name": "media", **result}]
    first = task(1, "images/0.png", *polygon("r1"), *others)
    second = task(2, "images/1.png", region("r2", "polygonlabels", {"points": percent()}, meta={"text": ["7"]}))
    _, data = convert(export(first, second, images=["0.png", "1.png"]))
    assert [seen_in(track) for track in data.tracks] == [[0, 1]]


def test_images_of_local_files_keep_their_folders(export):
    paths = ["/data/local-files/?d=set/v%20b/0.png", "/data/local-files/?d=set/a/0.png"]
    tasks = [task(n, path, *polygon("r", 1)) for n, path in enumerate(paths)]
    _, data = convert(export(*tasks, images=["a/0.png", "v b/0.png"]))
    assert [video.file_names for video in data.videos] == [["a/0.png"], ["v b/0.png"]]
    assert [track.video_id for track in data.tracks] == [1, 2]


def test_an_image_that_may_be_several_is_an_error(export):
    path = export(task(1, "/data/upload/3/1a2b3c4d-0.png", *polygon("r", 1)), images=["a/0.png", "b/0.png"])
    with pytest.raises(
        UserError, match=r"task 1: 'data/upload/3/1a2b3c4d-0\.png' may be .*: give --frames of one video"
    ):
        convert(path)


def test_brushes_bitmasks_and_ellipses_are_masks(export):
    pixels = np.zeros(SIZE, bool)
    pixels[3:5, 7:9] = True
    file = io.BytesIO()
    Image.fromarray((255 * pixels).astype(np.uint8)).save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    ellipse = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 0}
    all_of_it = [0, 0, 12, 0, 57, 27, 255, 11, 255, 255]  # 3072 times 255
    results = [
        region("b", "brushlabels", {"format": "rle", "rle": all_of_it}),
        region("m", "bitmasklabels", {"imageDataURL": url}),
        region("e", "ellipselabels", ellipse),
    ]
    _, data = convert(export(task(1, "0.png", *results), images=["0.png"]))
    assert data.tracks[0].areas == [WIDTH * HEIGHT]
    assert (pixels_of(data.tracks[1], 0) == pixels).all()
    assert data.tracks[2].boxes == [(8, 6, 16, 12)]


def test_a_label_may_be_a_result_of_its_own(export):
    drawn = region("r", "polygon", {"points": percent()}, label=None)
    named = {"id": "r", "type": "labels", "value": {"labels": ["cat"]}}
    bare = region("s", "polygon", {"points": percent()}, label=None)
    conversion, data = convert(export(task(1, "0.png", drawn, named, bare), images=["0.png"]))
    assert data.categories[0].name == "cat"
    assert left_out(conversion) == {"regions": 1}


def test_boxes_and_points_are_left_out_and_counted(export):
    box = region("r", "rectanglelabels", {"x": 25, "y": 25, "width": 50, "height": 50, "rotation": 0})
    point = region("k", "keypointlabels", {"x": 25, "y": 25, "width": 1})
    path = export(task(1, "0.png", box, point, *polygon("p", 1)), images=["0.png"])
    conversion, data = convert(path)
    assert len(data.tracks) == 1
    assert left_out(conversion) == {"boxes": 1, "other regions": 1}
    assert convert(path, boxes_as_masks=True)[1].tracks[0].boxes[0] == (8, 6, 16, 12)


def test_what_nobody_submitted_is_not_annotated(export):
    cancelled = [{"id": 1, "result": polygon("r", 1), "was_cancelled": True}]
    tasks = [
        task(1, "0.png", *polygon("r", 1)),
        task(2, "1.png", annotations=[]),
        task(3, "2.png", annotations=cancelled),
        task(4, "3.png"),
    ]
    path = export(*tasks, images=[f"{n}.png" for n in range(5)])
    conversion, data = convert(path)
    assert data.videos[0].annotated_frames == (0, 3)
    assert left_out(conversion) == {"annotations": 1}
    assert convert(path, missing_is_empty=True)[1].videos[0].annotated_frames is None


def test_of_several_annotations_the_ground_truth_or_the_latest_is_read(export):
    def by(number, updated, truth=False):
        done = {"id": number, "result": polygon("r", number), "updated_at": updated, "ground_truth": truth}
        return done | {"was_cancelled": False}

    latest = task(1, "0.png", annotations=[by(1, "2026-02-01"), by(2, "2026-03-01")])
    truth = task(2, "1.png", annotations=[by(1, "2026-02-01", truth=True), by(2, "2026-03-01")])
    conversion, data = convert(export(latest, truth, images=["0.png", "1.png"]))
    assert [seen_in(track) for track in data.tracks] == [[0], [1]]
    assert left_out(conversion) == {"annotations": 2}


def test_tasks_without_an_image_are_left_out_and_counted(export):
    tasks = [task(1, "0.png", *polygon("r", 1)), task(2, "9.png", *polygon("r", 1)), task(3, "some text")]
    conversion, _ = convert(export(*tasks, images=["0.png"]))
    assert [(left.count, left.why) for left in conversion.left_out] == [
        (1, "their image is not there"),
        (1, "their data names no video or image"),
    ]


def test_a_box_of_a_video_moves_between_keyframes_and_ends_where_it_is_not_enabled(export, tmp_path):
    moving = video_box("r1", [(1, 0, 0, 25, 50, True), (3, 50, 0, 25, 50, False)])
    again = video_box("r2", [(1, 0, 50, 25, 50, False), (3, 0, 50, 25, 50, True)], label="кот")
    path = export(task(1, "/data/upload/1/0a1b2c3d-my%20clip.mp4", moving, again), video="my clip.mp4")
    options = {"frames": None, "extract_to": tmp_path / "frames", "boxes_as_masks": True}
    conversion, data = convert(path, **options)
    assert [box and box[0] for box in data.tracks[0].boxes] == [0, 8, 16, None]
    assert seen_in(data.tracks[1]) == [0, 2, 3]
    assert data.videos[0].file_names[0] == "my clip/00000.jpg"
    assert conversion.notes == ()


def test_frames_counted_at_another_rate_are_placed_by_their_share(export, tmp_path):
    box = video_box("r", [(1, 0, 0, 25, 50, True), (5, 50, 0, 25, 50, True)], frames=8)
    path = export(task(1, "clip.mp4", box), video="clip.mp4")
    conversion, data = convert(path, frames=None, extract_to=tmp_path / "frames", boxes_as_masks=True)
    assert [box[0] for box in data.tracks[0].boxes] == [0, 8, 16, 16]
    assert "1 boxes are counted in another number of frames than their video has" in conversion.notes[0]


def test_boxes_of_videos_alone_name_the_option(export, tmp_path):
    path = export(task(1, "clip.mp4", video_box("r", [(1, 0, 0, 25, 50, True)])), video="clip.mp4")
    with pytest.raises(UserError, match=r"no object of it is left: 1 boxes \(a box is not a mask \(--boxes-as-masks"):
        convert(path, frames=None, extract_to=tmp_path / "frames")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"id": 1, "media": "0.png", "label": []}], 'is not an export of Label Studio in the format "JSON"'),
        ({"images": [], "annotations": []}, "it is a COCO file of single images"),
        ([], "holds no task"),
        ([task(1, "0.png", {"id": "r"})], r"task 1, result\[0\]: the key 'type' is missing"),
        ([task(1, "0.png", region("r", "brushlabels", {}))], r"task 1, result\[0\]: the key 'rle' is missing"),
        ([task(1, "0.png", region("r", "polygonlabels", {"points": [["a", 1]]}))], "its place is .*expected numbers"),
        ([task(1, "0.png", region("r", "polygonlabels", {"points": []}, original_width=5))], "the image was 5x24 when"),
        ([task(1, "9.png", *polygon("r", 1))], "none of the 1 images of the tasks is in .*: give --frames DIR"),
        ([task(1, "0.png"), task(2, "a.mp4")], "has tasks of videos and tasks of images"),
        ([task(1, "0.png"), task(2, "0.png")], r"task 2: 0\.png is the image of another task, too"),
    ],
)
def test_what_is_malformed_is_named_with_its_place(export, content, message):
    path = export(images=["0.png"])
    write_json(path, content)
    with pytest.raises(UserError, match=message):
        convert(path)
