import numpy as np
import pytest
from published_sets import SIZE, add_frames, add_png, assert_masks, squares

from mmdet.datasets.converting.conversion import ConvertRequest, LeftOut
from mmdet.datasets.converting.published_sets.mots_png import read_kitti_mots_png, read_mots_png
from mmdet.errors import UserError

IGNORED = 10000


@pytest.fixture
def kitti(tmp_path):
    """A car in frames 0 and 2, a pedestrian of the same number in frame 1, ignore regions, an empty frame 3."""
    add_frames(tmp_path / "image_02" / "0002", [f"{frame:06d}.png" for frame in range(4)])
    pngs = [
        squares(_1005=(2, 3), _10000=(20, 10)),
        squares(_2005=(8, 3)),
        squares(_1005=(12, 8)),
        squares(),
    ]
    for frame, pixels in enumerate(pngs):
        add_png(tmp_path / "instances" / "0002" / f"{frame:06d}.png", pixels)
    return tmp_path


def test_an_id_is_an_object_over_gaps_and_its_thousands_are_the_class(kitti):
    conversion = read_kitti_mots_png(ConvertRequest(source=kitti / "instances"))
    data = conversion.data
    assert conversion.frames == kitti / "image_02"
    assert [(category.category_id, category.name) for category in data.categories] == [(1, "car"), (2, "pedestrian")]
    car, pedestrian = (track for track in data.tracks if not track.is_crowd)
    assert (car.category_id, pedestrian.category_id) == (1, 2)
    assert_masks(car, [squares(_1=(2, 3)) > 0, None, squares(_1=(12, 8)) > 0, None])
    assert_masks(pedestrian, [None, squares(_1=(8, 3)) > 0, None, None])
    assert car.boxes == [(2, 3, 5, 5), None, (12, 8, 5, 5), None]


def test_an_ignore_region_is_a_crowd_of_every_category(kitti):
    conversion = read_kitti_mots_png(ConvertRequest(source=kitti))
    crowds = [track for track in conversion.data.tracks if track.is_crowd]
    assert conversion.notes == ("regions to ignore, each a crowd of all 2 categories: 1",)
    assert (conversion.read["objects"], conversion.read["crowds"], conversion.read["masks"]) == (3, 1, 4)
    assert [crowd.category_id for crowd in crowds] == [1, 2]
    for crowd in crowds:
        assert_masks(crowd, [squares(_1=(20, 10)) > 0, None, None, None])


def test_a_frame_without_a_png_is_not_annotated_and_one_of_zeros_shows_nothing(kitti):
    (kitti / "instances" / "0002" / "000001.png").unlink()
    conversion = read_kitti_mots_png(ConvertRequest(source=kitti))
    assert conversion.data.videos[0].annotated_frames == (0, 2, 3)
    assert conversion.notes[0] == "frames without a PNG are not annotated: 1"
    empty = read_kitti_mots_png(ConvertRequest(source=kitti, missing_is_empty=True))
    assert empty.data.videos[0].annotated_frames is None


def test_a_video_that_has_no_images_is_left_out_and_named(kitti):
    add_png(kitti / "instances" / "0010" / "000000.png", squares(_1001=(2, 3)))
    conversion = read_kitti_mots_png(ConvertRequest(source=kitti))
    assert len(conversion.data.videos) == 1
    assert conversion.left_out == (LeftOut(what="videos", count=1, why=f"no images in {kitti / 'image_02'}: 0010"),)
    assert conversion.read["videos"] == 2


def test_pngs_without_a_frame_are_left_out_and_named(kitti):
    add_png(kitti / "instances" / "0002" / "000007.png", squares(_1001=(2, 3)))
    conversion = read_kitti_mots_png(ConvertRequest(source=kitti))
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("PNGs", 1, "no frame has their name: 0002/000007.png")


def test_only_the_named_videos_are_read(kitti):
    add_frames(kitti / "image_02" / "0010", ["000000.png"])
    add_png(kitti / "instances" / "0010" / "000000.png", squares(_1001=(2, 3)))
    (kitti / "val.seqmap").write_text("0010 empty 000000 000294\n")
    conversion = read_kitti_mots_png(ConvertRequest(source=kitti, only=kitti / "val.seqmap"))
    assert conversion.data.videos[0].file_names == ["0010/000000.png"]
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("videos", 1, f"{kitti / 'val.seqmap'} does not name them")


def test_a_file_that_names_no_video_of_the_set_is_refused(kitti):
    (kitti / "val.txt").write_text("elsewhere\n")
    with pytest.raises(UserError, match="names no video of .*: it names elsewhere"):
        read_kitti_mots_png(ConvertRequest(source=kitti, only=kitti / "val.txt"))


