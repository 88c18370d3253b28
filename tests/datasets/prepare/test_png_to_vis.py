import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet.datasets import VISDataset, load_vis_json
from mmdet.datasets.prepare.png_to_vis import convert_pngs
from mmdet.errors import UserError
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.fileio.pictures.mask_png import read_ids
from mmdet.ops.masks.segmentations import decode_segmentation

MAIN = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "png_to_vis.py"))["main"]
SIZE = (20, 30)


def ids_image(**squares):
    """An index image with a square of 5 pixels for each `_ID=(x, y)`."""
    ids = np.zeros(SIZE, np.uint8)
    for name, (x, y) in squares.items():
        ids[y : y + 5, x : x + 5] = int(name[1:])
    return ids


class PngSet:
    """Folders of frames and of palette PNGs."""

    def __init__(self, folder):
        self.folder, self.images, self.annotations = folder, folder / "JPEGImages", folder / "Annotations"

    def add_image(self, video, name="00000.jpg", size=SIZE):
        path = self.images / video / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))
        return path

    def add_png(self, video, ids, name="00000.png", mode="P"):
        path = self.annotations / video / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(ids)
        if mode == "P":
            image = Image.frombytes("P", image.size, ids.tobytes())
            image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [7] * 756)
        image.save(path)
        return path

    def convert(self, **options):
        return convert_pngs(self.images, self.annotations, **options)


@pytest.fixture
def pngs(tmp_path):
    return PngSet(tmp_path)


@pytest.fixture
def two_objects(pngs):
    """Video dog: objects 1 and 4 in frame 0, only 4 in frame 1, no PNG for frame 2."""
    for frame in range(3):
        pngs.add_image("dog", f"{frame:05d}.jpg")
    pngs.add_png("dog", ids_image(_1=(2, 3), _4=(12, 8)))
    pngs.add_png("dog", ids_image(_4=(14, 9)), "00001.png")
    return pngs


def test_every_object_id_is_a_track_of_its_video(two_objects):
    data = two_objects.convert().data
    assert [(video.size, video.file_names) for video in data.videos] == [
        (SIZE, ["dog/00000.jpg", "dog/00001.jpg", "dog/00002.jpg"])
    ]
    first, second = data.tracks
    assert first.boxes == [(2, 3, 5, 5), None, None]
    assert second.boxes == [(12, 8, 5, 5), (14, 9, 5, 5), None]
    assert second.areas == [25.0, 25.0, None]
    mask = decode_segmentation(second.segmentations[1], SIZE)
    assert np.array_equal(mask, ids_image(_4=(14, 9)) == 4)


def test_without_names_all_objects_are_of_one_category(two_objects):
    assert [c.name for c in two_objects.convert().data.categories] == ["object"]
    assert [c.name for c in two_objects.convert(category="animal").data.categories] == ["animal"]


def test_names_give_categories_in_the_order_of_the_alphabet(two_objects):
    names = {"dog": {"1": "person", "4": "dog"}, "elsewhere": {"1": "cat"}}
    data = two_objects.convert(names=names).data
    assert [(c.category_id, c.name) for c in data.categories] == [(1, "cat"), (2, "dog"), (3, "person")]
    assert [track.category_id for track in data.tracks] == [3, 2]


def test_an_object_without_a_name_is_an_error(two_objects):
    with pytest.raises(UserError, match="none for object 4 of video 'dog'; they name 1"):
        two_objects.convert(names={"dog": {"1": "person"}})


def test_void_is_nothing(pngs):
    pngs.add_image("a")
    pngs.add_png("a", ids_image(_1=(2, 3), _255=(10, 3)))
    assert len(pngs.convert().data.tracks) == 1


def test_masks_of_0_and_255_need_to_be_called_binary(pngs):
    pngs.add_image("a")
    pngs.add_png("a", ids_image(_255=(10, 3)), mode="L")
    with pytest.raises(UserError, match="hold only 0 and 255 .*--binary"):
        pngs.convert()
    assert pngs.convert(binary=True).data.tracks[0].boxes == [(10, 3, 5, 5)]


def test_grey_and_palette_pngs_read_the_same(pngs):
    ids = ids_image(_1=(2, 3), _4=(12, 8))
    assert np.array_equal(read_ids(pngs.add_png("a", ids)), ids)
    assert np.array_equal(read_ids(pngs.add_png("a", ids, mode="L")), ids)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_palettes_keep_their_indices(pngs, bits):
    ids = ids_image(_1=(2, 3)) if bits == 1 else ids_image(_1=(2, 3), _3=(12, 8))
    path = pngs.add_png("a", ids)
    Image.open(path).save(path, bits=bits)
    assert path.read_bytes()[24] == bits
    assert np.array_equal(read_ids(path), ids)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((*SIZE, 3), np.uint8), "mode RGB with 8 bits per value, expected a palette"),
        (np.zeros(SIZE, np.uint16), "with 16 bits per value, expected a palette"),
    ],
)
def test_colours_and_16_bits_are_refused(pngs, image, message):
    pngs.add_image("a")
    pngs.add_png("a", image, mode="any")
    with pytest.raises(UserError, match=message):
        pngs.convert()


