import cv2
import numpy as np
import pytest
import torch

from mmdet.errors import UserError
from mmdet.structures import FrameTruth
from mmdet.visualization.contact_sheet import (
    CAPTION_HEIGHT_PX,
    COLUMNS,
    TILE_WIDTH_PX,
    TruthFrame,
    evenly_spaced,
    truth_objects,
    truth_sheet,
    write_sheet,
)
from mmdet.visualization.draw import track_color

COLORS = {7: (255, 0, 0), 90: (0, 255, 0)}


def make_truth(size=(60, 80), ids=(7, 90), crowd=(False, False)):
    masks = torch.zeros(len(ids), *size, dtype=torch.bool)
    for row in range(len(ids)):
        masks[row, 10:40, 5 + 40 * row : 35 + 40 * row] = True
    return FrameTruth(
        boxes=torch.tensor([[5.0 + 40 * row, 10, 35 + 40 * row, 40] for row in range(len(ids))]).reshape(-1, 4),
        labels=torch.arange(len(ids)),
        masks=masks,
        instance_ids=torch.tensor(ids, dtype=torch.int64),
        is_crowd=torch.tensor(crowd[: len(ids)]),
    )


def make_frame(size=(60, 80), **options):
    return TruthFrame(np.full((*size, 3), 128, np.uint8), make_truth(size, **options), "frame 0")


def test_tags_tell_id_and_class_and_crowds():
    objects = truth_objects(make_truth(crowd=(False, True)), ["dog", "cat"], COLORS)
    assert [item.label_text for item in objects] == ["7 dog", "90 cat (crowd)"]
    assert [item.color for item in objects] == [COLORS[7], COLORS[90]]
    assert objects[0].box == (5, 10, 35, 40)


def test_crowds_are_hatched_and_objects_are_whole():
    whole, crowd = truth_objects(make_truth(crowd=(False, True)), ["dog", "cat"], COLORS)
    assert (whole.hatched, crowd.hatched) == (False, True)
    assert whole.mask.sum() == crowd.mask.sum() == 900


@pytest.mark.parametrize(
    ("size", "height"),
    [((60, 80), 360), ((600, 800), 360), ((1, 500), 48), ((16, 4000), 48), ((4000, 16), 1440), ((500, 1), 1440)],
)
def test_frames_of_any_size_become_tiles_of_one_width(size, height, tmp_path):
    sheet = truth_sheet([make_frame(size, ids=())] * 5, [])
    assert sheet.shape == (2 * (height + CAPTION_HEIGHT_PX) + 4, COLUMNS * (TILE_WIDTH_PX + 4) - 4, 3)
    write_sheet(tmp_path / "sheet.jpg", sheet)
    assert cv2.imread(str(tmp_path / "sheet.jpg")).shape == sheet.shape


def test_objects_of_a_narrow_frame_lie_where_they_are_in_it():
    masks = torch.zeros(1, 4000, 16, dtype=torch.bool)
    masks[:, 1000:3000] = True
    truth = FrameTruth(
        boxes=torch.tensor([[0.0, 1000, 16, 3000]]),
        labels=torch.zeros(1, dtype=torch.int64),
        masks=masks,
        instance_ids=torch.ones(1, dtype=torch.int64),
        is_crowd=torch.zeros(1, dtype=torch.bool),
    )
    sheet = truth_sheet([TruthFrame(np.full((4000, 16, 3), 128, np.uint8), truth, "frame 0")], ["dog"]).astype(int)
    object_color, background = sheet[1070, 3], sheet[200, 3]  # 0.36 times the frame's rows
    assert np.abs(object_color - 128).max() > 20
    assert np.array_equal(background, [128] * 3)
    assert np.array_equal(sheet[200, 300], [255] * 3)


def test_an_instance_has_one_colour_in_all_frames_whatever_else_they_show():
    both, one = make_frame(), make_frame(ids=(90,))
    sheet = truth_sheet([both, one], ["dog", "cat"]).astype(int)
    factor = TILE_WIDTH_PX / 80
    y = round(34 * factor)  # within the masks, below the tags
    first, second = sheet[y, round(60 * factor)], sheet[y, TILE_WIDTH_PX + 4 + round(20 * factor)]
    assert np.array_equal(first, second)
    assert np.abs(first - (0.78 * 128 + 0.22 * np.array(track_color(1)))).max() < 2


def test_indices_are_spread_from_first_to_last():
    assert evenly_spaced(36, 8) == [0, 5, 10, 15, 20, 25, 30, 35]
    assert evenly_spaced(3, 8) == [0, 1, 2]
    assert evenly_spaced(1, 8) == [0]
    assert evenly_spaced(9, 1) == [0]
    assert evenly_spaced(9, 0) == evenly_spaced(0, 8) == evenly_spaced(9, -1) == []


def test_a_sheet_is_written_as_jpeg_into_a_new_folder(tmp_path):
    write_sheet(tmp_path / "new" / "905.jpg", truth_sheet([make_frame()], ["dog", "cat"]))
    assert cv2.imread(str(tmp_path / "new" / "905.jpg")).shape[1] == TILE_WIDTH_PX


def test_a_sheet_that_cannot_be_written_is_a_users_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_sheet(tmp_path / "file" / "905.jpg", truth_sheet([make_frame()], ["dog", "cat"]))


def test_a_sheet_carries_the_name_of_its_video():
    plain, named = truth_sheet([make_frame()], ["dog", "cat"]), truth_sheet([make_frame()], ["dog", "cat"], "видео 猫")
    added = named.shape[0] - plain.shape[0]
    assert np.array_equal(named[added:], plain)
    assert (named[:added] < 100).any()
    assert (named[:added, -50:] == 255).all()


def test_a_name_longer_than_the_sheet_is_cut():
    assert truth_sheet([make_frame()], ["dog", "cat"], "name " * 200).shape[1] == TILE_WIDTH_PX
