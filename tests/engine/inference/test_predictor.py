"""Streams: one video each, independent of each other, frame by frame as in chunks."""

import contextlib
import json

import cv2
import numpy as np
import pytest
import torch
from pycocotools.mask import area

from mmdet.config import EvalData, load_config
from mmdet.datasets import RandomFlip, RawFrame, ResizeKeepRatio, VideoInfo
from mmdet.engine.inference import predictor as predictor_module
from mmdet.engine.inference.chunks import one_behind
from mmdet.engine.inference.frame_batch import FramePreparation
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.inference.testing.dataset import build_test_dataset, share_videos
from mmdet.errors import UserError
from mmdet.models.build import build_model
from mmdet.structures import ClipSample, FrameMeta, FrameTruth, collate_clips


@pytest.fixture(scope="module")
def predictor(tiny_video):
    return tiny_video.make_predictor()


@pytest.fixture(scope="module")
def plus(tiny_video):
    """A predictor with the second model and its tracker."""
    return tiny_video.make_predictor("plus")


@pytest.fixture(scope="module")
def two_stage(tiny_video):
    """A predictor with a two-stage model, which compares vectors by inner products."""
    return tiny_video.make_predictor("two_stage")


@pytest.fixture(scope="module")
def calibrated(tiny_video):
    """A predictor whose frames depend on the ones before them, by as much as on themselves."""
    predictor = tiny_video.make_predictor(
        temporal_neck={"type": "TemporalCalibration", "patch_size": 4, "hidden_channels": 8}
    )
    (level,) = predictor.model.temporal_neck.calibrations
    torch.nn.init.normal_(level.weight, std=0.1)
    torch.nn.init.normal_(level.offset_conv.bias, std=2.0)
    return predictor


def result_of(predictor, frames):
    stream = predictor.stream(frames.shape[1:3])
    for frame in frames:
        stream.push(frame)
    return stream.finish()


def test_a_stream_gives_tracks_at_the_size_of_its_frames(tiny_video, predictor):
    stream = predictor.stream((50, 75), video_id=7)
    tracks = stream.push(tiny_video.make_video(0)[0])
    assert tracks.masks.shape[1:] == (50, 75)
    assert len(tracks) > 0
    result = stream.finish()
    assert (result.video_id, result.num_frames, len(result.tubes)) == (7, 1, len(tracks))


@pytest.mark.parametrize("kind", ["predictor", "calibrated", "plus", "two_stage"])
def test_two_streams_interleaved_equal_one_after_the_other(tiny_video, kind, request):
    predictor = request.getfixturevalue(kind)
    first, second = tiny_video.make_video(1), tiny_video.make_video(2)
    alone = [result_of(predictor, first), result_of(predictor, second)]
    streams = [predictor.stream((50, 75)), predictor.stream((50, 75))]
    for frames in zip(first, second, strict=True):
        for stream, frame in zip(streams, frames, strict=True):
            stream.push(frame)
    assert [stream.finish() for stream in streams] == alone


def numbers(result):
    """Return scores, boxes and the part of the frame that masks take, of all tracks of a video, frame by frame."""
    rows, pixels = [], result.size[0] * result.size[1]
    for tube in result.tubes:
        for frame, rle in enumerate(tube.segmentations):
            if rle is not None:
                rows.append([frame, tube.track_id, tube.scores[frame], *tube.boxes[frame], area(rle) / pixels])
    return torch.tensor(rows)


@pytest.mark.parametrize("kind", ["predictor", "calibrated", "plus", "two_stage"])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_videos_in_chunks_give_what_their_streams_give(tiny_video, kind, size, request):
    predictor = request.getfixturevalue(kind)
    videos, infos, batches = tiny_video.make_set(predictor, size)
    for result, frames in zip(predictor.run(batches, infos), videos.values(), strict=True):
        streamed = numbers(result_of(predictor, frames))
        assert len(streamed) > 0
        torch.testing.assert_close(numbers(result), streamed, atol=1e-3, rtol=1e-3)


def test_a_frame_is_calibrated_by_the_one_before_it_and_the_first_by_itself(tiny_video, calibrated):
    frames = tiny_video.make_video(3, length=2)
    stream = calibrated.stream((50, 75))
    first, second = (stream.push(frame) for frame in frames)
    alone, again = calibrated.stream((50, 75)), calibrated.stream((50, 75))
    assert torch.equal(alone.push(frames[0]).boxes, first.boxes)
    assert not torch.equal(again.push(frames[1]).scores, second.scores)


def test_a_stream_of_a_per_frame_model_keeps_nothing_of_its_frames(tiny_video, predictor):
    stream = predictor.stream((50, 75))
    stream.push(tiny_video.make_video(0)[0])
    assert stream.context is None


