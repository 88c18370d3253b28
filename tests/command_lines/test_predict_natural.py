"""tools/predict.py on a clip that looks and codes like a camera's: what it writes is whole and agrees with the clip."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch
from natural_clip import colour_bias, make_clip, peak_signal_to_noise, write_clip
from programs import load_program
from pycocotools import mask as coco_mask

from mmdet.engine.process.endings import end_of
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.fileio.pictures.video import open_video

LENGTH, RATE, FACTOR = 10, 30, 3  # a frame of 144 rows is drawn three times as large
LEAST_PSNR_DB = 29  # after coding twice
MOST_BIAS = 5  # grey values, of the mean colour inside of an object: right are 2.5 to 4, wrong matrix or range 11 to 21


@pytest.fixture(scope="module")
def clip():
    return make_clip(length=LENGTH, seed=3)


@pytest.fixture
def masks_fill_boxes(checkpoint, tmp_path):
    """A checkpoint whose masks fill their boxes: those of a network at its start are empty."""
    state = torch.load(checkpoint, weights_only=True)
    for name in ("head.mask_fuse.bias", "head.embedding_fuse.bias"):
        state["model"][name].fill_(1)
    torch.save(state, tmp_path / "filled.pth")
    return tmp_path / "filled.pth"


@pytest.fixture
def predict(config, masks_fill_boxes, tmp_path, monkeypatch):
    """Predict on a video; return the json and the frames of the mp4."""

    def call(path, *options):
        arguments = [config, masks_fill_boxes, path, "--out", tmp_path / "out", "--device", "cpu", *options]
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
        assert end_of(load_program("tools/predict").main) is None
        written = tmp_path / "out" / path.name
        return json.loads(written.with_suffix(".json").read_text()), list(open_video(written))

    return call


def smaller(picture):
    height, width = picture.shape[:2]
    return cv2.resize(picture, (width // FACTOR, height // FACTOR), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("turned", [0, 90])
def test_every_frame_is_written_at_its_time_in_its_colours(predict, clip, tmp_path, turned):
    path = write_clip(tmp_path / "clip.mp4", clip, rate=RATE, matrix="bt709", turned=turned)
    written, frames = predict(path, "--thresh", 1)
    true = [np.rot90(frame, -1) if turned else frame for frame in clip.frames]
    masks = [np.rot90(frame, -1, axes=(1, 2)) if turned else frame for frame in clip.masks]
    (video,) = written["videos"]
    assert (video["height"], video["width"], video["length"]) == (*true[0].shape[:2], LENGTH)
    assert (video["frames_read"], video["frames_promised"], video["complete"]) == (LENGTH, LENGTH, True)
    assert video["times"] == pytest.approx([index / RATE for index in range(LENGTH)], abs=1e-6)
    assert [frame.time_s for frame in frames] == pytest.approx(video["times"], abs=1e-3)
    for index, frame in enumerate(frames):
        picture = smaller(frame.image)
        assert peak_signal_to_noise(picture, true[index]) > LEAST_PSNR_DB
        assert colour_bias(picture, true[index], masks[index]) < MOST_BIAS


def test_the_json_agrees_with_itself_and_with_the_masks(predict, clip, tmp_path):
    written, _ = predict(
        write_clip(tmp_path / "clip.mp4", clip, rate=RATE), "--thresh", 0, "--save", "video,json,masks"
    )
    assert written["annotations"]
    for item in written["annotations"]:
        masks = [rle and coco_mask.decode(rle) for rle in item["segmentations"]]
        seen = [mask is not None for mask in masks]
        assert len(masks) == LENGTH
        assert any(seen)
        for field in ("scores", "areas", "bboxes"):
            assert [value is not None for value in item[field]] == seen
        assert all(mask.shape == (144, 256) for mask in masks if mask is not None)
        assert [mask is not None and int(mask.sum()) for mask in masks] == [area or 0 for area in item["areas"]]
        assert item["score"] == pytest.approx(np.mean([s for s in item["scores"] if s is not None]), abs=1e-5)
    pictures = sorted((tmp_path / "out/clip/masks").glob("*.png"))
    assert len(pictures) == LENGTH
    for index, path in enumerate(pictures):
        found = np.zeros((144, 256), bool)
        for item in written["annotations"]:
            if item["segmentations"][index]:
                found |= coco_mask.decode(item["segmentations"][index]).astype(bool)
        drawn = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert np.array_equal((drawn if drawn.ndim == 2 else drawn.max(axis=2)) > 0, found)


def test_the_json_is_read_as_an_annotation_file(predict, clip, tmp_path):
    predict(write_clip(tmp_path / "clip.mp4", clip, rate=RATE), "--thresh", 0)
    data = load_vis_json(tmp_path / "out/clip.json")
    assert [(video.size, len(video.file_names)) for video in data.videos] == [((144, 256), LENGTH)]
    assert data.tracks
    assert not data.notes
