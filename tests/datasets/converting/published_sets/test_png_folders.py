import json

import numpy as np
import pytest
from PIL import Image
from published_sets import SIZE, add_frames, add_palette_png, add_png, assert_masks, squares

from mmdet.datasets.converting.conversion import ConvertRequest
from mmdet.datasets.converting.published_sets.png_folders import (
    read_davis_2016,
    read_davis_2017,
    read_png,
    read_youtube_vos,
)
from mmdet.errors import UserError
from mmdet.fileio.pictures.image_decoding import read_image
from mmdet.fileio.pictures.mask_png import read_ids
from mmdet.ops.masks.segmentations import decode_segmentation


def ids_image(**places):
    return squares(dtype=np.uint8, **places)


class PngSet:
    """Folders of frames and of palette PNGs."""

    def __init__(self, folder):
        self.folder, self.images, self.annotations = folder, folder / "JPEGImages", folder / "Annotations"

    def add_image(self, video, name="00000.jpg", size=SIZE):
        add_frames(self.images / video, [name], size)
        return self.images / video / name

    def add_png(self, video, ids, name="00000.png", mode="P"):
        return (add_palette_png if mode == "P" else add_png)(self.annotations / video / name, ids)

    def convert(self, read=read_png, names=None, **options):
        if names is not None:
            options["categories"] = self.folder / "cats.json"
            options["categories"].write_text(json.dumps(names))
        return read(ConvertRequest(source=self.annotations, **options))


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


def test_colours_are_refused(pngs):
    pngs.add_image("a")
    pngs.add_png("a", np.zeros((*SIZE, 3), np.uint8), mode="any")
    with pytest.raises(UserError, match="mode RGB with 8 bits per value, expected a palette"):
        pngs.convert()


def test_16_bits_may_hold_more_objects_and_have_no_void(pngs):
    pngs.add_image("a")
    pngs.add_png("a", squares(_255=(2, 3), _999=(12, 8)), mode="any")
    first, second = pngs.convert().data.tracks
    assert_masks(first, [squares(_1=(2, 3)) > 0])
    assert_masks(second, [squares(_1=(12, 8)) > 0])


def test_16_bits_of_classes_are_refused_with_the_format_that_reads_them(pngs):
    pngs.add_image("a")
    pngs.add_png("a", squares(_2001=(2, 3)), mode="any")
    with pytest.raises(UserError, match="ids from 1000 on, up to 2001: .*mots-png reads them"):
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


def test_a_png_without_a_frame_is_left_out_and_named(two_objects):
    two_objects.add_png("dog", ids_image(_1=(2, 3)), "00007.png")
    conversion = two_objects.convert()
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("PNGs", 1, "no frame has their name: dog/00007.png")
    assert len(conversion.data.tracks) == 2


def test_a_video_whose_pngs_are_named_otherwise_than_its_frames_is_left_out(two_objects):
    two_objects.add_image("cat", "00001.jpg")
    two_objects.add_png("cat", ids_image(_1=(2, 3)), "frame1.png")
    (left,) = two_objects.convert().left_out
    assert (left.what, left.why) == ("videos", "none of their PNGs has a frame of its name: cat")


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
    pngs.annotations.mkdir()
    with pytest.raises(UserError, match="no folder of images is near .*JPEGImages.*: name it by --frames"):
        pngs.convert()
    pngs.images.mkdir()
    with pytest.raises(UserError, match="has no PNG for any video"):
        pngs.convert()
    pngs.add_png("a", ids_image(_1=(2, 3)))
    with pytest.raises(UserError, match="no video of .*Annotations has images in .*JPEGImages"):
        pngs.convert()


def test_videos_that_have_no_images_are_left_out_and_named(two_objects):
    two_objects.add_png("cat", ids_image(_1=(2, 3)))
    conversion = two_objects.convert()
    (left,) = conversion.left_out
    assert (left.what, left.count, left.why) == ("videos", 1, f"no images in {two_objects.images}: cat")
    assert conversion.read["videos"] == 2


@pytest.mark.parametrize("names", [[], {"dog": "cat"}, {"dog": {"1": 5}}, {}])
def test_categories_of_another_form_are_refused(two_objects, names):
    with pytest.raises(UserError, match=r"cats\.json"):
        two_objects.convert(names=names)


def test_one_category_and_a_file_of_categories_exclude_each_other(two_objects):
    with pytest.raises(UserError, match="give one of both"):
        two_objects.convert(names={"dog": {"1": "a", "4": "b"}}, category="animal")


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


def test_frames_without_a_png_are_not_annotated(two_objects):
    conversion = two_objects.convert()
    assert conversion.data.videos[0].annotated_frames == (0, 1)
    assert conversion.notes == ("frames without a PNG are not annotated: 1",)
    conversion = two_objects.convert(missing_is_empty=True)
    assert conversion.data.videos[0].annotated_frames is None
    assert conversion.notes == ("frames without a PNG show nothing: 1",)


