import cv2
import numpy as np
import pytest

from mmdet.evaluation.tracks.mask_tracks import read_mask_tracks
from mmdet.ops.masks.segmentations import encode_masks, read_masks
from mmdet.report.tracks import Look, count_numbers, draw_track, outline

FINE = 8  # parts of a pixel in which polygons are filled
LOOK = Look(track_id=4, class_name="ring", color="#102030", score=0.5, is_crowd=False)


def outlined(mask, shown_size):
    _, runs = read_masks(encode_masks(mask[None]), mask.shape)
    return outline(runs.lengths_of(0), mask.shape, shown_size)


def filled(polygons, size):
    """Fill polygons by the even-odd rule; a pixel is inside if at least half of it is."""
    fine = np.zeros((size[0] * FINE, size[1] * FINE), np.uint8)
    cv2.fillPoly(fine, [np.array(polygon).reshape(-1, 2) * FINE for polygon in polygons], 1)
    return fine.reshape(size[0], FINE, size[1], FINE).mean(axis=(1, 3)) >= 0.5


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


def blob(size, radius, seed, hole=False):
    """A smooth closed shape with dents, somewhere in the picture."""
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    waves = sum(0.15 * random.random() * np.sin(k * angles + 6 * random.random()) for k in (1, 2, 3, 5))
    center = [random.uniform(1.5 * radius, side - 1.5 * radius) for side in size[::-1]]
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (radius * (1 + waves))[:, None] + center
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
    if hole:
        cv2.circle(mask, (round(center[0]), round(center[1])), radius // 3, 0, -1)
    return mask.astype(bool)


@pytest.mark.parametrize(("radius", "hole"), [(6, False), (12, False), (12, True), (30, False), (30, True)])
def test_filled_polygons_are_the_mask(radius, hole):
    for seed in range(10):
        mask = blob((128, 192), radius, seed, hole)
        assert overlap(filled(outlined(mask, (128, 192)), (128, 192)), mask) >= 0.95


@pytest.mark.parametrize(("size", "shown"), [((720, 1280), (360, 640)), ((480, 854), (360, 640))])
@pytest.mark.parametrize("radius", [40, 100])
def test_polygons_for_smaller_pictures_are_the_mask_made_smaller(size, shown, radius):
    for seed in range(5):
        mask = blob(size, radius, seed)
        small = cv2.resize(mask.astype(np.float32), shown[::-1], interpolation=cv2.INTER_AREA) >= 0.5
        assert overlap(filled(outlined(mask, shown), shown), small) >= 0.95


@pytest.mark.parametrize("place", [(slice(0, 5), slice(0, 7)), (slice(15, 20), slice(33, 40)), (slice(None),) * 2])
def test_a_rectangle_at_the_edge_of_the_frame_has_its_own_corners(place):
    mask = np.zeros((20, 40), bool)
    mask[place] = True
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x1, y1, x2, y2 = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    (polygon,) = outlined(mask, (20, 40))
    corners = {(polygon[i], polygon[i + 1]) for i in range(0, len(polygon), 2)}
    assert corners == {(x1, y1), (x2, y1), (x2, y2), (x1, y2)}


def test_a_mask_of_one_pixel_stays_however_small_the_pictures_are():
    mask = np.zeros((100, 200), bool)
    mask[57, 143] = True
    assert filled(outlined(mask, (25, 50)), (25, 50)).sum() == 1


def test_the_polygons_of_noise_are_few():
    mask = np.random.default_rng(0).random((200, 300)) < 0.3
    assert len(outlined(mask, (200, 300))) <= 64


def test_a_track_has_polygons_for_the_frames_that_show_it():
    mask = np.zeros((1, 20, 40), bool)
    mask[:, 2:9, 3:11] = True
    rle = encode_masks(mask)[0]
    other_size = encode_masks(np.ones((1, 10, 10), bool))[0]
    empty = encode_masks(np.zeros((1, 20, 40), bool))[0]
    (masks,) = read_mask_tracks([[None, rle, empty, rle, other_size, rle]], (20, 40))
    track = draw_track(masks, (20, 40), (20, 40), 5, LOOK)
    assert list(track.frames) == [1, 3]  # of the right size, and within the five frames of the video
    assert (track.track_id, track.class_name, track.score) == (4, "ring", 0.5)
    assert count_numbers([track]) == 16
