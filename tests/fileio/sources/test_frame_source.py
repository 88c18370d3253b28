"""Folders of images, single images and moving pictures as videos."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet.errors import UserError
from mmdet.fileio.sources.frame_source import open_source, read_video


def write(path, value, size=(24, 32), **settings):
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0] = value
    Image.fromarray(image).save(path, **settings)
    return path


def values(path):
    return [int(frame[..., 0].mean().round()) for frame in read_video(path)]


def told(path, **settings):
    with pytest.raises(UserError) as error:
        list(open_source(path, **settings))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_frames_of_a_folder_come_in_natural_order(tmp_path):
    for number in (10, 2, 1, 12, 11):
        write(tmp_path / f"frame{number}.png", 10 * number)
    assert values(tmp_path) == [10, 20, 100, 110, 120]


def test_the_frames_of_a_folder_are_rgb(tmp_path):
    write(tmp_path / "a.png", 200)
    assert next(read_video(tmp_path))[0, 0].tolist() == [200, 0, 0]


def test_hidden_files_of_a_folder_are_no_frames(tmp_path):
    write(tmp_path / "00000.png", 50)
    (tmp_path / "._00000.png").write_bytes(b"\0\5\x16\7")
    assert values(tmp_path) == [50]
    assert open_source(tmp_path).notes == ()


def test_images_of_several_kinds_are_one_video(tmp_path):
    for index, kind in enumerate(["png", "tif", "bmp", "ppm", "gif", "PNG"]):
        write(tmp_path / f"{index}.{kind}", 20 * index)
    assert values(tmp_path) == [0, 20, 40, 60, 80, 100]


def test_files_of_a_kind_that_is_not_read_are_named(tmp_path):
    write(tmp_path / "0.png", 50)
    (tmp_path / "sub").mkdir()
    for name in ("labels.txt", "1.heic", "2.heic"):
        (tmp_path / name).touch()
    (note,) = open_source(tmp_path).notes
    assert "1.heic, 2.heic, labels.txt, ... (4 files)" in note


def test_folders_without_images_say_what_they_hold(tmp_path):
    empty, folders, clips, texts = (tmp_path / name for name in ("empty", "folders", "clips", "texts"))
    for folder in (empty, folders, clips, texts, folders / "a"):
        folder.mkdir()
    (clips / "b.MP4").touch()
    (texts / "c.txt").touch()
    assert "folder" in told(empty)
    assert "is empty" in told(empty)
    assert "holds folders (a)" in told(folders)
    assert "holds videos (b.MP4)" in told(clips)
    assert "holds no image, only c.txt; images end with .jpg" in told(texts)
    assert "nothing does not exist" in told(tmp_path / "nothing")


def test_an_image_alone_is_a_video_of_one_frame(tmp_path):
    source = open_source(write(tmp_path / "a.png", 70))
    assert source.promised == len(list(source)) == 1
    assert values(write(tmp_path / "b.mp4.png", 70)) == [70]


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_a_moving_picture_is_a_video(tmp_path, kind):
    pictures = [Image.fromarray(np.full((24, 32, 3), 60 * index, np.uint8)) for index in range(4)]
    settings = {"lossless": True} if kind == "webp" else {}
    path = tmp_path / f"a.{kind}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **settings)
    source = open_source(path)
    frames = list(source)
    assert [int(frame.image.mean().round()) for frame in frames] == [0, 60, 120, 180]
    assert np.allclose([frame.time_s for frame in frames], [0, 0.1, 0.2, 0.3])
    assert source.rate == 10


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_the_frames_of_a_moving_picture_are_rgb(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    colours = [(200, 20, 0), (0, 200, 20)]
    pictures = [Image.fromarray(np.full((24, 32, 3), colour, np.uint8)) for colour in colours]
    settings = {"lossless": True} if kind == "webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **settings)
    assert [tuple(frame[0, 0].tolist()) for frame in read_video(path)] == colours


def test_a_folder_of_several_sizes_names_the_first_that_differs_before_the_work(tmp_path):
    for index, size in enumerate([(24, 32), (24, 32), (20, 32), (30, 30)]):
        write(tmp_path / f"{index}.png", 9, size)
    message = told(tmp_path, one_size=True)
    assert f"{tmp_path}/2.png is 32x20, 0.png 32x24" in message
    assert "--resize-to-first" in message
    assert len(list(open_source(tmp_path))) == 4


def test_one_image_that_exif_turns_among_others_is_named(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for index in range(3):
        write(tmp_path / f"{index}.jpg", 9, **({"exif": exif} if index == 1 else {}))
    assert "1.jpg is 24x32 (turned by its EXIF orientation), 0.jpg 32x24" in told(tmp_path, one_size=True)


def test_a_damaged_image_is_told_when_its_turn_comes(tmp_path):
    for index in range(3):
        write(tmp_path / f"{index}.png", 9)
    (tmp_path / "1.png").write_bytes(b"x")
    frames = iter(open_source(tmp_path, one_size=True))
    next(frames)
    with pytest.raises(UserError, match=r"1.png is damaged"):
        next(frames)


def test_twelve_bit_frames_of_a_folder_share_one_brightness(tmp_path):
    for index, value in enumerate((3000, 100)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((8, 8), value, np.uint16))
    assert values(tmp_path) == [187, 6]


@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a"])
def test_a_huge_image_given_alone_is_refused_by_its_header(tmp_path, name):
    path = tmp_path / name
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end)
    with pytest.raises(UserError, match="too large" if name == "a.png" else name):
        list(open_source(path))
