import numpy as np
import pytest
from published_sets import SIZE, add_frames, assert_masks, counts, squares

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.mots_txt import read_kitti_mots_txt, read_mots_txt
from mmdet.errors import UserError

HEIGHT, WIDTH = SIZE


def line(frame, number, mask, class_number=None):
    class_number = number // 1000 if class_number is None else class_number
    return f"{frame} {number} {class_number} {HEIGHT} {WIDTH} {counts(mask)}\n"


def square(x, y):
    return squares(_1=(x, y)) > 0


def read(root, *lines, num_frames=4, **options):
    """Read a KITTI-MOTS text of one video, whose frames count from 0."""
    add_frames(root / "image_02" / "0002", [f"{frame:06d}.png" for frame in range(num_frames)])
    (root / "instances_txt").mkdir(exist_ok=True)
    (root / "instances_txt" / "0002.txt").write_text("".join(lines))
    return read_kitti_mots_txt(ConvertRequest(source=root / "instances_txt", **options))


def test_every_id_is_an_object_over_gaps(tmp_path):
    conversion = read(tmp_path, line(0, 1005, square(2, 3)), line(1, 2005, square(8, 3)), line(2, 1005, square(12, 8)))
    car, pedestrian = conversion.data.tracks
    assert conversion.frames == tmp_path / "image_02"
    assert (car.category_id, pedestrian.category_id) == (1, 2)
    assert_masks(car, [square(2, 3), None, square(12, 8), None])
    assert_masks(pedestrian, [None, square(8, 3), None, None])


def test_lines_may_be_in_any_order_and_frames_without_one_show_nothing(tmp_path):
    conversion = read(tmp_path, line(2, 1001, square(2, 3)), "\n", line(0, 1001, square(4, 3)))
    assert conversion.data.videos[0].annotated_frames is None
    assert conversion.notes == ("frames without a line, which show nothing: 2",)
    assert_masks(conversion.data.tracks[0], [square(4, 3), None, square(2, 3), None])


def test_an_ignore_region_is_a_crowd_of_every_category(tmp_path):
    data = read(tmp_path, line(1, 10000, square(20, 10), 10)).data
    assert [(track.category_id, track.is_crowd) for track in data.tracks] == [(1, True), (2, True)]
    assert_masks(data.tracks[0], [None, square(20, 10), None, None])


def test_an_id_of_several_classes_is_one_object_of_its_most_frequent_class(tmp_path):
    lines = [line(0, 1005, square(2, 3), 1), line(1, 1005, square(4, 3), 2), line(2, 1005, square(6, 3), 2)]
    conversion = read(tmp_path, *lines)
    (track,) = conversion.data.tracks
    assert track.category_id == 2
    assert_masks(track, [square(2, 3), square(4, 3), square(6, 3), None])
    assert "objects of several categories, each is what it is most often: 1" in conversion.notes


def test_an_id_that_occurs_twice_in_a_frame_has_both_masks(tmp_path):
    conversion = read(tmp_path, line(0, 1005, square(2, 3)), line(0, 1005, square(12, 8)))
    assert_masks(conversion.data.tracks[0], [square(2, 3) | square(12, 8), None, None, None])
    assert "masks that repeat an object in one frame, joined: 1" in conversion.notes


def test_masks_of_no_pixel_are_left_out(tmp_path):
    conversion = read(tmp_path, line(0, 1005, square(2, 3)), line(1, 1005, np.zeros(SIZE, bool)))
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("masks", 1, "they have no pixel: line 2 of 0002")
    assert conversion.read["masks"] == 2


def test_masks_of_frames_that_do_not_exist_are_left_out_and_named(tmp_path):
    conversion = read(tmp_path, line(0, 1005, square(2, 3)), line(9, 1005, square(2, 3)))
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("masks", 1, "no frame has their number: line 2 of 0002")


