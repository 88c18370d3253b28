import json

import numpy as np
import pytest
from published_sets import SIZE, add_frames, add_palette_png, add_png, assert_masks, colours, squares

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.vipseg import read_vipseg, read_vipseg_panomasks
from mmdet.errors import UserError

CATEGORIES = [
    {"id": 0, "name": "wall", "isthing": 0},
    {"id": 1, "name": "ceiling", "isthing": 0},
    {"id": 60, "name": "person", "isthing": 1},
    {"id": 103, "name": "car", "isthing": 1},
]
PERSON, OTHER, WALL = 70 + 256 * 3 + 65536 * 200, 5, 256 * 9


def square(x, y):
    return squares(_1=(x, y)) > 0


def segments(*entries):
    return [{"id": number, "category_id": category, "iscrowd": crowd} for number, category, crowd in entries]


class Panoptic:
    """A json of two frames, where a person moves before a wall, and its folders."""

    def __init__(self, root):
        self.root = root
        self.videos = {
            "12_ab": {
                "00000002": segments((PERSON, 60, 0), (WALL, 0, 0)),
                "00000010": segments((PERSON, 60, 0), (OTHER, 103, 0)),
            }
        }
        self.categories = CATEGORIES
        add_frames(root / "images" / "12_ab", ["00000002.jpg", "00000010.jpg"])
        self.add_png("00000002.png", squares(SIZE, np.int64, **{f"_{PERSON}": (2, 3), f"_{WALL}": (12, 8)}))
        self.add_png("00000010.png", squares(SIZE, np.int64, **{f"_{PERSON}": (4, 3), f"_{OTHER}": (20, 8)}))

    def add_png(self, name, ids, alpha=None, video="12_ab"):
        add_png(self.root / "panomasksRGB" / video / name, colours(ids, alpha))

    def read(self, **options):
        raw = {
            "videos": [{"video_id": name, "images": []} for name in self.videos],
            "annotations": [
                {
                    "video_id": name,
                    "annotations": [
                        {"image_id": stem, "file_name": f"{stem}.png", "segments_info": infos}
                        for stem, infos in frames.items()
                    ],
                }
                for name, frames in self.videos.items()
            ],
            "categories": self.categories,
        }
        path = self.root / "panoptic_gt_VIPSeg_train.json"
        path.write_text(json.dumps(raw))
        return read_vipseg(ConvertRequest(source=path, **options))


@pytest.fixture
def panoptic(tmp_path):
    return Panoptic(tmp_path)


def test_a_thing_of_one_id_is_an_object_in_all_frames(panoptic, tmp_path):
    conversion = panoptic.read()
    car, person = conversion.data.tracks
    assert conversion.frames == tmp_path / "images"
    assert conversion.data.videos[0].file_names == ["12_ab/00000002.jpg", "12_ab/00000010.jpg"]
    assert (person.category_id, car.category_id) == (60, 103)
    assert_masks(person, [square(2, 3), square(4, 3)])
    assert_masks(car, [None, square(20, 8)])


def test_stuff_is_left_out_and_said(panoptic):
    conversion = panoptic.read()
    assert [(c.category_id, c.name) for c in conversion.data.categories] == [(60, "person"), (103, "car")]
    assert [(left.what, left.count, left.why) for left in conversion.left_out] == [("masks", 1, "stuff is no object")]
    assert conversion.read["masks"] == 4


def test_alpha_and_palettes_change_no_id(panoptic, tmp_path):
    before = panoptic.read().data
    panoptic.add_png("00000010.png", squares(SIZE, np.int64, **{f"_{PERSON}": (4, 3), f"_{OTHER}": (20, 8)}), alpha=0)
    assert panoptic.read().data == before


def test_colours_of_a_palette_are_ids_too(panoptic, tmp_path):
    # indices 1 and 3 have the colours 128 and 128 + 256 * 128
    add_palette_png(tmp_path / "panomasksRGB" / "12_ab" / "00000010.png", squares(_1=(4, 3), _3=(20, 8)))
    panoptic.videos["12_ab"]["00000010"] = segments((128, 60, 0), (128 + 256 * 128, 103, 0))
    assert [track.category_id for track in panoptic.read().data.tracks] == [60, 103, 60]


def test_crowds_are_apart_from_the_object_of_their_id(panoptic):
    panoptic.videos["12_ab"]["00000010"] = segments((PERSON, 60, 1), (OTHER, 103, 0))
    conversion = panoptic.read()
    assert [(track.category_id, track.is_crowd) for track in conversion.data.tracks] == [
        (103, False),
        (60, False),
        (60, True),
    ]
    assert_masks(conversion.data.tracks[2], [None, square(4, 3)])
    assert "objects that are crowds in some frames, which are tracks of their own: 1" in conversion.notes


def test_a_segment_of_several_categories_is_what_it_is_most_often(panoptic):
    add_frames(panoptic.root / "images" / "12_ab", ["00000011.jpg"])
    panoptic.add_png("00000011.png", squares(SIZE, np.int64, **{f"_{PERSON}": (6, 3)}))
    panoptic.videos["12_ab"]["00000011"] = segments((PERSON, 103, 0))
    conversion = panoptic.read()
    assert conversion.data.tracks[-1].category_id == 60
    assert "objects of several categories, each is what it is most often: 1" in conversion.notes


