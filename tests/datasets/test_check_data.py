import runpy
from pathlib import Path

import cv2
import pytest

MAIN = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "check_data.py"))["main"]


def test_a_sound_set_is_found_and_described(two_videos, capsys):
    data = two_videos.write()
    assert MAIN([str(two_videos.folder)]) == 0
    out = capsys.readouterr().out
    assert "videos 2  frames 9  missing 0  tracks 3  crowd 0  categories 2" in out
    assert f"ann_file={data['ann_file']!r}, img_prefix={data['img_prefix']!r}" in out


def test_one_file_is_checked_with_its_image_folder(two_videos, capsys):
    data = two_videos.write()
    assert MAIN([data["ann_file"], "--img-prefix", data["img_prefix"]]) == 0
    assert "missing 0" in capsys.readouterr().out


def test_a_file_without_annotations_is_said_to_have_none(two_videos, capsys):
    two_videos.raw["annotations"] = None
    two_videos.write()
    assert MAIN([str(two_videos.folder)]) == 0
    assert "(no annotations" in capsys.readouterr().out


def _missing_frame(data):
    (data.img_prefix / "v905/00001.jpg").unlink()


def _damaged_frame(data):
    (data.img_prefix / "v3/00000.jpg").write_bytes(b"x")


def _no_frames(data):
    data.img_prefix.rename(data.folder / "elsewhere")


def _broken_json(data):
    data.ann_file.write_text("{")


def _broken_mask(data):
    data.raw["annotations"][0]["segmentations"][0]["counts"] = [1]
    data.write_json()


def _no_json(data):
    data.ann_file.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_missing_frame, "1 of 9 frames missing, first"),
        (_damaged_frame, "v3/00000.jpg is damaged"),
        (_no_frames, "no folder near it has its frames; name it by --img-prefix"),
        (_broken_json, "is not a json file"),
        (_broken_mask, "annotation 77 of video 905:"),
        (_no_json, "no annotation file found; data/README.md shows the layouts"),
    ],
)
def test_faults_are_listed_and_the_exit_code_is_2(two_videos, capsys, damage, message):
    two_videos.write()
    damage(two_videos)
    assert MAIN([str(two_videos.folder)]) == 2
    assert message in capsys.readouterr().err


def test_a_sheet_a_video_is_drawn_on_demand(two_videos, tmp_path, capsys):
    two_videos.write()
    sheets = tmp_path / "sheets"
    assert MAIN([str(two_videos.ann_file), "--draw", str(sheets)]) == 0
    assert sorted(path.name for path in sheets.iterdir()) == ["3.jpg", "905.jpg"]
    assert cv2.imread(str(sheets / "905.jpg")).shape[1] > 1900  # four frames in a row


def test_the_sheets_of_a_folder_are_apart_by_set_and_as_many_as_asked_for(two_videos, tmp_path, capsys):
    two_videos.write()
    assert MAIN([str(two_videos.folder), "--draw", str(tmp_path / "sheets"), "--videos", "1"]) == 0
    drawn = [str(path.relative_to(tmp_path / "sheets")) for path in (tmp_path / "sheets").rglob("*.jpg")]
    assert drawn == ["annotations/instances_train/905.jpg"]


def test_a_damaged_frame_spares_the_sheets_of_other_videos(two_videos, tmp_path, capsys):
    two_videos.write()
    (two_videos.img_prefix / "v905/00003.jpg").write_bytes(b"x")
    assert MAIN([str(two_videos.ann_file), "--draw", str(tmp_path / "sheets")]) == 2
    assert "v905/00003.jpg is damaged" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["3.jpg"]
