import cv2
import numpy as np
import pytest

from mmdet.visualization.pairs.sheet import ALARM as ALARM_BOX
from mmdet.visualization.pairs.sheet import LEAST_WIDTH_PX, PANEL_SIDES_PX, draw_pair, panel_factor
from mmdet.visualization.pairs.text_block import ALARM, MARGIN_PX, TEXT_PX, text_block
from mmdet.visualization.pairs.views import LearningPoints, Line, PairFrame, PairObject, PairView
from mmdet.visualization.text import line_height

LINE_PX = line_height(TEXT_PX)
RED, WHITE = (230, 30, 30), (255, 255, 255)


def make_view(size=(64, 96), levels=(0, 1), **options):
    height, width = size
    mask = np.zeros((height // 2, width // 2), bool)
    mask[4:20, 4:12] = True
    picture, valid = np.full((*size, 3), 120, np.uint8), np.ones(size, bool)
    item = PairObject(tag="7 dog", color=RED, box=(8, 8, 24, 40), mask=mask)
    reference = PairObject(tag="7 dog", color=RED, box=(8, 8, 24, 40), jittered_box=(10, 10, 26, 42))
    points = LearningPoints(
        xy=np.array([[12, 12 + 16 * level] for level in levels], np.float32).reshape(-1, 2),
        levels=np.array(levels, np.int64),
        rows=np.zeros(len(levels), np.int64),
    )
    return PairView(
        key=PairFrame(picture=picture, valid=valid, objects=(item,), title="key", **options),
        references=(PairFrame(picture=picture, valid=valid, objects=(reference,), title="reference"),),
        strides=(8, 16, 32, 64),
        positives=points,
        memory=points,
        lines=(Line(text="pair"),),
    )


@pytest.mark.parametrize(
    ("size", "factor"), [((128, 192), 3), ((384, 672), 1), ((32, 32), 18), ((1080, 1920), 0.5), ((1, 560), 1)]
)
def test_small_frames_are_enlarged_by_whole_numbers_and_large_ones_fit(size, factor):
    assert panel_factor(size) == factor
    assert max(size) * factor <= PANEL_SIDES_PX[1]


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (32, 2048), (2048, 32), (1088, 1920)])
def test_sheets_of_every_shape_fit_a_screen_of_text(size):
    sheet = draw_pair(make_view(size))
    assert LEAST_WIDTH_PX <= sheet.shape[1] <= 4 * PANEL_SIDES_PX[1]
    assert sheet.dtype == np.uint8


def test_padding_is_hatched_and_the_picture_is_not():
    plain = make_view()
    valid = np.ones((64, 96), bool)
    valid[:, 64:] = False
    frame = plain.key
    padded = PairFrame(picture=frame.picture, valid=valid, objects=frame.objects, title=frame.title)
    views = [
        draw_pair(PairView(**{**{name: getattr(plain, name) for name in PairView.__slots__}, "key": key}))
        for key in (frame, padded)
    ]
    rows, columns = np.nonzero((views[0] != views[1]).any(axis=2))
    assert len(rows) > 1000
    assert (columns % (96 * 6 + 4) >= 64 * 6).all()


def test_an_object_without_a_point_is_marked_in_red():
    reds = [(draw_pair(make_view((128, 192), levels=levels)) == ALARM_BOX).all(axis=2).sum() for levels in ((0,), ())]
    assert reds[0] == 0
    assert reds[1] > 3 * 2 * 3 * (16 + 32) / 2


def test_points_of_coarser_levels_are_larger():
    areas = []
    for level in range(4):
        sheet = draw_pair(make_view((128, 192), levels=(level,)))
        bare = draw_pair(make_view((128, 192), levels=()))
        changed = (sheet != bare).any(axis=2)
        changed[:, changed.shape[1] // 2 :] = False  # the positives are on the left, the memory on the right
        areas.append(int(changed.sum()))
    assert areas == sorted(set(areas))


def test_the_jittered_box_is_dashed():
    plain, view = (make_view((128, 192)) for _ in range(2))
    bare = PairObject(tag="7 dog", color=RED, box=(8, 8, 24, 40))
    reference = PairFrame(
        picture=view.references[0].picture, valid=view.references[0].valid, objects=(bare,), title="reference"
    )
    without = PairView(**{**{name: getattr(view, name) for name in PairView.__slots__}, "references": (reference,)})
    changed = (draw_pair(plain) != draw_pair(without)).any(axis=2)
    assert 0 < changed.sum() < 4 * 3 * 3 * (16 + 32)
    assert not changed[:, : changed.shape[1] // 2].any()


def test_a_crowd_region_is_hatched_and_its_picture_is_still_seen():
    view = make_view((128, 192), levels=())
    item = PairObject(tag="", color=RED, box=(8, 8, 72, 72), is_crowd=True)
    key = PairFrame(picture=view.key.picture, valid=view.key.valid, objects=(item,), title="key")
    sheet = draw_pair(PairView(**{**{name: getattr(view, name) for name in PairView.__slots__}, "key": key}))
    inside = sheet[80:200, 60:180].astype(int)
    colors, counts = np.unique(inside.reshape(-1, 3), axis=0, return_counts=True)
    assert sorted(counts)[-2:] == pytest.approx([inside[..., 0].size / 2] * 2, rel=0.1)  # stripes and gaps
    assert np.abs(colors - RED).sum(axis=1).min() > 60  # nowhere opaque


def test_long_lines_are_wrapped_and_long_words_broken():
    short = text_block([Line(text="a few words")], 600)
    assert short.shape == (LINE_PX + MARGIN_PX, 600, 3)
    words = text_block([Line(text=" ".join(["earless_seal"] * 40))], 600)
    word = text_block([Line(text="v" * 400)], 600)
    for block in (words, word):
        assert block.shape[0] >= 5 * LINE_PX
        assert (block[:, -MARGIN_PX // 2 :] == WHITE).all()


def test_a_title_is_cut_to_one_line():
    assert text_block([Line(text="v" * 400)], 300, one_line=True).shape[0] == LINE_PX + MARGIN_PX


def test_alarming_lines_are_red():
    calm, alarm = (text_block([Line(text="no point", alarming=alarming)], 200) for alarming in (False, True))
    assert (alarm.reshape(-1, 3) == ALARM).all(axis=1).any()
    assert not (calm.reshape(-1, 3) == ALARM).all(axis=1).any()
    assert cv2.cvtColor(calm, cv2.COLOR_RGB2HSV)[..., 1].max() == 0