def test_the_pngs_and_frames_of_one_video_may_lie_without_a_folder(tmp_path):
    add_frames(tmp_path / "frames", ["1.jpg", "2.jpg"])
    add_palette_png(tmp_path / "masks" / "2.png", ids_image(_3=(2, 3)))
    conversion = read_png(ConvertRequest(source=tmp_path / "masks", frames=tmp_path / "frames"))
    assert conversion.data.videos[0].file_names == ["1.jpg", "2.jpg"]
    assert_masks(conversion.data.tracks[0], [None, ids_image(_3=(2, 3)) > 0])


@pytest.mark.parametrize("channels", [3, 4])
def test_davis_2016_is_one_object_however_its_pngs_are_coloured(tmp_path, channels):
    white = ids_image(_255=(2, 3))
    coloured = np.stack([white // 2] * 3 + [np.full(SIZE, 255, np.uint8)], axis=2)[..., :channels]
    add_frames(tmp_path / "JPEGImages" / "480p" / "bear", ["00000.jpg", "00001.jpg"])
    add_png(tmp_path / "Annotations" / "480p" / "bear" / "00000.png", white)
    add_png(tmp_path / "Annotations" / "480p" / "bear" / "00001.png", coloured)
    (track,) = read_davis_2016(ConvertRequest(source=tmp_path)).data.tracks
    assert_masks(track, [white > 0, white > 0])


def make_davis(root, *annotations):
    add_frames(root / "JPEGImages" / "480p" / "bear", ["00000.jpg"])
    for folder in annotations:
        add_palette_png(root / folder / "bear" / "00000.png", ids_image(_1=(2, 3), _2=(12, 8), _255=(20, 3)))


def test_davis_is_read_from_its_root_or_a_folder_of_a_size(tmp_path):
    make_davis(tmp_path, "Annotations/480p")
    for source in (tmp_path, tmp_path / "Annotations", tmp_path / "Annotations" / "480p"):
        conversion = read_davis_2017(ConvertRequest(source=source))
        assert conversion.frames == tmp_path / "JPEGImages" / "480p"
        assert conversion.data.videos[0].file_names == ["bear/00000.jpg"]
        assert len(conversion.data.tracks) == 2


@pytest.mark.parametrize(
    "folders",
    [("Annotations/480p", "Annotations/Full-Resolution"), ("Annotations/480p", "Annotations_unsupervised/480p")],
)
def test_several_annotations_of_davis_have_to_be_chosen_from(tmp_path, folders):
    make_davis(tmp_path, *folders)
    with pytest.raises(UserError, match="has annotations in .* and .*: give one of them as IN"):
        read_davis_2017(ConvertRequest(source=tmp_path))


def make_youtube_vos(root):
    add_frames(root / "JPEGImages" / "003234408d", ["00000.jpg", "00005.jpg"])
    add_palette_png(root / "Annotations" / "003234408d" / "00000.png", ids_image(_1=(2, 3)))
    add_palette_png(root / "Annotations" / "003234408d" / "00005.png", ids_image(_1=(4, 3), _2=(12, 8)))
    objects = {
        "1": {"category": "penguin", "frames": ["00000", "00005"]},
        "2": {"category": "duck", "frames": ["00005"]},
    }
    (root / "meta.json").write_text(json.dumps({"videos": {"003234408d": {"objects": objects}}}))


def test_the_meta_file_of_youtube_vos_gives_the_categories(tmp_path):
    make_youtube_vos(tmp_path)
    for source in (tmp_path, tmp_path / "Annotations"):
        data = read_youtube_vos(ConvertRequest(source=source)).data
        assert [(c.category_id, c.name) for c in data.categories] == [(1, "duck"), (2, "penguin")]
        assert [track.category_id for track in data.tracks] == [2, 1]
        assert_masks(data.tracks[1], [None, ids_image(_2=(12, 8)) > 0])


def test_youtube_vos_needs_its_meta_file_or_one_category(tmp_path):
    make_youtube_vos(tmp_path)
    (tmp_path / "meta.json").rename(tmp_path / "meta_expressions.json")
    with pytest.raises(
        UserError, match=r"no meta\.json is in .*Annotations or beside it: .*--categories .*--category NAME"
    ):
        read_youtube_vos(ConvertRequest(source=tmp_path))
    data = read_youtube_vos(ConvertRequest(source=tmp_path, category="animal")).data
    assert [c.name for c in data.categories] == ["animal"]


def test_an_object_of_youtube_vos_without_a_category_is_named(tmp_path):
    make_youtube_vos(tmp_path)
    meta = json.loads((tmp_path / "meta.json").read_text())
    del meta["videos"]["003234408d"]["objects"]["2"]["category"]
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(UserError, match=r"meta\.json: '003234408d': the category of '2' is null"):
        read_youtube_vos(ConvertRequest(source=tmp_path))
