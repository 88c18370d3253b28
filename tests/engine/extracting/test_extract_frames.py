"""tools/extract_frames.py: which frames are written, under which names, and what an earlier run has left."""

import json
import os
import signal

import av
import cv2
import numpy as np
import pytest
from local_senders import HttpSender, send_jpegs
from natural_clip import make_clip, write_clip
from programs import load_program

from mmdet.engine.extracting import run as extracting
from mmdet.engine.process.endings import RunEnded
from mmdet.errors import UserError
from mmdet.fileio.annotations.vis_json import load_vis_json

COUNT = 20
EXTRACT = load_program("tools/extract_frames").main


@pytest.fixture
def clip(tmp_path):
    """A video of 20 frames at 10 per second, each of a brightness of its own."""
    return write_video(tmp_path / "clip.mkv")


def write_video(path, count=COUNT, size=(16, 24)):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        (stream.height, stream.width), stream.pix_fmt = size, "bgr0"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 10 * index, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def extract(out, *arguments):
    return EXTRACT([*map(str, arguments), "--out", str(out), "--format", "png"])


def numbers(folder):
    """Return which frames of the clip a folder holds, in natural order."""
    return [int(cv2.imread(str(path))[0, 0, 0]) // 10 for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], range(20)),
        (["--stride", "6"], (0, 6, 12, 18)),
        (["--fps", "2"], (0, 5, 10, 15)),
        (["--fps", "2", "--start", "3", "--end", "1.4s"], (3, 8, 13)),
        (["--fps", "4"], (0, 2, 5, 7, 10, 12, 15, 17)),
        (["--fps", "10"], range(20)),
        (["--fps", "60"], range(20)),
        (["--fps", "5", "--max-frames", "3"], (0, 2, 4)),
    ],
)
def test_the_frames_asked_for_are_written(tmp_path, clip, options, expected):
    assert extract(tmp_path / "out", clip, *options) == 0
    assert numbers(tmp_path / "out/clip") == list(expected)


def test_the_json_lists_the_frames_and_has_no_annotations_yet(tmp_path, clip):
    (tmp_path / "names.txt").write_text("cat\n# big ones\n\nblack dog\n")
    extract(tmp_path / "out", clip, "--stride", "10", "--categories", tmp_path / "names.txt")
    data = load_vis_json(tmp_path / "out/instances.json")
    raw = json.loads((tmp_path / "out/instances.json").read_text())
    assert [(video.size, video.file_names) for video in data.videos] == [
        ((16, 24), ["clip/00000.png", "clip/00001.png"])
    ]
    assert [(category.category_id, category.name) for category in data.categories] == [(1, "cat"), (2, "black dog")]
    assert raw["annotations"] == []
    assert raw["videos"][0]["length"] == 2
    assert raw["videos"][0]["fps"] == 1.0


def test_without_categories_the_json_has_an_empty_list_of_them(tmp_path, clip):
    extract(tmp_path / "out", clip)
    assert json.loads((tmp_path / "out/instances.json").read_text())["categories"] == []


def test_a_turned_video_is_written_upright(tmp_path):
    path = write_clip(tmp_path / "phone.mp4", make_clip(size=(48, 64), length=2), turned=90)
    EXTRACT([str(path), "--out", str(tmp_path / "out")])
    assert cv2.imread(str(tmp_path / "out/phone/00000.jpg")).shape == (64, 48, 3)
    assert load_vis_json(tmp_path / "out/instances.json").videos[0].size == (64, 48)


