"""Predicting on one's own videos: what is written, what is said, and what an early end keeps."""

import errno
import json
import os
import signal
from contextlib import contextmanager

import av
import cv2
import numpy as np
import pytest
import torch

from mmdet.engine.inference.predicting import drawer
from mmdet.engine.inference.predicting.outputs import drawn
from mmdet.engine.inference.predicting.outputs.drawn import VideoSink
from mmdet.engine.inference.predictor import VideoStream
from mmdet.errors import UserError
from mmdet.fileio.sources.frame_source import open_source, read_video
from mmdet.visualization.mp4 import open_mp4


def test_a_folder_and_the_video_made_of_it_are_tracked(predict, config, checkpoint, tiny_set, tmp_path):
    folder = sorted((tiny_set / "valid_images").iterdir())[0]
    arguments = ("--out", tmp_path, "--thresh", 0, "--device", "cpu")
    assert predict(config, checkpoint, folder, *arguments)[0] == 0
    entries = json.loads((tmp_path / f"{folder.name}.json").read_text())["annotations"]
    assert entries
    assert all(len(entry["segmentations"]) == 4 for entry in entries)
    video = tmp_path / f"{folder.name}.mp4"
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 4
    again = tmp_path / "again"
    assert predict(config, checkpoint, video, "--out", again, "--device", "cpu")[0] == 0
    assert (again / f"{folder.name}.json").is_file()


def test_a_video_that_cannot_be_read_is_named(predict, config, checkpoint, tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    code, said = predict(config, checkpoint, tmp_path / "no.mp4", "--out", tmp_path, "--device", "cpu")
    assert code == 2
    assert "no.mp4 is a text file, not a video" in said


def test_the_checkpoint_is_read_once_and_names_the_classes(
    predict, config, checkpoint, tiny_set, tmp_path, monkeypatch
):
    reads, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **settings: reads.append(args) or load(*args, **settings))
    folder = sorted((tiny_set / "valid_images").iterdir())[0]
    assert predict(config, checkpoint, folder, "--out", tmp_path, "--device", "cpu")[0] == 0
    assert len(reads) == 1
    about = load(checkpoint, weights_only=True)["about"]
    categories = json.loads((tmp_path / f"{folder.name}.json").read_text())["categories"]
    assert [category["name"] for category in categories] == list(about["class_names"])
    assert [category["id"] for category in categories] == list(about["category_ids"])


def test_a_checkpoint_with_an_object_is_tracked_with_only_if_trusted(predict, config, checkpoint, tiny_set, tmp_path):
    torch.save({**torch.load(checkpoint, weights_only=True), "seconds": np.float64(1.5)}, tmp_path / "unsafe.pth")
    folder = sorted((tiny_set / "valid_images").iterdir())[0]
    arguments = (config, tmp_path / "unsafe.pth", folder, "--out", tmp_path, "--device", "cpu")
    code, said = predict(*arguments)
    assert code == 2
    assert "--trust-checkpoint" in said
    assert predict(*arguments, "--trust-checkpoint")[0] == 0


def test_the_video_written_has_the_rate_of_its_source(on_cpu, frames, tmp_path):
    with open_mp4(tmp_path / "clip.mp4", (64, 96), 60) as append:
        for frame in read_video(frames):
            append(frame)
    code, _, written = on_cpu(tmp_path / "clip.mp4")
    assert code == 0
    assert written["videos"][0]["fps"] == open_source(tmp_path / "out/clip.mp4").rate == 60
    assert written["videos"][0]["complete"] is True


def test_the_times_of_a_variable_rate_are_written(on_cpu, frames, tmp_path):
    times = [0, 0.1, 0.15, 0.5, 1, 1.1]
    with open_mp4(tmp_path / "clip.mp4", (64, 96), 10) as append:
        for frame, time in zip(read_video(frames), times, strict=True):
            append(frame, time)
    written = on_cpu(tmp_path / "clip.mp4")[2]
    assert np.allclose(written["videos"][0]["times"], times, atol=1e-3)
    assert np.allclose([frame.time_s for frame in open_source(tmp_path / "out/clip.mp4")], times, atol=2e-3)
    written = on_cpu(tmp_path / "clip.mp4", "--fps", 4)[2]
    assert np.allclose(written["videos"][0]["times"], times, atol=1e-3)
    assert np.allclose([frame.time_s for frame in open_source(tmp_path / "out/clip.mp4")], np.arange(6) / 4, atol=1e-3)


@pytest.fixture
def drawings(monkeypatch):
    """The objects of each frame that is drawn."""
    drawn_objects, draw = [], drawer.draw_objects
    monkeypatch.setattr(
        drawer,
        "draw_objects",
        lambda frame, objects, style: drawn_objects.append((objects, style)) or draw(frame, objects, style),
    )
    return drawn_objects