@pytest.mark.parametrize("keep", [0, 30, 60])
def test_damaged_pngs_are_named(pngs, keep):
    pngs.add_image("a")
    path = pngs.add_png("a", np.random.default_rng(0).integers(0, 9, SIZE, dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"a/00000\.png cannot be read as a PNG"):
        pngs.convert()


def test_a_png_of_another_size_is_an_error(pngs):
    pngs.add_image("a", size=(40, 30))
    pngs.add_png("a", ids_image(_1=(2, 3)))
    with pytest.raises(UserError, match=r"00000\.png is 30x20, frame .*00000\.jpg is 30x40"):
        pngs.convert()


def test_a_png_without_a_frame_is_an_error(two_objects):
    two_objects.add_png("dog", ids_image(_1=(2, 3)), "00007.png")
    with pytest.raises(UserError, match=r"00007\.png has no frame: .*dog has no image named 00007"):
        two_objects.convert()


def test_frames_are_in_the_order_of_their_numbers(pngs):
    for name in ("frame10.jpg", "frame9.jpg", "frame100.jpg"):
        pngs.add_image("a", name)
    pngs.add_png("a", ids_image(_1=(2, 3)), "frame9.png")
    data = pngs.convert().data
    assert data.videos[0].file_names == ["a/frame9.jpg", "a/frame10.jpg", "a/frame100.jpg"]
    assert data.tracks[0].boxes == [(2, 3, 5, 5), None, None]


def test_two_images_of_one_name_are_an_error(pngs):
    pngs.add_image("a", "00000.jpg")
    pngs.add_image("a", "00000.png")
    pngs.add_png("a", ids_image(_1=(2, 3)))
    with pytest.raises(UserError, match="two images of one name"):
        pngs.convert()


def test_missing_folders_images_and_pngs_are_said(pngs):
    with pytest.raises(UserError, match="folder of videos .*JPEGImages does not exist"):
        pngs.convert()
    pngs.images.mkdir()
    with pytest.raises(UserError, match="has no folder with images"):
        pngs.convert()
    pngs.add_image("a")
    with pytest.raises(UserError, match="folder of PNGs .*Annotations does not exist"):
        pngs.convert()
    pngs.annotations.mkdir()
    with pytest.raises(UserError, match="has no PNG for any video"):
        pngs.convert()


def test_the_tool_says_what_has_no_masks_and_what_no_images(two_objects, capsys):
    two_objects.add_png("cat", ids_image(_1=(2, 3)))
    cats = two_objects.folder / "cats.json"
    cats.write_text(json.dumps({"dog": {"1": "person", "4": "dog"}}))
    out = two_objects.folder / "out.json"
    code = MAIN([str(two_objects.images), str(two_objects.annotations), "--out", str(out), "--categories", str(cats)])
    text = capsys.readouterr().out
    assert code == 0
    assert "1 videos, 2 tracks, 2 categories" in text
    assert "without a PNG, so not annotated (--missing-is-empty: with nothing): 1 of 3 frames" in text
    assert "have no images: cat" in text
    assert len(VISDataset(str(out), str(two_objects.images), [])) == 2
    assert len(load_vis_json(out).tracks) == 2


@pytest.mark.parametrize("text", ["[]", '{"dog": "cat"}', '{"dog": {"1": 5}}', "{}"])
def test_categories_of_another_form_end_with_2(two_objects, capsys, text):
    cats = two_objects.folder / "cats.json"
    cats.write_text(text)
    folders = [str(two_objects.images), str(two_objects.annotations)]
    assert MAIN([*folders, "--out", str(two_objects.folder / "o.json"), "--categories", str(cats)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def _turn(path, orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    with Image.open(path) as image:
        image.save(path, exif=tags)


@pytest.mark.parametrize("drawn_on", ["stored", "upright"])
def test_masks_and_frames_that_exif_turns_have_one_size(pngs, drawn_on):
    """The frames are read as the size of the json says, so upright or as stored like the masks."""
    frame = pngs.add_image("dog")
    _turn(frame, 6)
    ids = ids_image(_1=(2, 3)) if drawn_on == "stored" else ids_image(_1=(2, 3)).T.copy()
    pngs.add_png("dog", ids)
    (video,) = pngs.convert().data.videos
    assert video.size == ids.shape
    assert read_image(frame, video.size).shape[:2] == ids.shape


def test_images_of_any_kind_that_is_read_are_frames(pngs):
    for name in ("1.tif", "2.jfif", "10.ppm", "3.gif"):
        (pngs.images / "dog").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(pngs.images / "dog" / name)
    pngs.add_png("dog", ids_image(_1=(2, 3)), "1.png")
    (video,) = pngs.convert().data.videos
    assert video.file_names == ["dog/1.tif", "dog/2.jfif", "dog/3.gif", "dog/10.ppm"]


def test_frames_without_a_png_are_not_annotated(two_objects, capsys):
    out = two_objects.folder / "out.json"
    arguments = [str(two_objects.images), str(two_objects.annotations), "--out", str(out)]
    assert MAIN(arguments) == 0
    (video,) = load_vis_json(out).videos
    assert video.annotated_frames == (0, 1)
    assert MAIN([*arguments, "--missing-is-empty"]) == 0
    assert load_vis_json(out).videos[0].annotated_frames is None
    assert "with nothing in them: 1 of 3 frames" in capsys.readouterr().out