def test_a_frame_of_another_size_or_type_is_named(predictor):
    stream = predictor.stream((50, 75))
    with pytest.raises(UserError, match="frame 0 is 74x50, the video 75x50"):
        stream.push(np.zeros((50, 74, 3), np.uint8))
    with pytest.raises(UserError, match="frame 0 has type float32"):
        stream.push(np.zeros((50, 75, 3), np.float32))
    assert stream.num_frames == 0


def test_videos_are_shared_by_their_length():
    shares = share_videos([10, 1, 9, 2, 8], ranks=2)
    assert sorted(video for share in shares for video in share) == [0, 1, 2, 3, 4]
    frames = [sum([10, 1, 9, 2, 8][video] for video in share) for share in shares]
    assert max(frames) <= 4 / 3 * sum(frames) / 2  # what longest-first guarantees
    assert shares == [[0, 1, 3], [2, 4]]  # the longest first, each to whoever has least
    assert share_videos([5], ranks=3) == [[0], [], []]


def test_the_predictor_of_a_config_resizes_as_its_test_data():
    config = load_config("configs/vitmae_cnp_contrast_ms_1x.py", ["model.backbone.embed_dim=48"])
    predictor = VideoPredictor.from_model(build_model(config), config, "cpu")
    batch = predictor.prepare(np.zeros((720, 1280, 3), np.uint8), video_id=1, frame_index=0)
    assert batch.metas[0][0].input_size == (480, 853)
    assert batch.images.shape == (1, 1, 3, 480, 864)


@pytest.mark.parametrize(
    "transforms",
    [[ResizeKeepRatio(96, 64)], [ResizeKeepRatio(96, 64), RandomFlip(1.0)], [], [ResizeKeepRatio(128, 96)] * 2],
)
@pytest.mark.parametrize("size", [(50, 75), (64, 96), (33, 31)])
def test_a_frame_is_prepared_as_a_loader_would(tiny_video, transforms, size, monkeypatch):
    # memory of the past is not always zero
    monkeypatch.setattr(torch, "empty", lambda *all, pin_memory, **kw: torch.full(all, 77, **kw))
    (frame,) = tiny_video.make_video(4, length=1, size=size)
    kept = frame.copy()
    batch = FramePreparation(transforms, pinned=False)(frame, video_id=3, frame_index=9)
    raw = [RawFrame(image=frame, boxes=np.zeros((0, 4)), masks=np.zeros((0, *size)), scale=1.0, original_size=size)]
    for transform in transforms:
        raw = transform(raw, np.random.default_rng(0))
    image = torch.from_numpy(raw[0].image.copy()).permute(2, 0, 1)[None]
    sample = ClipSample(
        images=image,
        truths=(FrameTruth.empty(image.shape[-2:]),),
        metas=(
            FrameMeta(
                video_id=3,
                frame_index=9,
                original_size=size,
                input_size=tuple(image.shape[-2:]),
                scale=raw[0].scale,
            ),
        ),
        reference_jitter=torch.zeros(0, 4),
    )
    expected = collate_clips([sample])
    assert torch.equal(batch.images, expected.images)
    assert torch.equal(batch.valid, expected.valid)
    assert (batch.metas, batch.truth) == (expected.metas, expected.truth)
    assert np.array_equal(frame, kept)


def test_frames_that_are_prepared_keep_their_pixels(tiny_video, predictor):
    frames = tiny_video.make_video(4)
    batches = [predictor.prepare(frame, 1, index) for index, frame in enumerate(frames)]
    assert batches[0].valid is batches[1].valid
    for index, frame in enumerate(frames):
        assert torch.equal(predictor.prepare(frame, 1, index).images, batches[index].images)


def test_an_item_comes_once_the_next_one_is_there():
    asked = []

    def items():
        for item in range(4):
            asked.append(item)
            yield item

    assert [(item, max(asked)) for item in one_behind(items())] == [(0, 1), (1, 2), (2, 3), (3, 3)]
    assert list(one_behind([])) == []


def test_one_chunk_behind_all_videos_have_the_same_results(tiny_video, predictor, monkeypatch):
    videos = {1: tiny_video.make_video(1, length=5), 2: tiny_video.make_video(2, length=2)}
    infos = [VideoInfo(video_id, (50, 75), ["frame.jpg"] * len(frames)) for video_id, frames in videos.items()]

    def batches():
        return (
            batch
            for video_id, frames in videos.items()
            for batch in tiny_video.make_chunks(predictor, frames, video_id, 2)
        )

    expected = list(predictor.run(batches(), infos))
    steps = []
    for name in ("launch", "track"):
        plain = getattr(predictor_module.VideoStream, name)
        monkeypatch.setattr(
            predictor_module.VideoStream, name, lambda *all, n=name, p=plain: (steps.append(n), p(*all))[1]
        )
    # as on a GPU, whose second queue is any object here
    monkeypatch.setattr(predictor, "queue_beside", object())
    monkeypatch.setattr(torch.cuda, "stream", lambda queue: contextlib.nullcontext())
    assert list(predictor.run(batches(), infos)) == expected
    assert steps == ["launch", *["launch", "track"] * 3, "track"]


