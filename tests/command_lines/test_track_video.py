"""Tracking one's own video: a file or a folder of images."""

import importlib.util
import json
import sys

import cv2
import numpy as np
import pytest
import torch

from mmdet.engine.outcomes import run_command_line


@pytest.fixture
def track(monkeypatch, capsys):
    """Run tools/track_video.py in this process; return its exit code and what it said on stderr."""
    spec = importlib.util.spec_from_file_location("track_video", "tools/track_video.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["track_video.py", *map(str, arguments)])
        code = 0
        try:
            run_command_line(module.main)
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().err

    call.module = module
    return call


def test_a_folder_and_the_video_made_of_it_are_tracked(track, config, checkpoint, tiny_set, tmp_path):
    folder = sorted((tiny_set / "valid_images").iterdir())[0]
    arguments = ("--out", tmp_path, "--thresh", 0, "--device", "cpu")
    assert track(config, checkpoint, folder, *arguments)[0] == 0
    entries = json.loads((tmp_path / f"{folder.name}.json").read_text())
    assert entries
    assert all(len(entry["segmentations"]) == 4 for entry in entries)
    video = tmp_path / f"{folder.name}.mp4"
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 4
    again = tmp_path / "again"
    assert track(config, checkpoint, video, "--out", again, "--device", "cpu")[0] == 0
    assert (again / f"{folder.name}.json").is_file()


def test_a_video_that_cannot_be_read_is_named(track, config, checkpoint, tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    code, said = track(config, checkpoint, tmp_path / "no.mp4", "--out", tmp_path, "--device", "cpu")
    assert code == 2
    assert "no.mp4 has no frame" in said


def test_the_checkpoint_is_read_once_and_names_the_classes(track, config, checkpoint, tiny_set, tmp_path, monkeypatch):
    reads, drawn = [], []
    load, draw = torch.load, track.module.objects_of_tracks
    monkeypatch.setattr(torch, "load", lambda *args, **settings: reads.append(args) or load(*args, **settings))
    monkeypatch.setattr(
        track.module,
        "objects_of_tracks",
        lambda tracks, names, least: drawn.append(names) or draw(tracks, names, least),
    )
    folder = sorted((tiny_set / "valid_images").iterdir())[0]
    assert track(config, checkpoint, folder, "--out", tmp_path, "--device", "cpu")[0] == 0
    assert len(reads) == 1
    assert drawn[0] == tuple(load(checkpoint, weights_only=True)["about"]["class_names"])


def test_a_checkpoint_with_an_object_is_tracked_with_only_if_trusted(track, config, checkpoint, tiny_set, tmp_path):
    torch.save({**torch.load(checkpoint, weights_only=True), "seconds": np.float64(1.5)}, tmp_path / "unsafe.pth")
    folder = sorted((tiny_set / "valid_images").iterdir())[0]
    arguments = (config, tmp_path / "unsafe.pth", folder, "--out", tmp_path, "--device", "cpu")
    code, said = track(*arguments)
    assert code == 2
    assert "--trust-checkpoint" in said
    assert track(*arguments, "--trust-checkpoint")[0] == 0