def test_a_video_none_of_whose_frames_exist_is_left_out_and_named(tmp_path):
    add_frames(tmp_path / "image_02" / "0003", ["000000.png"])
    (tmp_path / "instances_txt").mkdir()
    (tmp_path / "instances_txt" / "0003.txt").write_text(line(700, 1001, square(2, 3)))
    (tmp_path / "instances_txt" / "0007.txt").write_text(line(0, 1001, square(2, 3)))
    conversion = read(tmp_path, line(0, 1005, square(2, 3)))
    assert [video.file_names[0] for video in conversion.data.videos] == ["0002/000000.png"]
    assert [(left.what, left.why) for left in conversion.left_out] == [
        ("videos", "none of their lines has a frame of its number: 0003"),
        ("videos", f"no images in {tmp_path / 'image_02'}: 0007"),
    ]


def test_an_empty_text_is_a_video_that_shows_nothing(tmp_path):
    conversion = read(tmp_path)
    assert len(conversion.data.videos) == 1
    assert conversion.data.tracks == []
    assert conversion.data.videos[0].annotated_frames is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1005 1 20 30\n", r"0002\.txt:1: '0 1005 1 20 30' is no line of MOTS, expected: frame id class"),
        ("0 1005 car 20 30 abc\n", r"0002\.txt:1: .* is no line of MOTS"),
        ("-1 1005 1 20 30 abc\n", r"0002\.txt:1: .* is no line of MOTS"),
        ("0 1005 1 30 20 abc\n", r"0002\.txt:1: the mask is 20x30, the frames of its video are 30x20"),
        ("0 1005 1 20 30 abc~\n", r"0002\.txt:1: the mask cannot be decoded: "),
        ("0 1005 1 20 30 51\n", r"0002\.txt:1: the mask cannot be decoded: counts cover"),
    ],
)
def test_lines_of_another_form_are_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_a_text_in_another_encoding_is_named(tmp_path):
    read(tmp_path)
    (tmp_path / "instances_txt" / "0002.txt").write_bytes(b"\xff\xfe0 1")
    with pytest.raises(UserError, match=r"0002\.txt cannot be read as a text of MOTS"):
        read_kitti_mots_txt(ConvertRequest(source=tmp_path / "instances_txt"))


def test_frames_need_numbers_as_names(tmp_path):
    add_frames(tmp_path / "image_02" / "0002", ["first.png"])
    with pytest.raises(UserError, match=r"frame .*first\.png: its name is no number"):
        read(tmp_path, line(0, 1005, square(2, 3)), num_frames=1)


@pytest.mark.parametrize("source", ["train", "train/MOTS20-02", "train/MOTS20-02/gt/gt.txt"])
def test_the_layout_of_mot_challenge_is_read_from_any_of_its_folders(tmp_path, source):
    video = tmp_path / "train" / "MOTS20-02"
    add_frames(video / "img1", ["000001.jpg", "000002.jpg"])
    (video / "gt").mkdir()
    (video / "gt" / "gt.txt").write_text(line(1, 2001, square(2, 3)) + line(2, 2001, square(4, 3)))
    conversion = read_mots_txt(ConvertRequest(source=tmp_path / source))
    assert conversion.frames == tmp_path / "train"
    assert conversion.data.videos[0].file_names == ["MOTS20-02/img1/000001.jpg", "MOTS20-02/img1/000002.jpg"]
    assert_masks(conversion.data.tracks[0], [square(2, 3), square(4, 3)])


def test_the_frames_of_a_single_text_may_lie_without_a_folder(tmp_path):
    add_frames(tmp_path / "frames", ["1.jpg"])
    (tmp_path / "a.txt").write_text(line(1, 2001, square(2, 3)))
    conversion = read_mots_txt(ConvertRequest(source=tmp_path / "a.txt", frames=tmp_path / "frames"))
    assert conversion.data.videos[0].file_names == ["1.jpg"]


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no texts of MOTS: expected .*VIDEO.txt or .*gt/gt.txt"):
        read_mots_txt(ConvertRequest(source=tmp_path, frames=tmp_path))
