"""Boxes beside their masks: what is told apart, and what is not complained of."""

import numpy as np
import pytest

from mmdet.fileio.annotations.box_check import box_faults
from mmdet.fileio.annotations.vis_json import Category, Track, VideoInfo, VISJson
from mmdet.ops.masks.segmentations import encode_masks

SIZE = (90, 160)


def made_set(change=lambda box: box, tracks=4, frames=6):
    """A set of rectangles whose boxes, x, y, width, height, are written as `change` says."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(tracks):
        boxes, segmentations = [], []
        for _ in range(frames):
            x, y, width, height = (int(rng.integers(*limits)) for limits in ((20, 90), (20, 50), (12, 40), (8, 30)))
            mask = np.zeros((1, *SIZE), bool)
            mask[0, y : y + height, x : x + width] = True
            segmentations.append(encode_masks(mask)[0])
            boxes.append(tuple(float(side) for side in change(np.array([x, y, width, height], float))))
        found.append(Track(number, 7, 1, False, boxes, segmentations, [1.0] * frames))
    return VISJson([VideoInfo(7, SIZE, [f"{i}.jpg" for i in range(frames)])], found, [Category(1, "thing")])


def test_boxes_of_their_masks_have_no_faults():
    assert box_faults(made_set()) == []


def test_boxes_a_pixel_or_two_off_are_no_faults():
    assert box_faults(made_set(lambda box: box + [-1, 1, 2, -1])) == []


def test_boxes_that_leave_the_image_are_measured_inside_of_it():
    data = made_set()
    data.tracks[0].boxes[0] = (-40.0, -40.0, 400.0, 400.0)
    mask = np.ones((1, *SIZE), bool)
    data.tracks[0].segmentations[0] = encode_masks(mask)[0]
    assert box_faults(data) == []


WIDTH, HEIGHT = SIZE[::-1]
SIDES = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]], "corners x1, y1, x2, y2"),
        (lambda b: [b[0] + b[2] / 2, b[1] + b[3] / 2, b[2], b[3]], "centre x, centre y, width, height"),
        (lambda b: b[[1, 0, 3, 2]], "y, x, height, width"),
        (lambda b: b / SIDES, "x, y, width, height as shares of the image"),
        (lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]]) / SIDES, "corners as shares of the image"),
        (
            lambda b: np.array([b[0] + b[2] / 2, b[1] + b[3] / 2, b[2], b[3]]) / SIDES,
            "centre and sides as shares of the image",
        ),
        (lambda b: b * 3, "boxes of another image size"),
    ],
)
def test_the_likely_cause_is_named(change, cause):
    [fault] = box_faults(made_set(change))
    assert f"they look like {cause} (" in fault
    assert "annotation 0, video 7, frame " in fault


def test_a_single_odd_track_is_named_with_its_frames():
    data = made_set(tracks=6)
    for frame in (2, 4):
        data.tracks[3].boxes[frame] = (0.0, 0.0, 5.0, 5.0)
    [fault] = box_faults(data)
    assert fault.startswith("the box does not fit the mask in 2 frames: annotation 3, video 7, frame 2: box 0, 0, 5, 5")


def test_a_limit_still_finds_a_systematic_fault():
    [fault] = box_faults(made_set(lambda b: b * 3, tracks=40), limit=20)
    assert "20 of 20 boxes compared" in fault


def test_absent_boxes_empty_masks_and_malformed_masks_are_left_to_others():
    data = made_set()
    data.tracks[0].boxes[0] = None
    data.tracks[0].boxes[1] = (5.0, 5.0, 0.0, 0.0)
    data.tracks[1].segmentations[0] = encode_masks(np.zeros((1, *SIZE), bool))[0]
    data.tracks[1].segmentations[1] = {"size": [*SIZE], "counts": "~~~"}
    assert box_faults(data) == []