def test_tracks_are_drawn_while_their_mean_reaches_the_threshold_and_kept_if_it_does_at_the_end(
    on_cpu, frames, drawings
):
    everything = on_cpu(frames, "--thresh", 0)[2]["annotations"]
    scores = sorted(item.score for objects, _ in drawings for item in objects)
    middle = scores[len(scores) // 2]
    drawings.clear()
    kept = on_cpu(frames, "--thresh", repr(middle))[2]["annotations"]
    assert sum(len(objects) for objects, _ in drawings) == sum(score >= middle for score in scores) < len(scores)
    assert [track["track_id"] for track in kept] == [
        track["track_id"] for track in everything if track["score"] >= middle
    ]
    assert 0 < len(kept) < len(everything)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fps", "-5"), "--fps -5: expected"),
        (("--fps", "0"), "--fps 0: expected"),
        (("--fps", "nan"), "--fps nan: expected"),
        (("--fps", "inf"), "--fps inf: expected"),
        (("--thresh", "30"), "--thresh 30: scores lie between 0 and 1"),
        (("--thresh", "nan"), "--thresh nan: scores"),
        (("--device", "gpu"), "--device gpu is unknown"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_the_work(on_cpu, frames, options, message, tmp_path):
    code, said, _ = on_cpu(frames, *options)
    assert code == 2
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_the_frames_so_far(on_cpu, frames, tmp_path, monkeypatch, number):
    push = VideoStream.push

    def stopped(stream, frame, time_s):
        tracks = push(stream, frame, time_s)
        if stream.num_frames == 3:
            os.kill(os.getpid(), number)
        return tracks

    monkeypatch.setattr(VideoStream, "push", stopped)
    before = signal.signal(number, signal.default_int_handler)  # however the suite was started
    try:
        code, said, written = on_cpu(frames)
    finally:
        signal.signal(number, before)
    assert code == 128 + number
    assert f"stopped by {number.name}" in said
    assert "frames.mp4 and frames.json hold the first 3 frames" in said
    assert (written["videos"][0]["frames_read"], written["videos"][0]["frames_promised"]) == (3, 6)
    assert written["videos"][0]["complete"] is False
    assert all(len(track["segmentations"]) == 3 for track in written["annotations"])
    assert len(list(read_video(tmp_path / "out/frames.mp4"))) == 3


@pytest.mark.parametrize("batch", [1, 3])
def test_a_damaged_frame_in_the_middle_keeps_those_before_it(on_cpu, frames, tmp_path, batch):
    bad = sorted(frames.iterdir())[4]
    bad.write_bytes(bad.read_bytes()[:300])
    code, said, written = on_cpu(frames, "--batch", batch)
    assert code == 1
    assert f"{bad.name} is damaged or no image" in said
    assert "hold the first 4 frames" in said
    assert written["videos"][0]["frames_read"] == len(list(read_video(tmp_path / "out/frames.mp4"))) == 4


def test_an_error_of_the_program_keeps_the_frames_before_it(on_cpu, frames, monkeypatch, tmp_path):
    push = VideoStream.push

    def fail(stream, frame, time_s):
        if stream.num_frames == 2:
            raise IndexError
        return push(stream, frame, time_s)

    monkeypatch.setattr(VideoStream, "push", fail)
    with pytest.raises(IndexError):
        on_cpu(frames)
    assert json.loads((tmp_path / "out/frames.json").read_text())["videos"][0]["frames_read"] == 2


def test_a_full_disk_under_the_mp4_keeps_the_tracks_and_says_so(on_cpu, frames, monkeypatch, tmp_path):
    @contextmanager
    def filling(path, size, fps):
        pictures = []

        def append(picture, time_s=None):
            pictures.append(picture)
            if len(pictures) == 4:
                raise OSError(errno.ENOSPC, "No space left on device")

        path.write_bytes(b"no index")
        yield append

    monkeypatch.setattr(drawn, "open_mp4", filling)
    code, said, written = on_cpu(frames)
    assert code == 1
    assert "the disk is full: No space left on device" in said
    assert f"{tmp_path / 'out' / frames.name}.json holds the first 3 frames" in said
    assert written["videos"][0]["frames_read"] == 3
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_a_full_disk_under_the_json_keeps_the_mp4_and_says_so(on_cpu, frames, monkeypatch, tmp_path):
    def full(path, write):
        raise UserError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr("mmdet.engine.inference.predicting.outputs.place.write_atomically", full)
    code, said, written = on_cpu(frames)
    assert (code, written) == (1, None)
    assert "json cannot be written: No space left on device" in said
    assert f"{tmp_path / 'out' / frames.name}.mp4 holds the first 6 frames" in said
    assert len(list(read_video(tmp_path / "out" / f"{frames.name}.mp4"))) == 6


def test_a_picture_that_fits_into_no_mp4_leaves_nothing(on_cpu, tmp_path):
    cv2.imwrite(str(tmp_path / "long.png"), np.zeros((16, 17000, 3), np.uint8))
    code, said, written = on_cpu(tmp_path / "long.png")
    assert (code, written) == (2, None)
    assert "pictures of 17000x16 cannot be drawn into an mp4" in said


def test_a_damaged_first_frame_leaves_nothing(on_cpu, frames, tmp_path):
    sorted(frames.iterdir())[0].write_bytes(b"x")
    code, said, written = on_cpu(frames)
    assert (code, written) == (2, None)
    assert "is damaged or no image" in said


def test_frames_of_another_size_are_resized_on_demand(on_cpu, frames):
    image = sorted(frames.iterdir())[3]
    cv2.imwrite(str(image), np.zeros((40, 40, 3), np.uint8))
    code, said, written = on_cpu(frames)
    assert (code, written) == (2, None)
    assert f"{image.name} is 40x40" in said
    code, _, written = on_cpu(frames, "--resize_to_first")
    assert (code, written["videos"][0]["frames_read"]) == (0, 6)


def _transport_stream(path, size):
    """Three black pictures in a format whose files can be put one behind the other."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((*size, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def test_a_video_that_changes_its_size_keeps_what_was_before_or_is_resized(on_cpu, tmp_path):
    parts = [_transport_stream(tmp_path / "part", size) for size in ((64, 96), (80, 80))]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    code, said, written = on_cpu(tmp_path / "a.ts")
    assert code == 1
    assert "a.ts, frame 3 is 80x80, the first frame 96x64" in said
    assert written["videos"][0]["frames_read"] == 3
    code, _, written = on_cpu(tmp_path / "a.ts", "--resize-to-first")
    assert (code, written["videos"][0]["frames_read"]) == (0, 6)


def test_what_is_not_read_of_a_folder_is_said(on_cpu, frames):
    (frames / "notes.txt").touch()
    code, said, _ = on_cpu(frames)
    assert code == 0
    assert "not read, because they are not images of a supported format: notes.txt" in said


def test_a_video_of_which_some_is_lost_says_how_much(on_cpu, frames, tmp_path):
    with open_mp4(tmp_path / "clip.mp4", (64, 96), 25) as append:
        for frame in np.random.default_rng(0).integers(0, 255, (6, 64, 96, 3), dtype=np.uint8):
            append(frame)
    data = (tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "clip.mp4").write_bytes(data[: len(data) * 3 // 4])
    code, said, written = on_cpu(tmp_path / "clip.mp4")
    count = written["videos"][0]["frames_read"]
    assert code == 0
    assert 0 < count < 6
    assert f"warning: {tmp_path}/clip.mp4: {count} of 6 frames read" in said
    assert written["videos"][0]["complete"] is False


def test_the_source_is_never_written_over(on_cpu, frames, tmp_path, predict, config, checkpoint):
    with open_mp4(tmp_path / "clip.mp4", (64, 96), 25) as append:
        for frame in read_video(frames):
            append(frame)
    before = (tmp_path / "clip.mp4").read_bytes()
    code, said = predict(config, checkpoint, tmp_path / "clip.mp4", "--out", tmp_path, "--device", "cpu")
    assert code == 2
    assert "clip.mp4" in said
    assert (tmp_path / "clip.mp4").read_bytes() == before


def test_a_part_of_a_video_has_its_times_in_the_video(on_cpu, frames, tmp_path):
    with open_mp4(tmp_path / "clip.mp4", (64, 96), 10) as append:
        for frame in read_video(frames):
            append(frame)
    written = on_cpu(tmp_path / "clip.mp4", "--start", "0.1s", "--end", 5, "--stride", 2)[2]
    assert written["videos"][0]["times"] == pytest.approx([0.1, 0.3])
    assert written["videos"][0]["complete"] is True
    assert [frame.time_s for frame in open_source(tmp_path / "out/clip.mp4")] == pytest.approx([0, 0.2])


@pytest.fixture
def heeds_ctrl_c():
    """Heed SIGINT, however the suite was started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_ends_at_once_and_keeps_the_frames_so_far(on_cpu, frames, monkeypatch, heeds_ctrl_c):
    push = VideoStream.push_frames

    def impatient(stream, given, times_s):
        if stream.num_frames == 2:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return push(stream, given, times_s)

    monkeypatch.setattr(VideoStream, "push_frames", impatient)
    code, said, written = on_cpu(frames)
    assert (code, written["videos"][0]["frames_read"]) == (130, 2)
    assert "stopped by SIGINT at once; " in said
    assert "hold the first 2 frames" in said


def test_ctrl_c_while_the_files_are_completed_does_not_leave_them_half_done(on_cpu, frames, monkeypatch, heeds_ctrl_c):
    finish = VideoSink.finish

    def impatient(sink, video):
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        finish(sink, video)

    monkeypatch.setattr(VideoSink, "finish", impatient)
    code, _, written = on_cpu(frames)
    assert (code, written["videos"][0]["frames_read"], written["videos"][0]["complete"]) == (0, 6, True)
    assert written["info"]["files"] == ["frames.mp4"]
