import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet.errors import UserError
from mmdet.fileio.pictures import image_decoding
from mmdet.fileio.pictures.image_decoding import read_image

KINDS = ["jpg", "jfif", "png", "bmp", "webp", "tif", "ppm", "gif", "avif"]
FORMATS = {"jpg": "jpeg", "jfif": "jpeg", "tif": "tiff"}
# upright pictures of what is stored (EXIF 2.3, 4.6.4): where its first row and its first column lie
UPRIGHT = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: lambda image: np.rot90(image),
}


@pytest.fixture
def photo():
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (9, 9), 3)


def encoded(image, kind, **settings):
    file = io.BytesIO()
    Image.fromarray(image).save(file, FORMATS.get(kind, kind), **settings)
    return file.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_kind_are_read_as_rgb(tmp_path, kind):
    image = np.zeros((32, 48, 3), np.uint8)
    image[..., 0], image[..., 2] = 200, 20  # red
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encoded(image, kind))
    frame = read_image(path, (32, 48))
    assert frame.dtype == np.uint8
    assert np.abs(frame.astype(int) - image).max() <= 12


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_has_the_very_values_that_opencv_decodes(tmp_path, photo, sampling, progressive):
    """The published numbers were measured with them."""
    data = encoded(photo, "jpg", subsampling=sampling, progressive=progressive, quality=80)
    (tmp_path / "a.jpg").write_bytes(data)
    assert np.array_equal(read_image(tmp_path / "a.jpg"), cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_grey_palettes_and_transparent_images_become_rgb(tmp_path, photo, mode):
    kind = "jpg" if mode == "CMYK" else "png"
    Image.fromarray(photo).convert(mode).save(tmp_path / f"a.{kind}")
    data = (tmp_path / f"a.{kind}").read_bytes()
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(read_image(tmp_path / f"a.{kind}"), expected)


def damaged(tmp_path, kind, data):
    path = tmp_path / f"bad.{kind}"
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"bad.{kind} is damaged or no image \({len(data)} bytes\); copy it anew"):
        read_image(path)


@pytest.mark.parametrize("progressive", [False, True])
def test_half_a_jpeg_with_an_end_marker_is_damaged(tmp_path, photo, progressive):
    data = encoded(photo, "jpg", progressive=progressive)
    damaged(tmp_path, "jpg", data[: len(data) // 2] + b"\xff\xd9")


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "gif"])
def test_a_file_whose_second_half_is_zeros_is_damaged(tmp_path, photo, kind):
    data = encoded(photo, kind, **({"compression": "tiff_lzw"} if kind == "tif" else {}))
    damaged(tmp_path, kind, data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lost", [5, 0.5, 0.9])
def test_a_cut_off_file_of_any_kind_is_damaged(tmp_path, photo, kind, lost):
    data = encoded(photo, kind)
    damaged(tmp_path, kind, data[: len(data) - (lost if isinstance(lost, int) else int(len(data) * lost))])


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_a_flipped_byte_is_found_where_the_format_has_checksums(tmp_path, photo, kind):
    data = bytearray(encoded(photo, kind, **({"compression": "tiff_adobe_deflate"} if kind == "tif" else {})))
    data[len(data) // 2] ^= 0x5A
    damaged(tmp_path, kind, bytes(data))


def test_flipped_bytes_of_a_jpeg_are_found_where_its_code_breaks(tmp_path, photo):
    """One byte may stand for another sound picture; of twenty most break the code."""
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        data = bytearray(encoded(photo, "jpg"))
        for place in rng.integers(700, len(data) - 2, 20):
            data[place] ^= int(rng.integers(1, 256))
        (tmp_path / "a.jpg").write_bytes(data)
        try:
            read_image(tmp_path / "a.jpg")
        except UserError:
            found += 1
    assert found >= 15


def test_a_jpeg_with_a_byte_too_many_before_its_end_is_read(tmp_path, photo):
    """As some cameras write them; no pixel depends on it."""
    data = encoded(photo, "jpg")
    (tmp_path / "a.jpg").write_bytes(data[:-2] + b"\x55" + data[-2:])
    assert read_image(tmp_path / "a.jpg").shape == (90, 120, 3)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_frame_unless_the_json_has_the_size_of_the_stored_one(tmp_path, kind, orientation):
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :24], stored[16:, :24, 1] = 255, 128  # no turn leaves it as it is
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encoded(stored, kind, exif=exif(orientation), **({"lossless": True} if kind == "webp" else {})))
    upright = UPRIGHT[orientation](stored)
    assert np.abs(read_image(path).astype(int) - upright).mean() < 2
    assert np.abs(read_image(path, upright.shape[:2]).astype(int) - upright).mean() < 2
    if orientation > 4:
        assert np.abs(read_image(path, (32, 48)).astype(int) - stored).mean() < 2


def test_a_size_that_differs_in_spite_of_exif_is_told_with_it(tmp_path, photo):
    (tmp_path / "a.jpg").write_bytes(encoded(photo, "jpg", exif=exif(6)))
    with pytest.raises(UserError, match=r"a.jpg is 90x120 \(120x90 before its EXIF orientation turns it\), .* 60x45"):
        read_image(tmp_path / "a.jpg", (45, 60))


@pytest.mark.parametrize("kind", ["png", "tif", "ppm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_twelve_bits_in_sixteen_are_scaled_by_their_range(tmp_path, kind, channels):
    shape = (8, 8, 3) if channels == 3 else (8, 8)
    values = np.random.default_rng(0).integers(0, 4096, shape).astype(np.uint16)
    values.flat[0] = 4095
    path = tmp_path / f"a.{'pgm' if kind == 'ppm' and channels == 1 else kind}"
    cv2.imwrite(str(path), values if channels == 1 else values[..., ::-1])
    frame = read_image(path)
    assert np.array_equal(frame, np.broadcast_to(values[..., None] >> 4, frame.shape) if channels == 1 else values >> 4)


def test_all_sixteen_bits_lose_the_lower_half(tmp_path):
    values = np.array([[0, 255, 256, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 0, 1, 255]


def test_the_deep_frames_of_a_folder_share_one_range(tmp_path):
    """A dark frame between light ones does not flicker."""
    image_decoding._bits_of_folder.cache_clear()
    for index, value in enumerate((3000, 100, 900)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((8, 8), value, np.uint16))
    assert [int(read_image(tmp_path / f"{index}.png").max()) for index in range(3)] == [187, 6, 56]


def test_floating_point_values_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((8, 8, 3), np.float32))
    with pytest.raises(UserError, match="a.tif has values of type float32; save it with 8 or 16 bits"):
        read_image(tmp_path / "a.tif")