def test_tracks_are_the_callers_own(tiny_video, predictor):
    frames = tiny_video.make_video(5)
    stream, untouched = predictor.stream((50, 75)), predictor.stream((50, 75))
    for frame in frames:
        tracks = stream.push(frame)
        for tensor in (tracks.boxes, tracks.embeddings, tracks.masks):
            tensor.zero_()
        untouched.push(frame)
    assert stream.finish() == untouched.finish()


@pytest.mark.parametrize(("kind", "reason"), [("predictor", "the device is no GPU")])
def test_graphs_that_cannot_be_are_reported_and_left_out(tiny_video, kind, reason, request, caplog):
    plain = request.getfixturevalue(kind)
    graphed = VideoPredictor(plain.model, plain.tracker, plain.transforms, cuda_graph=True)
    assert reason in caplog.text
    assert result_of(graphed, tiny_video.make_video(1)) == result_of(plain, tiny_video.make_video(1))


@pytest.mark.parametrize("said", [{}, {"test_mode": True}, {"test_mode": False}], ids=["unsaid", "true", "false"])
def test_the_videos_of_data_test_are_tested_whole_whatever_test_mode_says(tmp_path, said):
    frames = [f"{index}.jpg" for index in range(3)]
    videos = [{"id": 1, "width": 64, "height": 48, "length": 3, "file_names": frames}]
    source = {"videos": videos, "categories": [{"id": 1, "name": "cat"}], "annotations": []}
    (tmp_path / "valid.json").write_text(json.dumps(source))
    for name in frames:
        cv2.imwrite(str(tmp_path / name), np.zeros((48, 64, 3), np.uint8))
    data = {"type": "VISDataset", "ann_file": str(tmp_path / "valid.json"), "img_prefix": str(tmp_path)}
    dataset = build_test_dataset(EvalData(dataset={**data, "transforms": [], **said}), "config.data.test")
    assert (dataset.test_mode, len(dataset)) == (True, 3)


@pytest.mark.parametrize(
    ("about", "names", "ids"),
    [
        ({"class_names": ["cat", "dog", "cow"], "category_ids": [3, 8, 21]}, ("cat", "dog", "cow"), (3, 8, 21)),
        ({"class_names": ["cat", "dog", "cow"]}, ("cat", "dog", "cow"), (0, 1, 2)),
        ({"category_ids": [3, "8", 21]}, ("0", "1", "2"), (0, 1, 2)),
        ({}, ("0", "1", "2"), (0, 1, 2)),
    ],
)
def test_a_predictor_knows_the_classes_and_categories_of_its_checkpoint(tmp_path, about, names, ids):
    config = load_config("configs/baselines/golden_small.py", ["model.head.num_classes=3"])
    torch.save({"model": build_model(config).state_dict(), "about": about}, tmp_path / "weights.pth")
    predictor = VideoPredictor.from_checkpoint(config, tmp_path / "weights.pth")
    assert (predictor.class_names, predictor.category_ids) == (names, ids)


def test_what_a_stream_says_of_tracks_at_the_end_is_what_its_result_says(tiny_video, predictor):
    stream = predictor.stream((50, 75))
    said = {}
    for frame in tiny_video.make_video(4, length=6):
        tracks = stream.push(frame)
        said |= {
            track_id: figures
            for track_id, *figures in zip(
                tracks.track_ids.tolist(), tracks.track_labels.tolist(), tracks.track_scores.tolist(), strict=True
            )
        }
    tubes = stream.finish().tubes
    assert {tube.track_id: [tube.label, pytest.approx(tube.score, rel=1e-6)] for tube in tubes} == said


def test_tracks_of_a_stream_count_frames_and_carry_times_and_names(tiny_video, predictor):
    stream = predictor.stream((50, 75))
    first, second = (
        stream.push(frame, time_s) for frame, time_s in zip(tiny_video.make_video(0, 2), (0.5, None), strict=True)
    )
    assert [first.frame_index, second.frame_index] == [0, 1]
    assert [first.time_s, second.time_s] == [0.5, None]
    assert set(first.names) <= set(predictor.class_names)


def test_another_number_of_times_than_of_frames_is_refused_before_anything_is_tracked(tiny_video, predictor):
    stream = predictor.stream((50, 75))
    with pytest.raises(ValueError, match="1 times for 2 frames"):
        stream.push_frames(tiny_video.make_video(0, length=2), [0.5])
    assert stream.num_frames == stream.state.frame == 0
