"""The files that a prediction writes: what is in them, read back."""

import csv
import json
from fractions import Fraction

import cv2
import numpy as np
import pytest
from made_predictions import LENGTH, SIZE, box_of, make_frame, make_tube, make_video, mask_of
from PIL import Image

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.labelling_tools.coco import convert_coco
from mmdet.datasets.converting.published_sets.png_folders import read_png
from mmdet.engine.inference.predicting.outputs.drawn import FramesSink, VideoSink
from mmdet.engine.inference.predicting.outputs.masks import LARGEST_NUMBER, MasksSink
from mmdet.engine.inference.predicting.outputs.objects import CropsSink, CutoutSink
from mmdet.engine.inference.predicting.outputs.sink import PredictedFrame, ShownObject, VideoStart
from mmdet.engine.inference.predicting.outputs.tables import COLUMNS, CocoSink, CsvSink
from mmdet.fileio.pictures.drawn_jpeg import is_drawing
from mmdet.fileio.pictures.mask_png import read_ids
from mmdet.fileio.sources.frame_source import open_source
from mmdet.ops.masks.segmentations import decode_rle

START = VideoStart(size=SIZE, picture_size=SIZE, rate=Fraction(25))


@pytest.fixture
def written(tmp_path):
    """Write all frames with a kind of sink; return the path of its output."""

    def write(kind, video=None, ids=(7, 3)):
        sink = kind("clip")
        sink.open(tmp_path, START)
        for frame in range(LENGTH):
            sink.add(make_frame(frame, ids))
        sink.finish(video or make_video())
        return tmp_path / sink.path

    return write


def test_the_mp4_has_the_pictures_at_their_times(written):
    frames = list(open_source(written(VideoSink)))
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.04, 0.08, 0.12])
    assert frames[0].image.shape == (*SIZE, 3)


def test_drawn_frames_are_marked_as_drawings(written):
    files = sorted(written(FramesSink).iterdir())
    assert [file.name for file in files] == ["00000.jpg", "00001.jpg", "00002.jpg", "00003.jpg"]
    assert all(map(is_drawing, files))


def test_masks_have_numbers_by_first_appearance_and_the_better_object_on_top(written):
    folder = written(MasksSink)
    assert set(np.unique(read_ids(folder / "00000.png"))) == {0, 1}
    numbers = read_ids(folder / "00001.png")
    assert (numbers[mask_of(7, 1)] == 1).all()  # the first of the frame's objects is the best
    assert (numbers[mask_of(3, 1) & ~mask_of(7, 1)] == 2).all()
    objects = json.loads((folder / "objects.json").read_text())
    assert {number: (entry["track_id"], entry["category"]) for number, entry in objects.items()} == {
        "1": (7, "ring"),
        "2": (3, "star/five"),
    }


def test_masks_have_the_colours_of_the_tracks(written):
    with Image.open(written(MasksSink) / "00003.png") as image:
        assert image.mode == "P"
        colours = np.asarray(image.convert("RGB"))[mask_of(7, 3)]
    assert len(np.unique(colours, axis=0)) == 1
    assert colours.any()


def test_masks_become_a_data_set_again(written, tmp_path):
    folder = written(MasksSink, ids=(7,))
    (tmp_path / "annotations").mkdir()
    folder.rename(tmp_path / "annotations/clip")
    (tmp_path / "images/clip").mkdir(parents=True)
    for frame in range(LENGTH):
        cv2.imwrite(str(tmp_path / f"images/clip/{frame:05d}.jpg"), make_frame(frame).image)
    request = ConvertRequest(source=tmp_path / "annotations", frames=tmp_path / "images")
    [track] = read_png(request).data.tracks
    assert [None if code is None else decode_rle(code).tolist() for code in track.segmentations] == [
        mask_of(7, 0).tolist(),
        mask_of(7, 1).tolist(),
        None,
        mask_of(7, 3).tolist(),
    ]


