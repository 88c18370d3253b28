"""Predicting on cameras and streams: new files for every stretch, constant memory, nothing overwritten."""

import json
import signal
from fractions import Fraction

import numpy as np
import pytest

from mmdet.engine.inference.stream import VideoStream
from mmdet.fileio.pictures.video import TimedFrame
from mmdet.fileio.sources.frame_source import read_video
from mmdet.fileio.sources.senders.live import LiveFrames
from mmdet.fileio.sources.source import Source


class FakeCamera(LiveFrames):
    """A live source that gives so many frames, ten per second, and drops as many as it gives."""

    rate, notes = Fraction(10), ()

    def __init__(self, count, stopped=lambda: False):
        self.count, self.stopped, self.given = count, stopped, 0

    def __iter__(self):
        while self.given < self.count and not self.stopped():
            image = np.random.default_rng(self.given).integers(0, 255, (64, 96, 3), dtype=np.uint8)
            self.given += 1
            yield TimedFrame(image=image, time_s=(self.given - 1) / 10, name=f"camera, frame {self.given}")

    @property
    def num_dropped(self):
        return self.given

    @property
    def loss(self):
        return f"camera: {self.given} frames read, {self.given} dropped"


@pytest.fixture
def camera(monkeypatch):
    """Let every source be a camera that gives so many frames."""

    def put(count):
        monkeypatch.setattr(Source, "open", lambda self, one_size, stopped, say: FakeCamera(count, stopped))

    return put


def parts(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_a_camera_gets_new_files_for_every_stretch_and_keeps_track_ids(on_cpu, camera, tmp_path):
    camera(25)
    code, said, _ = on_cpu("rtsp://cam.local/live", "--segment", 0.85, "--thresh", 0)
    assert code == 0
    files = parts(tmp_path / "out")
    assert [part["videos"][0]["frames_read"] for part in files] == [10, 10, 5]
    assert [part["videos"][0]["complete"] for part in files] == [True] * 3
    assert [part["videos"][0]["times"][0] for part in files] == pytest.approx([0, 1, 2])
    assert sum(part["videos"][0]["frames_dropped"] for part in files) == 25
    assert all(
        len(track["scores"]) == len(part["videos"][0]["times"]) for part in files for track in part["annotations"]
    )
    mp4s = sorted((tmp_path / "out").glob("*.mp4"))
    assert [len(list(read_video(mp4))) for mp4 in mp4s] == [10, 10, 5]
    assert "warning: camera: 25 frames read, 25 dropped" in said
    assert on_cpu("rtsp://cam.local/live", "--thresh", 0)[0] == 0
    whole = {track["track_id"]: track["scores"] for track in parts(tmp_path / "out")[3]["annotations"]}
    second = {track["track_id"]: track["scores"] for track in files[1]["annotations"]}
    assert len(second) > 1
    assert all(scores == whole[track_id][10:20] for track_id, scores in second.items())


def test_a_camera_recorded_again_keeps_the_earlier_recording(on_cpu, camera, tmp_path):
    camera(3)
    for _ in range(2):
        assert on_cpu("rtsp://cam.local/live")[0] == 0
    names = [path.name for path in sorted((tmp_path / "out").glob("*.json"))]
    assert len(names) == 2
    assert [name[-9:] for name in names] == ["0001.json", "0002.json"]


def test_ctrl_c_ends_a_camera_and_keeps_all_of_its_frames(on_cpu, camera, tmp_path, monkeypatch):
    camera(1000)
    push = VideoStream.push_frames

    def stopped(stream, given, times_s):
        tracks = push(stream, given, times_s)
        if stream.num_frames == 12:
            signal.raise_signal(signal.SIGINT)
        return tracks

    monkeypatch.setattr(VideoStream, "push_frames", stopped)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, said, _ = on_cpu("rtsp://cam.local/live", "--segment", 0.85)
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert [part["videos"][0]["frames_read"] for part in parts(tmp_path / "out")] == [10, 2]
    assert "hold the last 2 of 12 frames, earlier files the rest" in said


def test_a_camera_holds_memory_for_one_stretch_alone(on_cpu, camera, monkeypatch):
    held = []
    push = VideoStream.push_frames

    def measured(stream, given, times_s):
        held.append(stream.accumulator.num_frames)
        return push(stream, given, times_s)

    monkeypatch.setattr(VideoStream, "push_frames", measured)
    camera(60)
    on_cpu("rtsp://cam.local/live", "--segment", 0.85, "--save", "json")
    assert len(held) == 60
    assert max(held) == 9
