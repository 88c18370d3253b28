"""Streams and sets on a GPU: as on the CPU, as CUDA graphs and one chunk behind, in memory that does not grow."""

import numpy as np
import pytest
import torch

from mmdet.datasets import VideoInfo
from mmdet.engine.inference.predictor import VideoPredictor

pytestmark = pytest.mark.cuda


@pytest.fixture(autouse=True)
def on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")


@pytest.fixture(params=["published", "plus"])
def made(tiny_video, request):
    """A predictor on the CPU."""
    return tiny_video.make_predictor(request.param)


def on_gpu(predictor, **speed):
    return VideoPredictor(predictor.model, predictor.tracker, predictor.transforms, "cuda", **speed)


def streamed(predictor, frames):
    stream = predictor.stream(frames.shape[1:3])
    return [stream.push(frame) for frame in frames], stream.finish()


def assert_alike(first, second):
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert one.track_ids.tolist() == other.track_ids.tolist()
        torch.testing.assert_close(one.boxes.cpu(), other.boxes.cpu(), atol=1e-2, rtol=1e-3)
        assert (one.masks.cpu() != other.masks.cpu()).float().mean() < 1e-2


def test_a_gpu_streams_what_the_cpu_streams(tiny_video, made):
    predictor, frames = made, tiny_video.make_video(1)
    expected = streamed(predictor, frames)[0]
    tracks = streamed(on_gpu(predictor), frames)[0]
    assert_alike(tracks, expected)
    assert all(frame.masks.is_cuda and not frame.boxes.is_cuda for frame in tracks)


def test_a_cuda_graph_gives_what_launching_gives(tiny_video, made, caplog):
    predictor = on_gpu(made)
    graphed = on_gpu(predictor, cuda_graph=True)
    for frames in (tiny_video.make_video(1), tiny_video.make_video(2, size=(60, 60)), tiny_video.make_video(3)):
        assert_alike(streamed(graphed, frames)[0], streamed(predictor, frames)[0])
    assert not caplog.records
    assert len(graphed.detector._graphs._graphs) == 2


def test_a_graph_draws_masks_that_are_the_callers_own(tiny_video, made):
    graphed = on_gpu(made, cuda_graph=True)
    stream, again = graphed.stream((50, 75)), graphed.stream((50, 75))
    frames = tiny_video.make_video(1)
    kept = [stream.push(frame).masks for frame in frames]
    for masks, frame in zip(kept, frames, strict=True):
        assert torch.equal(again.push(frame).masks, masks)
    assert any(masks.any() for masks in kept)


def test_a_frame_is_prepared_in_page_locked_memory_and_copied_as_it_is(tiny_video):
    predictor = on_gpu(tiny_video.make_predictor())
    batch = predictor.prepare(tiny_video.make_video(1)[0], 1, 0)
    assert batch.images.is_pinned()
    assert batch.valid.is_pinned()
    copied = batch.images.to("cuda", non_blocking=True)
    assert copied.stride() == batch.images.stride()
    assert torch.equal(copied.cpu(), batch.images)


def test_streams_that_share_graphs_do_not_disturb_each_other(tiny_video, made):
    graphed = on_gpu(made, cuda_graph=True)
    first, second = tiny_video.make_video(1), tiny_video.make_video(2)
    alone = [streamed(graphed, frames)[1] for frames in (first, second)]
    streams = [graphed.stream((50, 75)), graphed.stream((50, 75))]
    for frames in zip(first, second, strict=True):
        for stream, frame in zip(streams, frames, strict=True):
            stream.push(frame)
    assert [stream.finish() for stream in streams] == alone


def test_what_cannot_be_recorded_runs_without_a_graph_after_one_warning(tiny_video, caplog):
    predictor = on_gpu(tiny_video.make_predictor())
    graphed = on_gpu(predictor, cuda_graph=True)
    postprocess = graphed.model.postprocess

    class Waiting(type(postprocess)):
        def detect(self, outputs, metas):
            outputs.cls_logits.sum().item()
            return super().detect(outputs, metas)

    expected = streamed(predictor, tiny_video.make_video(1))[0]
    graphed.model.postprocess = Waiting(**vars(postprocess))
    assert_alike(streamed(graphed, tiny_video.make_video(1))[0], expected)
    assert ["no CUDA graph" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("size", [1, 3])
def test_chunks_one_behind_give_what_streams_give(tiny_video, made, size):
    predictor = on_gpu(made)
    videos, infos, batches = tiny_video.make_set(predictor, size)
    for result, frames in zip(predictor.run(batches, infos), videos.values(), strict=True):
        expected = streamed(predictor, frames)[1]
        assert [tube.track_id for tube in result.tubes] == [tube.track_id for tube in expected.tubes]
        for tube, other in zip(result.tubes, expected.tubes, strict=True):
            assert [code is None for code in tube.segmentations] == [code is None for code in other.segmentations]
            scores = [[score or 0.0 for score in each.scores] for each in (tube, other)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_memory_does_not_grow_with_a_video(tiny_video):
    predictor = on_gpu(tiny_video.make_predictor())
    frames = tiny_video.make_video(1)
    peaks = []
    for length in (8, 8, 64):
        torch.cuda.reset_peak_memory_stats()
        info = VideoInfo(1, (50, 75), ["frame.jpg"] * length)
        (result,) = predictor.run(
            tiny_video.make_chunks(predictor, np.resize(frames, (length, *frames.shape[1:])), 1, 2), [info]
        )
        assert result.num_frames == length
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[2] <= 1.05 * peaks[1]
