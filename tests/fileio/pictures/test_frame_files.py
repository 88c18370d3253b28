import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.fileio.pictures.frame_files import frame_path, missing_frames
from mmdet.fileio.pictures.image_decoding import read_image


@pytest.fixture
def picture():
    image = np.zeros((30, 40, 3), np.uint8)
    image[..., 0] = 200  # red in RGB
    image[10:20, 10:20] = 255
    return image


def test_a_frame_is_read_as_rgb(tmp_path, picture):
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    frame = read_image(tmp_path / "a.png")
    assert frame.dtype == np.uint8
    assert np.array_equal(frame, picture)


def test_a_jpeg_is_read(tmp_path, picture):
    cv2.imwrite(str(tmp_path / "a.jpg"), picture[..., ::-1])
    assert read_image(tmp_path / "a.jpg", (30, 40)).shape == (30, 40, 3)


def test_a_grey_image_has_three_channels(tmp_path, picture):
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., 0])
    assert read_image(tmp_path / "a.png").shape == (30, 40, 3)


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.98])
def test_a_cut_off_image_is_an_error_with_its_path(tmp_path, kind, share):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    data = cv2.imencode(kind, noise)[1].tobytes()
    path = tmp_path / f"cut{kind}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=f"cut{kind} is damaged or no image"):
        read_image(path)


def test_a_jpeg_with_bytes_behind_its_end_is_read(tmp_path, picture):
    path = tmp_path / "a.jpg"
    path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes() + b"\0" * 50)
    assert read_image(path).shape == (30, 40, 3)


def test_a_cut_off_jpeg_with_a_whole_one_inside_is_an_error(tmp_path, picture):
    """A preview, as cameras store one in front."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    preview, data = (cv2.imencode(".jpg", image)[1].tobytes() for image in (picture, noise))
    comment = b"\xff\xfe" + (len(preview) + 2).to_bytes(2, "big") + preview
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + comment + data[2:])
    assert read_image(path).shape == (60, 80, 3)
    path.write_bytes(data[:2] + comment + data[2 : len(data) // 2])
    with pytest.raises(UserError, match="a.jpg is damaged or no image"):
        read_image(path)


def test_a_file_that_is_no_image_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>not found</html>")
    with pytest.raises(UserError, match="a.jpg is damaged or no image"):
        read_image(tmp_path / "a.jpg")


def test_a_missing_frame_is_an_error(tmp_path):
    with pytest.raises(UserError, match="none.jpg cannot be read: No such file"):
        read_image(tmp_path / "none.jpg")


def test_another_size_than_the_json_says_is_an_error(tmp_path, picture):
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    with pytest.raises(UserError, match="a.png is 40x30, its annotation file says 30x40"):
        read_image(tmp_path / "a.png", (40, 30))


def test_missing_frames_are_listed_in_order(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "1.jpg").touch()
    paths = [str(tmp_path / name) for name in ("w/0.jpg", "v/2.jpg", "v/1.jpg", "v/0.jpg")]
    assert missing_frames(paths) == [paths[0], paths[1], paths[3]]


@pytest.mark.parametrize("name", ["/etc/passwd", "//etc/passwd", "../x.jpg", "v/../../x.jpg", "..", "./../x.jpg"])
def test_a_name_that_leaves_the_image_folder_is_refused(name):
    with pytest.raises(UserError, match="leads out of the image folder"):
        frame_path("images", name)


def test_a_name_with_a_zero_byte_is_refused():
    with pytest.raises(UserError, match="zero byte"):
        frame_path("images", "v/\0.jpg")


@pytest.mark.parametrize("name", ["v/0.jpg", "..v/0.jpg", "v..jpg", "./v/0.jpg"])
def test_a_name_inside_the_image_folder_is_joined(name):
    assert frame_path("images", name) == f"images/{name}"


def test_a_frame_behind_a_linked_folder_is_read(tmp_path, picture):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "elsewhere" / "0.png"), picture)
    (tmp_path / "images" / "v").symlink_to(tmp_path / "elsewhere")
    assert read_image(frame_path(tmp_path / "images", "v/0.png")).shape == (30, 40, 3)


def test_dots_do_not_lead_out_through_a_link(tmp_path, picture):
    (tmp_path / "elsewhere" / "v").mkdir(parents=True)
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "elsewhere" / "secret.png"), picture)
    (tmp_path / "images" / "v").symlink_to(tmp_path / "elsewhere" / "v")
    assert frame_path("images", "v/../secret.png") == "images/secret.png"
    with pytest.raises(UserError, match="cannot be read"):
        read_image(frame_path(tmp_path / "images", "v/../secret.png"))
