import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet.errors import UserError
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.fileio.pictures.images import IMAGE_ENDINGS, MAX_PIXELS, header_of, is_image_name, list_folder


def claim(path, width, height):
    """Write a PNG whose header, right in itself, states a size that its few bytes cannot fill."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    return path


def test_a_folder_is_listed_by_the_values_of_numbers_without_hidden_files(tmp_path):
    for name in ("frame10.jpg", "frame2.jpg", "frame1.jpg", "._frame1.jpg", ".DS_Store"):
        (tmp_path / name).touch()
    assert [path.name for path in list_folder(tmp_path, "folder")] == ["frame1.jpg", "frame2.jpg", "frame10.jpg"]


def test_the_endings_of_images_are_known_in_any_case(tmp_path):
    assert all(is_image_name(tmp_path / f"a{ending.upper()}") for ending in IMAGE_ENDINGS)
    assert not is_image_name(tmp_path / "labels.txt")


@pytest.mark.parametrize("size", [(60_000, 60_000), (12_000, 12_000)])
def test_a_huge_image_is_refused_by_its_header(tmp_path, size):
    with pytest.raises(UserError, match=rf"a.png is too large: .* pixels, .*; images of up to {MAX_PIXELS} pixels"):
        read_image(claim(tmp_path / "a.png", *size))


def test_an_image_of_another_size_than_the_json_says_is_refused_by_its_header(tmp_path):
    """It is not decoded: 10,000 x 10,000 pixels would be 300 MB."""
    with pytest.raises(UserError, match="a.png is 10000x10000, its annotation file says 40x30"):
        read_image(claim(tmp_path / "a.png", 10_000, 10_000), (30, 40))


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
def test_a_header_tells_the_stored_and_the_upright_size(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / f"a.{kind}", exif=exif)
    header = header_of(tmp_path / f"a.{kind}")
    assert (header.stored, header.upright, header.orientation, header.bits) == ((30, 40), (40, 30), 6, 8)


@pytest.mark.parametrize("kind", ["png", "tif", "ppm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_header_tells_that_an_image_is_deep(tmp_path, kind, channels):
    shape = (30, 40, 3) if channels == 3 else (30, 40)
    path = tmp_path / f"a.{'pgm' if kind == 'ppm' and channels == 1 else kind}"
    cv2.imwrite(str(path), np.full(shape, 4000, np.uint16))
    assert header_of(path).bits == 16