def test_more_tracks_than_numbers_are_left_out_of_the_masks(tmp_path):
    sink = MasksSink("clip")
    sink.open(tmp_path, START)
    for index in range(LARGEST_NUMBER + 2):
        item = ShownObject(track_id=index, label=0, score=0.5, box=(0, 0, 1, 1), mask=np.ones(SIZE, bool))
        image = np.zeros((*SIZE, 3), np.uint8)
        sink.add(PredictedFrame(index=index, time_s=index / 25, image=image, objects=(item,)))
    assert read_ids(tmp_path / f"clip/masks/{LARGEST_NUMBER - 1:05d}.png").min() == LARGEST_NUMBER
    assert read_ids(tmp_path / f"clip/masks/{LARGEST_NUMBER:05d}.png").max() == 0


def test_crops_are_the_boxes_within_the_frame(written):
    folder = written(CropsSink)
    assert sorted(path.name for path in folder.iterdir()) == ["3_star_five", "7_ring"]
    assert sorted(path.name for path in (folder / "7_ring").iterdir()) == ["00000.jpg", "00001.jpg", "00003.jpg"]
    assert cv2.imread(str(folder / "7_ring/00003.jpg")).shape == (8, 8, 3)
    assert cv2.imread(str(folder / "3_star_five/00001.jpg")).shape == (8, 30, 3)


def test_crops_of_tracks_that_are_not_kept_are_removed(written):
    assert [path.name for path in written(CropsSink, make_video([make_tube(7)])).iterdir()] == ["7_ring"]


def test_an_object_outside_of_the_frame_has_no_crop(tmp_path):
    sink = CropsSink("clip")
    mask, image = np.zeros(SIZE, bool), np.zeros((*SIZE, 3), np.uint8)
    items = [
        ShownObject(track_id=track_id, label=0, score=0.5, box=box, mask=mask)
        for track_id, box in enumerate([(-9.0, 2.0, -4.0, 9.0), (31.0, 2.0, 40.0, 9.0), (3.0, 4.0, 3.0, 9.0)])
    ]
    assert [sink.encode(image, item) for item in items] == [None, None, None]
    assert CutoutSink("clip").encode(image, items[0]) is None


def test_cutouts_show_the_object_alone(written):
    picture = cv2.imread(str(written(CutoutSink) / "7_ring/00001.png"), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (8, 8, 4)
    assert (picture[..., 3] == 255).all()
    assert (picture[..., 2::-1] == make_frame(1).image[4:12, 2:10]).all()


def test_cutouts_are_transparent_beside_the_object():
    mask = np.zeros(SIZE, bool)
    mask[2, 3], mask[5, 8] = True, True
    image = make_frame(0).image
    item = ShownObject(track_id=1, label=0, score=0.5, box=box_of(7, 0), mask=mask)
    data = CutoutSink("clip").encode(image, item)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (4, 6, 4)
    assert np.argwhere(picture[..., 3]).tolist() == [[0, 0], [3, 5]]
    assert not picture[~mask[2:6, 3:9]].any()


def test_the_table_has_a_row_per_object_and_frame(written):
    with written(CsvSink).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["frame"], row["track_id"]) for row in rows] == [
        *(("0", "7"), ("1", "7"), ("1", "3"), ("2", "3"), ("3", "7"), ("3", "3"))
    ]
    assert rows[1] == {
        **{"frame": "1", "time_s": "0.04", "track_id": "7", "category": "ring", "score": "0.6"},
        **{"x": "2.0", "y": "4.0", "w": "8.0", "h": "8.0", "area": "64"},
    }


def test_the_coco_file_becomes_the_same_video_again(written):
    conversion = convert_coco(written(CocoSink), None)
    assert conversion.has_identities
    assert [video.file_names for video in conversion.data.videos] == [list(make_video().file_names)]
    tracks = conversion.data.tracks
    assert [[code is not None for code in track.segmentations] for track in tracks] == [
        [True, True, False, True],
        [False, True, True, True],
    ]
    assert [track.category_id for track in tracks] == [20, 30]