def test_segments_without_pixels_and_pixels_without_a_segment_are_left_out(panoptic):
    panoptic.videos["12_ab"]["00000010"] = segments((PERSON, 60, 0), (77, 103, 0))
    assert [(left.what, left.count, left.why) for left in panoptic.read().left_out] == [
        ("masks", 1, "stuff is no object"),
        ("masks", 1, "segments_info does not have their id"),
        ("segments", 1, "their PNG has no pixel of them"),
    ]


def test_only_videos_and_frames_of_the_json_are_read(panoptic):
    add_frames(panoptic.root / "images" / "13_cd", ["00000002.jpg"])
    panoptic.add_png("00000002.png", squares(SIZE, np.int64, _5=(2, 3)), video="13_cd")
    del panoptic.videos["12_ab"]["00000002"]
    panoptic.videos["12_ab"]["00000012"] = []
    conversion = panoptic.read()
    (video,) = conversion.data.videos
    assert video.annotated_frames == (1,)
    assert [(left.what, left.why) for left in conversion.left_out] == [
        ("PNGs", "the json does not list their frame: 12_ab/00000002.png"),
        ("frames", "the json lists them, but they have no PNG: 12_ab/00000012"),
    ]


def test_videos_without_pngs_or_images_are_left_out_and_named(panoptic, tmp_path):
    panoptic.videos["14_ef"] = {}
    panoptic.videos["15_gh"] = {"1": []}
    panoptic.add_png("1.png", squares(SIZE, np.int64, _5=(2, 3)), video="15_gh")
    videos = [(left.count, left.why) for left in panoptic.read().left_out if left.what == "videos"]
    assert videos == [
        (1, f"no PNGs in {tmp_path / 'panomasksRGB'}: 14_ef"),
        (1, f"no images in {tmp_path / 'images'}: 15_gh"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": [{"id": 0, "name": "wall"}]}, r"categories\[0\]: the key 'isthing' is missing"),
        ({"categories": [{"id": 0, "name": "wall", "isthing": 0}]}, "none of its categories is a thing"),
        ({"categories": CATEGORIES[:3]}, r"segments_info\[1\]: no category has the id 103"),
        ({"videos": {}}, "has no annotations of videos"),
    ],
)
def test_faults_of_the_json_are_named(panoptic, change, message):
    for name, value in change.items():
        setattr(panoptic, name, value)
    with pytest.raises(UserError, match=message):
        panoptic.read()


def test_a_missing_folder_of_pngs_is_said(panoptic):
    (panoptic.root / "panomasksRGB").rename(panoptic.root / "elsewhere")
    with pytest.raises(
        UserError, match="no folder of PNGs is beside .*: expected one of panomasksRGB, .*panoptic_gt_VIPSeg_train"
    ):
        panoptic.read()


def test_masks_of_classes_as_vspw_has_them_are_refused(panoptic):
    add_png(panoptic.root / "panomasksRGB" / "12_ab" / "00000002.png", squares(dtype=np.uint8, _5=(2, 3)))
    with pytest.raises(UserError, match=r"00000002\.png is a PNG of mode L .*, expected colours"):
        panoptic.read()


@pytest.fixture
def panomasks(tmp_path):
    """Persons 6101 and 6102, a car without a number (104), stuff (1), and 200, a mistake of the set's: stuff."""
    add_frames(tmp_path / "imgs" / "12_ab", ["1.jpg", "2.jpg"])
    add_png(tmp_path / "panomasks" / "12_ab" / "1.png", squares(_6101=(2, 3), _6102=(12, 8), _1=(20, 3)))
    add_png(tmp_path / "panomasks" / "12_ab" / "2.png", squares(_6101=(4, 3), _104=(12, 8), _200=(20, 3)))
    (tmp_path / "panoVIPSeg_categories.json").write_text(json.dumps(CATEGORIES))
    return tmp_path


def test_values_of_vipseg_are_a_class_or_a_class_and_a_number(panomasks):
    conversion = read_vipseg_panomasks(ConvertRequest(source=panomasks))
    car, first, second = conversion.data.tracks
    assert [track.category_id for track in (car, first, second)] == [103, 60, 60]
    assert_masks(first, [square(2, 3), square(4, 3)])
    assert_masks(second, [square(12, 8), None])
    assert [(left.what, left.count, left.why) for left in conversion.left_out] == [("masks", 2, "stuff is no object")]


def test_a_thing_without_a_number_is_a_crowd(panomasks):
    car = read_vipseg_panomasks(ConvertRequest(source=panomasks / "panomasks")).data.tracks[0]
    assert car.is_crowd
    assert_masks(car, [None, square(12, 8)])


def test_the_categories_of_vipseg_may_lie_elsewhere(panomasks, tmp_path):
    (panomasks / "panoVIPSeg_categories.json").rename(panomasks / "names.json")
    with pytest.raises(UserError, match="panoVIPSeg_categories.json does not exist: .*--categories names the file"):
        read_vipseg_panomasks(ConvertRequest(source=panomasks))
    request = ConvertRequest(source=panomasks, categories=panomasks / "names.json")
    assert len(read_vipseg_panomasks(request).data.tracks) == 3


def test_a_value_of_no_class_is_named(panomasks):
    add_png(panomasks / "panomasks" / "12_ab" / "2.png", squares(_99=(2, 3)))
    with pytest.raises(UserError, match=r"12_ab/2\.png: value 99 is of class 98, which .* lacks"):
        read_vipseg_panomasks(ConvertRequest(source=panomasks))
