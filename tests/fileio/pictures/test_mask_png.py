import numpy as np
import pytest
from PIL import Image
from published_sets import add_palette_png, add_png, colours

from mmdet.errors import UserError
from mmdet.fileio.pictures.mask_png import is_shown, read_colours, read_ids

SIZE = (6, 9)
RNG = np.random.default_rng(0)


def test_16_bits_of_grey_are_read_whole(tmp_path):
    ids = RNG.integers(0, 2**16, SIZE, dtype=np.uint16)
    assert np.array_equal(read_ids(add_png(tmp_path / "a.png", ids)), ids)


def test_8_bits_and_palettes_stay_8_bits(tmp_path):
    ids = RNG.integers(0, 256, SIZE, dtype=np.uint8)
    for path in (add_png(tmp_path / "a.png", ids), add_palette_png(tmp_path / "b.png", ids)):
        assert read_ids(path).dtype == np.uint8
        assert np.array_equal(read_ids(path), ids)


def test_colours_are_numbers_of_red_green_and_blue_whatever_alpha_is(tmp_path):
    ids = RNG.integers(0, 2**24, SIZE)
    for alpha in (None, 0, 130, 255):
        assert np.array_equal(read_colours(add_png(tmp_path / "a.png", colours(ids, alpha))), ids)


def test_alpha_may_be_part_of_the_number(tmp_path):
    ids = RNG.integers(0, 2**24, SIZE)
    for alpha in (0, 130, 255):
        path = add_png(tmp_path / "a.png", colours(ids, alpha))
        assert np.array_equal(read_colours(path, alpha=True), ids + (alpha << 24))
    with pytest.raises(UserError, match="mode RGB with 8 bits per value, expected red, green, blue and alpha"):
        read_colours(add_png(tmp_path / "b.png", colours(ids)), alpha=True)


def test_a_palette_may_stand_for_colours(tmp_path):
    ids = np.array([[0, 1], [2, 3]])
    read = read_colours(add_palette_png(tmp_path / "a.png", ids))
    assert read.tolist() == [[0, 128], [128 << 8, 128 + (128 << 8)]]


@pytest.mark.parametrize("pixels", [np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint16)])
def test_grey_is_no_colour(tmp_path, pixels):
    with pytest.raises(UserError, match="expected colours of 8 bits per value"):
        read_colours(add_png(tmp_path / "a.png", pixels))


def test_colours_are_no_ids(tmp_path):
    with pytest.raises(UserError, match="mode RGBA with 8 bits per value, expected a palette or grey"):
        read_ids(add_png(tmp_path / "a.png", np.zeros((*SIZE, 4), np.uint8)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_is_not_black_is_shown_in_any_kind_of_png(tmp_path, mode):
    shown = np.zeros(SIZE, np.uint8)
    shown[2:4, 3:7] = 1
    image = Image.fromarray(shown * 255)
    if mode == "P":
        add_palette_png(tmp_path / "a.png", shown * 3)
    elif mode == "I;16":
        add_png(tmp_path / "a.png", shown.astype(np.uint16) * 300)
    else:
        image.convert(mode).save(tmp_path / "a.png")
    assert np.array_equal(is_shown(tmp_path / "a.png"), shown)


@pytest.mark.parametrize("read", [read_ids, read_colours, is_shown])
@pytest.mark.parametrize("length", [0, 25, 60])
def test_a_damaged_png_is_named(tmp_path, read, length):
    ids = RNG.integers(0, 2**16, SIZE, dtype=np.uint16)
    path = add_png(tmp_path / "a.png", colours(ids) if read is read_colours else ids)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"a\.png cannot be read as a PNG"):
        read(path)
