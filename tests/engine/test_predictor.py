"""Streams: one video each, independent of each other, frame by frame as in chunks."""

import numpy as np
import pytest
import torch
from pycocotools.mask import area

from mmdet.config import load_config
from mmdet.datasets import ResizeKeepRatio, VideoInfo
from mmdet.engine.predictor import VideoPredictor
from mmdet.engine.testing import share_videos
from mmdet.models import VISModel
from mmdet.structures import ClipBatch
from mmdet.tracking import Tracker


def make_predictor(**parts):
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
        **parts,
    )
    return VideoPredictor(model, Tracker(), [ResizeKeepRatio(96, 64)])


@pytest.fixture(scope="module")
def predictor():
    return make_predictor()


@pytest.fixture(scope="module")
def calibrated():
    """A predictor whose frames depend on the ones before them, by as much as on themselves."""
    predictor = make_predictor(temporal_neck={"type": "TemporalCalibration", "patch_size": 4, "hidden_channels": 8})
    (level,) = predictor.model.temporal_neck.calibrations
    torch.nn.init.normal_(level.weight, std=0.1)
    torch.nn.init.normal_(level.offset_conv.bias, std=2.0)
    return predictor


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


@pytest.mark.parametrize("kind", ["predictor", "calibrated"])
def test_two_streams_interleaved_equal_one_after_the_other(kind, request):
    predictor = request.getfixturevalue(kind)
    first, second = video(1), video(2)
    alone = [result_of(predictor, first), result_of(predictor, second)]
    streams = [predictor.stream((50, 75)), predictor.stream((50, 75))]
    for frames in zip(first, second, strict=True):
        for stream, frame in zip(streams, frames, strict=True):
            stream.push(frame)
    assert [stream.finish() for stream in streams] == alone


def chunks(predictor, frames, video_id, size):
    """Batches of up to `size` frames of a video."""
    prepared = [predictor.prepare(frame, video_id, index) for index, frame in enumerate(frames)]
    for start in range(0, len(frames), size):
        part = prepared[start : start + size]
        yield ClipBatch(
            images=torch.cat([batch.images for batch in part]),
            valid=torch.cat([batch.valid for batch in part]),
            truths=sum((batch.truths for batch in part), ()),
            metas=sum((batch.metas for batch in part), ()),
            reference_jitter=sum((batch.reference_jitter for batch in part), ()),
        )


def numbers(result):
    """Return scores, boxes and the part of the frame that masks take, of all tracks of a video, frame by frame."""
    rows, pixels = [], result.size[0] * result.size[1]
    for tube in result.tubes:
        for frame, rle in enumerate(tube.segmentations):
            if rle is not None:
                rows.append([frame, tube.track_id, tube.scores[frame], *tube.boxes[frame], area(rle) / pixels])
    return torch.tensor(rows)


@pytest.mark.parametrize("kind", ["predictor", "calibrated"])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_videos_in_chunks_give_what_their_streams_give(kind, size, request):
    predictor = request.getfixturevalue(kind)
    videos = {1: video(1, length=8), 2: video(2, length=4)}
    infos = [VideoInfo(video_id, (50, 75), ["frame.jpg"] * len(frames)) for video_id, frames in videos.items()]
    batches = (batch for video_id, frames in videos.items() for batch in chunks(predictor, frames, video_id, size))
    for result, frames in zip(predictor.run(batches, infos), videos.values(), strict=True):
        streamed = numbers(result_of(predictor, frames))
        assert len(streamed) > 0
        torch.testing.assert_close(numbers(result), streamed, atol=1e-3, rtol=1e-3)


def test_a_frame_is_calibrated_by_the_one_before_it_and_the_first_by_itself(calibrated):
    frames = video(3, length=2)
    stream = calibrated.stream((50, 75))
    first, second = (stream.push(frame) for frame in frames)
    alone, again = calibrated.stream((50, 75)), calibrated.stream((50, 75))
    assert torch.equal(alone.push(frames[0]).boxes, first.boxes)
    assert not torch.equal(again.push(frames[1]).scores, second.scores)


def test_a_stream_of_a_per_frame_model_keeps_nothing_of_its_frames(predictor):
    stream = predictor.stream((50, 75))
    stream.push(video(0)[0])
    assert stream.context is None


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
