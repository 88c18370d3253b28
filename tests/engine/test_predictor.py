"""Streams: one video each, independent of each other, frame by frame as in chunks."""

import numpy as np
import pytest
import torch

from mmdet.config import load_config
from mmdet.datasets import ResizeKeepRatio
from mmdet.engine.predictor import VideoPredictor
from mmdet.engine.testing import share_videos
from mmdet.models import VISModel
from mmdet.tracking import Tracker


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    model = VISModel(
        backbone={
            "type": "ViTMAE",
            "embed_dim": 32,
            "depth": 3,
            "num_heads": 2,
            "out_blocks": (0, 1, 2),
            "reset_blocks": (),
        },
        neck={"type": "FPN", "channels": 32},
        head={"type": "SipMaskHead", "num_classes": 3, "norm_groups": 8, "memory": {"type": "CNPMemory"}},
        criterion={"type": "Criterion", "assigner": {"type": "UncertaintyAssigner"}},
        postprocess={"type": "PostProcess", "score_threshold": 1e-4, "max_per_image": 5},
    )
    return VideoPredictor(model, Tracker(), [ResizeKeepRatio(96, 64)])


def video(seed, length=4, size=(50, 75)):
    return np.random.default_rng(seed).integers(0, 256, (length, *size, 3), dtype=np.uint8)


def result_of(predictor, frames):
    stream = predictor.stream(frames.shape[1:3])
    for frame in frames:
        stream.push(frame)
    return stream.finish()


def test_a_stream_gives_tracks_at_the_size_of_its_frames(predictor):
    stream = predictor.stream((50, 75), video_id=7)
    tracks = stream.push(video(0)[0])
    assert tracks.masks.shape[1:] == (50, 75)
    assert len(tracks) > 0
    result = stream.finish()
    assert (result.video_id, result.num_frames, len(result.tubes)) == (7, 1, len(tracks))


def test_two_streams_interleaved_equal_one_after_the_other(predictor):
    first, second = video(1), video(2)
    alone = [result_of(predictor, first), result_of(predictor, second)]
    streams = [predictor.stream((50, 75)), predictor.stream((50, 75))]
    for frames in zip(first, second, strict=True):
        for stream, frame in zip(streams, frames, strict=True):
            stream.push(frame)
    assert [stream.finish() for stream in streams] == alone


def test_a_frame_of_another_size_or_type_is_named(predictor):
    stream = predictor.stream((50, 75))
    with pytest.raises(ValueError, match=r"frame 0: expected uint8 of shape \(50, 75, 3\), got uint8 of shape"):
        stream.push(np.zeros((50, 74, 3), np.uint8))
    with pytest.raises(ValueError, match="got float32"):
        stream.push(np.zeros((50, 75, 3), np.float32))


def test_videos_are_shared_by_their_length():
    shares = share_videos([10, 1, 9, 2, 8], ranks=2)
    assert sorted(video for share in shares for video in share) == [0, 1, 2, 3, 4]
    frames = [sum([10, 1, 9, 2, 8][video] for video in share) for share in shares]
    assert max(frames) <= 4 / 3 * sum(frames) / 2  # what longest-first guarantees
    assert share_videos([5], ranks=3) == [[0], [], []]


def test_the_predictor_of_a_config_resizes_as_its_test_data():
    config = load_config("configs/vitmae_cnp_contrast_ms_1x.py", ["model.backbone.embed_dim=48"])
    from mmdet.models.build import build_model

    predictor = VideoPredictor.from_model(build_model(config), config, "cpu")
    batch = predictor.prepare(np.zeros((720, 1280, 3), np.uint8), video_id=1, frame_index=0)
    assert batch.metas[0][0].input_size == (480, 853)
    assert batch.images.shape == (1, 1, 3, 480, 864)