def test_the_quality_of_jpegs_is_the_one_asked_for(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", make_clip(size=(48, 64), length=1))
    for quality in ("50", "95"):
        EXTRACT([str(path), "--out", str(tmp_path / quality), "--quality", quality])
    small, large = ((tmp_path / quality / "clip/00000.jpg").stat().st_size for quality in ("50", "95"))
    assert small < large


def test_videos_of_one_name_get_folders_of_their_own(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "clip.mkv", count=2)
    extract(tmp_path / "out", tmp_path / "a/clip.mkv", tmp_path / "b/clip.mkv")
    names = [video.file_names[0] for video in load_vis_json(tmp_path / "out/instances.json").videos]
    assert names == ["clip/00000.png", "clip.mkv/00000.png"]


def test_what_an_earlier_run_has_extracted_is_left_as_it_is(tmp_path, clip, capsys):
    extract(tmp_path / "out", clip)
    before = (tmp_path / "out/clip/00003.png").stat().st_mtime_ns
    assert extract(tmp_path / "out", clip) == 0
    assert (tmp_path / "out/clip/00003.png").stat().st_mtime_ns == before
    assert "extracted already, skipped" in capsys.readouterr().err


def test_further_videos_are_added_and_ids_stay(tmp_path, clip):
    extract(tmp_path / "out", clip)
    other = write_video(tmp_path / "another.mkv", count=3)
    extract(tmp_path / "out", other, clip)
    videos = load_vis_json(tmp_path / "out/instances.json").videos
    assert [(video.video_id, len(video.file_names)) for video in videos] == [(1, 20), (2, 3)]


def test_categories_written_by_hand_stay_when_videos_are_added(tmp_path, clip):
    extract(tmp_path / "out", clip)
    path = tmp_path / "out/instances.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "categories": [{"id": 7, "name": "owl"}]}))
    extract(tmp_path / "out", write_video(tmp_path / "another.mkv", count=1))
    assert [category.category_id for category in load_vis_json(path).categories] == [7]


def test_a_folder_with_other_files_is_refused(tmp_path, clip):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds other files \(notes\.txt\): give a new or an empty folder"):
        extract(tmp_path / "out", clip)
    assert os.listdir(tmp_path / "out") == ["notes.txt"]


def test_a_folder_of_other_options_is_refused(tmp_path, clip):
    extract(tmp_path / "out", clip, "--stride", "5")
    with pytest.raises(UserError, match=r"other options \(stride 5\): give the same, or another folder"):
        extract(tmp_path / "out", clip, "--stride", "4")


def test_a_json_that_was_labelled_is_never_written_over(tmp_path, clip):
    extract(tmp_path / "out", clip)
    path = tmp_path / "out/instances.json"
    labelled = json.dumps({**json.loads(path.read_text()), "annotations": [{"id": 1}]})
    path.write_text(labelled)
    with pytest.raises(UserError, match="has annotations, which would be lost"):
        extract(tmp_path / "out", write_video(tmp_path / "another.mkv", count=1))
    assert path.read_text() == labelled


def test_a_source_that_has_changed_is_named(tmp_path, clip):
    extract(tmp_path / "out", clip)
    write_video(clip, count=5)
    with pytest.raises(UserError, match=r"clip\.mkv has changed since it was extracted to .*clip: remove the folder"):
        extract(tmp_path / "out", clip)


def test_a_video_without_some_of_its_frames_is_named(tmp_path, clip):
    extract(tmp_path / "out", clip)
    (tmp_path / "out/clip/00004.png").unlink()
    with pytest.raises(UserError, match="lacks some of the 20 frames"):
        extract(tmp_path / "out", clip)


def test_a_video_whose_folder_was_removed_is_extracted_again_under_its_id(tmp_path, clip):
    extract(tmp_path / "out", clip, write_video(tmp_path / "other.mkv", count=2))
    for path in (tmp_path / "out/clip").iterdir():
        path.unlink()
    (tmp_path / "out/clip").rmdir()
    extract(tmp_path / "out", clip)
    videos = load_vis_json(tmp_path / "out/instances.json").videos
    assert [(video.video_id, video.file_names[0]) for video in videos] == [
        (1, "clip/00000.png"),
        (2, "other/00000.png"),
    ]
    assert len(numbers(tmp_path / "out/clip")) == 20


def test_images_of_different_sizes_are_refused_or_resized(tmp_path):
    (tmp_path / "shots").mkdir()
    for index, size in enumerate([(16, 24), (32, 48)]):
        cv2.imwrite(str(tmp_path / f"shots/{index}.png"), np.full((*size, 3), 10 * index, np.uint8))
    with pytest.raises(UserError, match="use --resize-to-first"):
        extract(tmp_path / "out", tmp_path / "shots")
    extract(tmp_path / "out", tmp_path / "shots", "--resize-to-first")
    assert cv2.imread(str(tmp_path / "out/shots/00001.png")).shape == (16, 24, 3)


def test_after_a_signal_complete_videos_stay_and_the_same_command_goes_on(tmp_path, clip, monkeypatch):
    other = write_video(tmp_path / "other.mkv", count=3)
    saved = []

    def save_and_interrupt(frame, path, encoding, save=extracting._save):
        save(frame, path, encoding)
        saved.append(path)
        if len(saved) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(extracting, "_save", save_and_interrupt)
    with pytest.raises(RunEnded, match=r"stopped by SIGINT, 1 complete in .*; the same command goes on"):
        extract(tmp_path / "out", other, clip)
    assert sorted(os.listdir(tmp_path / "out")) == ["extracted.json", "instances.json", "other"]
    monkeypatch.undo()
    extract(tmp_path / "out", other, clip)
    assert numbers(tmp_path / "out/clip") == list(range(20))


def test_a_run_that_fails_leaves_no_empty_folder(tmp_path, clip):
    with pytest.raises(UserError, match="lies behind its end"):
        extract(tmp_path / "out", clip, "--start", "99")
    assert not (tmp_path / "out").exists()


def test_a_source_that_fails_does_not_end_the_others(tmp_path, clip, capsys):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(RunEnded, match="1 of 2 sources failed"):
        extract(tmp_path / "out", tmp_path / "broken.mp4", clip)
    assert numbers(tmp_path / "out/clip") == list(range(20))
    assert "1/2 broken: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "no name in it"), ("cat\ncat\n", "'cat' occurs twice"), ("\udc80", "cannot be read as text")],
)
def test_a_list_of_categories_that_makes_no_sense_is_refused_first(tmp_path, clip, content, message):
    (tmp_path / "names.txt").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=message):
        extract(tmp_path / "out", clip, "--categories", tmp_path / "names.txt")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "raw", [["cat", "dog"], [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}], {"categories": ["cat", "dog"]}]
)
def test_categories_come_from_a_json_of_names_or_of_categories(tmp_path, clip, raw):
    (tmp_path / "names.json").write_text(json.dumps(raw))
    extract(tmp_path / "out", clip, "--categories", tmp_path / "names.json", "--max-frames", "1")
    categories = load_vis_json(tmp_path / "out/instances.json").categories
    assert [(category.category_id, category.name) for category in categories] == [(1, "cat"), (2, "dog")]


def test_fps_and_stride_exclude_each_other(tmp_path, clip):
    with pytest.raises(UserError, match="--fps and --stride both say"):
        extract(tmp_path / "out", clip, "--fps", "2", "--stride", "3")


def test_a_stream_is_extracted_until_it_ends_and_keeps_its_name_apart(tmp_path):
    sender = HttpSender({"/live.mjpg": send_jpegs(6, 0.05)})
    try:
        address = f"{sender.address}/live.mjpg"
        extract(tmp_path / "out", address, "--max-frames", "3")
        extract(tmp_path / "out", address, "--max-frames", "3")
    finally:
        sender.close()
    videos = load_vis_json(tmp_path / "out/instances.json").videos
    assert [len(video.file_names) for video in videos] == [3, 3]
    assert len({video.file_names[0] for video in videos}) == 2
