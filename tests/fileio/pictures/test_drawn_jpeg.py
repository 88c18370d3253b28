"""Drawings are told from other pictures by a comment in the file."""

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.fileio.pictures.drawn_jpeg import encode_drawing, is_drawing, refuse_foreign

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_a_drawing_is_marked_and_its_pixels_are_as_without_the_mark(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_drawing(PICTURE, 90))
    plain = tmp_path / "b.jpg"
    cv2.imwrite(str(plain), PICTURE[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    np.testing.assert_array_equal(cv2.imread(str(path)), cv2.imread(str(plain)))
    assert path.read_bytes()[:11] == plain.read_bytes()[:11]  # the header of JFIF comes first
    assert is_drawing(path)
    assert not is_drawing(plain)
    assert not is_drawing(tmp_path / "missing.jpg")


def test_what_is_no_drawing_is_not_written_over(tmp_path):
    drawing, photo = tmp_path / "a.jpg", tmp_path / "b.jpg"
    drawing.write_bytes(encode_drawing(PICTURE, 90))
    refuse_foreign([drawing, photo, tmp_path / "missing" / "c.jpg"])
    photo.write_bytes(b"somebody else's")
    with pytest.raises(UserError, match=r"b.jpg is not a drawing of this program"):
        refuse_foreign([drawing, photo])


def test_a_picture_larger_than_a_jpeg_can_be_is_named():
    with pytest.raises(UserError, match="70000x1 is larger than a JPEG"):
        encode_drawing(np.zeros((1, 70_000, 3), np.uint8), 90)