def test_mots_challenge_has_pedestrians_in_img1(tmp_path):
    add_frames(tmp_path / "train" / "MOTS20-02" / "img1", ["000001.jpg", "000002.jpg"])
    for frame, pixels in enumerate([squares(_2001=(2, 3)), squares(_2001=(4, 3), _2002=(12, 8))], 1):
        add_png(tmp_path / "instances" / "MOTS20-02" / f"{frame:06d}.png", pixels)
    conversion = read_mots_png(ConvertRequest(source=tmp_path / "instances", frames=tmp_path / "train"))
    assert [category.name for category in conversion.data.categories] == ["pedestrian"]
    assert conversion.data.videos[0].file_names == ["MOTS20-02/img1/000001.jpg", "MOTS20-02/img1/000002.jpg"]
    assert [track.category_id for track in conversion.data.tracks] == [2, 2]


def test_a_class_without_a_name_is_refused_unless_it_is_named(kitti):
    with pytest.raises(UserError, match="0002: object 1005 is of class 1, which has no name; known are 2 pedestrian"):
        read_mots_png(ConvertRequest(source=kitti))
    for name, text in {"names.json": '{"1": "auto", "2": "walker"}', "labels.txt": "auto\nwalker\n"}.items():
        (kitti / name).write_text(text)
        data = read_mots_png(ConvertRequest(source=kitti, categories=kitti / name)).data
        assert [(c.category_id, c.name) for c in data.categories] == [(1, "auto"), (2, "walker")]


@pytest.mark.parametrize(
    ("name", "text"), [("labels.txt", "auto\nwalker\n"), ("classes.json", '{"1": "auto", "2": "walker"}')]
)
def test_a_file_of_names_beside_the_pngs_is_taken(kitti, name, text):
    (kitti / "instances" / name).write_text(text)
    for read in (read_mots_png, read_kitti_mots_png):
        data = read(ConvertRequest(source=kitti)).data
        assert [(c.category_id, c.name) for c in data.categories] == [(1, "auto"), (2, "walker")]


def test_an_export_of_cvat_has_one_video_without_a_folder(tmp_path):
    add_frames(tmp_path / "default" / "images", ["frame_000000.png", "frame_000001.png"])
    add_png(tmp_path / "default" / "instances" / "frame_000000.png", squares(_1000=(2, 3), _2001=(12, 8)))
    (tmp_path / "default" / "instances" / "labels.txt").write_text("cat\ndog")
    conversion = read_mots_png(ConvertRequest(source=tmp_path / "default", missing_is_empty=True))
    assert conversion.data.videos[0].file_names == ["frame_000000.png", "frame_000001.png"]
    assert conversion.data.videos[0].annotated_frames is None
    cat, dog = conversion.data.tracks
    assert (cat.category_id, dog.category_id) == (1, 2)
    assert_masks(cat, [squares(_1=(2, 3)) > 0, None])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.json", '{"car": 1}', "'car' is no class number"),
        ("c.json", "{}", "is no class number"),
        ("c.txt", "\n\n", "names no category"),
    ],
)
def test_names_of_classes_in_another_form_are_refused(kitti, name, text, message):
    (kitti / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_mots_png(ConvertRequest(source=kitti, categories=kitti / name))


def test_pngs_of_plain_ids_are_refused_with_the_format_that_reads_them(kitti):
    add_frames(kitti / "image_02" / "0003", ["000000.png"])
    add_png(kitti / "instances" / "0003" / "000000.png", squares(_7=(2, 3), dtype=np.uint8))
    with pytest.raises(UserError, match="0003: the ids in its PNGs are below 1000, without a class .*format png"):
        read_kitti_mots_png(ConvertRequest(source=kitti))


def test_a_damaged_png_and_one_of_another_size_are_named(kitti):
    path = kitti / "instances" / "0002" / "000001.png"
    add_png(path, np.zeros((SIZE[0] + 1, SIZE[1]), np.uint16))
    with pytest.raises(UserError, match=r"000001\.png is 30x21, frame .*000000\.png is 30x20"):
        read_kitti_mots_png(ConvertRequest(source=kitti))
    add_png(path, np.random.default_rng(0).integers(1000, 1009, SIZE, dtype=np.uint16))
    path.write_bytes(path.read_bytes()[:80])
    with pytest.raises(UserError, match=r"000001\.png cannot be read as a PNG"):
        read_kitti_mots_png(ConvertRequest(source=kitti))


def test_missing_folders_of_images_are_said(kitti, tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist .--frames"):
        read_kitti_mots_png(ConvertRequest(source=kitti, frames=tmp_path / "nowhere"))
    (kitti / "image_02").rename(kitti / "elsewhere")
    with pytest.raises(UserError, match="no folder of images is near .*: name it by --frames"):
        read_kitti_mots_png(ConvertRequest(source=kitti))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no video of .*instances has images in .*empty"):
        read_kitti_mots_png(ConvertRequest(source=kitti, frames=tmp_path / "empty"))
