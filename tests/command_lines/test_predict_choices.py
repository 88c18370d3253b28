"""Predicting on several sources, again, and on what the options choose."""

import csv
import hashlib
import json
import os
import shutil
import signal

import numpy as np
import pytest

from mmdet.engine.inference.predicting.outputs.drawn import VideoSink
from mmdet.engine.inference.stream import VideoStream
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.fileio.annotations.raw_json import load_ground_truth
from mmdet.fileio.results.result_file import load_results


@pytest.fixture
def videos(tiny_set, tmp_path):
    """Three sources of four frames; the second one has a damaged third frame."""
    folders = []
    for folder in sorted((tiny_set / "valid_images").iterdir())[:3]:
        folders.append(tmp_path / "videos" / folder.name)
        shutil.copytree(folder, folders[-1])
    bad = sorted(folders[1].iterdir())[2]
    bad.write_bytes(bad.read_bytes()[:200])
    return folders


def test_a_source_that_fails_does_not_end_the_others_and_is_named(on_cpu, videos, tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    code, said, _ = on_cpu(*videos, tmp_path / "no.mp4")
    names = [folder.name for folder in videos]
    assert code == 1
    assert f"2/4 {names[1]}: " in said
    assert "no.mp4 is a text file, not a video" in said
    assert f"2 of 4 sources failed: {videos[1]}, {tmp_path / 'no.mp4'}; see above" in said.splitlines()[-1]
    read = [json.loads((tmp_path / f"out/{name}.json").read_text())["videos"][0] for name in names]
    assert [(video["frames_read"], video["complete"]) for video in read] == [(4, True), (2, False), (4, True)]


def test_a_finished_source_is_skipped_and_an_unfinished_one_starts_anew(on_cpu, videos, tmp_path, capsys):
    assert on_cpu(*videos)[0] == 1
    outputs = [tmp_path / "out" / f"{folder.name}.json" for folder in videos]
    before = [output.stat().st_mtime_ns for output in outputs]
    good = sorted(videos[0].iterdir())[2]
    shutil.copy(good, sorted(videos[1].iterdir())[2])
    assert on_cpu(*videos, "--resume")[0] == 0
    after = [output.stat().st_mtime_ns for output in outputs]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert json.loads(outputs[1].read_text())["videos"][0]["complete"] is True


@pytest.mark.parametrize("change", ["options", "source", "output"])
def test_a_source_is_done_again_if_something_has_changed(on_cpu, frames, tmp_path, change):
    output = tmp_path / "out/frames.json"
    on_cpu(frames)
    before = output.stat().st_mtime_ns
    options = ["--thresh", 0.5] if change == "options" else []
    if change == "source":
        os.utime(sorted(frames.iterdir())[0])
    elif change == "output":
        (tmp_path / "out/frames.mp4").unlink()
    assert on_cpu(frames, "--resume", *options)[0] == 0
    assert output.stat().st_mtime_ns > before
    assert (tmp_path / "out/frames.mp4").is_file()


def test_frames_in_chunks_have_the_same_tracks(on_cpu, frames):
    one, four = (on_cpu(frames, "--thresh", 0, "--batch", size)[2]["annotations"] for size in (1, 4))
    assert [track["track_id"] for track in one] == [track["track_id"] for track in four]
    assert np.allclose([track["score"] for track in one], [track["score"] for track in four], atol=1e-4)


def test_the_jsons_of_all_videos_score_as_the_test_of_the_data_set(
    predict, run, config, checkpoint, tiny_set, tmp_path
):
    folder, ann_file = tiny_set / "valid_images", tiny_set / "annotations/instances_valid.json"
    arguments = ("--out", tmp_path / "out", "--thresh", 0, "--device", "cpu", "--batch", 3, "--save", "json")
    assert predict(config, checkpoint, *sorted(folder.iterdir()), *arguments)[0] == 0
    assert run("test_video", config, checkpoint, "--out", tmp_path / "r.pkl").code == 0
    truth = load_ground_truth(ann_file)
    ours = load_results(tmp_path / "out", truth=truth)
    theirs = load_results(tmp_path / "r.pkl")
    assert len(ours) == len(theirs) > 0
    assert evaluate(truth, ours).stats == pytest.approx(evaluate(truth, theirs).stats, abs=1e-3)


def test_everything_that_can_be_saved_is_written_whole_after_a_stop(on_cpu, frames, tmp_path, monkeypatch):
    push = VideoStream.push_frames

    def stopped(stream, given, times_s):
        tracks = push(stream, given, times_s)
        if stream.num_frames == 3:
            signal.raise_signal(signal.SIGTERM)
        return tracks

    monkeypatch.setattr(VideoStream, "push_frames", stopped)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code, said, written = on_cpu(
            frames, "--thresh", 0, "--save", "video,frames,masks", "crops,json,coco,csv,cutout"
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == 143
    assert "out/frames.mp4, frames.json and frames/ hold the first 3 frames" in said
    out = tmp_path / "out/frames"
    assert sorted(path.name for path in out.iterdir()) == [
        *("coco.json", "crops", "cutouts", "frames", "masks", "tracks.csv")
    ]
    for kind, ending in (("frames", "jpg"), ("masks", "png")):
        assert [path.name for path in sorted((out / kind).glob(f"*.{ending}"))] == [
            f"0000{i}.{ending}" for i in range(3)
        ]
    ids = {track["track_id"] for track in written["annotations"]}
    assert {int(path.name.partition("_")[0]) for path in (out / "crops").iterdir()} <= ids
    with (out / "tracks.csv").open(newline="") as file:
        assert {int(row["track_id"]) for row in csv.DictReader(file)} <= ids
    assert len(json.loads((out / "coco.json").read_text())["images"]) == 3


def test_fewer_objects_and_classes_are_kept_on_demand(on_cpu, frames):
    tracks = on_cpu(frames, "--thresh", 0, "--max-det", 1)[2]["annotations"]
    seen = np.array([[score is not None for score in track["scores"]] for track in tracks])
    assert seen.sum(axis=0).max() == 1
    everything = on_cpu(frames, "--thresh", 0)[2]
    wanted = everything["annotations"][0]["category_id"]
    name = next(category["name"] for category in everything["categories"] if category["id"] == wanted)
    for text in (name, str(wanted)):
        kept = on_cpu(frames, "--thresh", 0, "--classes", text)[2]["annotations"]
        expected = [track for track in everything["annotations"] if track["category_id"] == wanted]
        assert [track["track_id"] for track in kept] == [track["track_id"] for track in expected]


def test_the_json_says_what_it_was_made_with(on_cpu, frames, checkpoint):
    info = on_cpu(frames, "--save", "json", "--imgsz", 64)[2]["info"]
    assert info["config"] == "tiny.py"
    assert info["checkpoint"] == checkpoint.name
    assert checkpoint_hash(checkpoint).startswith(info["checkpoint_sha256"])
    assert info["options"]["imgsz"] == [64]
    assert info["source"] == str(frames.resolve())
    assert info["files"] == []


def checkpoint_hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_json_the_record_has_no_tracks(on_cpu, frames, tmp_path):
    written = on_cpu(frames, "--save", "csv")[2]
    assert "annotations" not in written
    assert written["info"]["files"] == ["frames/tracks.csv"]
    assert not (tmp_path / "out/frames.mp4").exists()


def test_where_no_window_can_be_a_line_says_so_and_the_run_goes_on(on_cpu, frames, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    code, said, written = on_cpu(frames, "--show")
    assert code == 0
    assert "--show: no window, as there is no display here" in said
    assert written["videos"][0]["frames_read"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--save", "vidio"), "--save 'vidio' is unknown; did you mean video"),
        (("--save", ","), "--save names nothing"),
        (("--classes", "rign"), "--classes 'rign': the model has no such class; did you mean ring"),
        (("--classes", "99"), "--classes '99': the model has no such category id; known: "),
        (("--imgsz", "640", "320"), "--imgsz 640 320: give the short edge"),
        (("--boxes", "--no-boxes"), "--boxes and --no-boxes exclude each other"),
        (("--end", "0"), "--end 0"),
        (("nowhere.mp4",), "nowhere.mp4"),
    ],
)
def test_a_wrong_choice_is_told_with_the_remedy_and_nothing_is_written(on_cpu, frames, options, message, tmp_path):
    code, said, _ = on_cpu(frames, *options)
    assert code == 2
    assert message in said.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_signal_while_a_source_is_completed_ends_the_run_before_the_next(on_cpu, videos, monkeypatch, tmp_path):
    finish = VideoSink.finish

    def stopped(sink, video):
        signal.raise_signal(signal.SIGTERM)
        finish(sink, video)

    monkeypatch.setattr(VideoSink, "finish", stopped)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code, said, written = on_cpu(*videos)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == 143
    assert "stopped by SIGTERM before source 2" in said
    assert len(list((tmp_path / "out").glob("*.json"))) == 1
    assert written["videos"][0]["complete"] is True
