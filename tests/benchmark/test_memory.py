"""Memory over long videos: nothing is kept of a frame but its results, and a video is never read as a whole."""

import gc
import time
import tracemalloc
import weakref
from multiprocessing import Value

import numpy as np
import pytest
import torch

from mmdet.benchmark import memory as memory_probe
from mmdet.benchmark.memory import MemorySample, check_masks, growth, measure, smooth_masks, synthetic_frames
from mmdet.config import load_config
from mmdet.datasets import VISDataset, make_test_loader
from mmdet.datasets.synthetic.demo_set import generate_demo_set
from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.errors import UserError
from mmdet.models.build import build_model

SIZE = (48, 64)
FRAMES = 12
SLACK = 20_000  # bytes that Python's own tables may take beside the results
ONE_FRAME = SIZE[0] * SIZE[1]  # bytes of the least that could be kept of it: one mask


@pytest.fixture(scope="module")
def predictor():
    settings = ["model.postprocess.score_threshold=-1.0", "model.postprocess.max_per_image=6"]
    config = load_config("configs/demo/memcnp_demo.py", settings)
    torch.manual_seed(0)
    model = build_model(config)
    smooth_masks(model)
    return VideoPredictor.from_model(model, config, "cpu")


def live_tensors():
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def test_nothing_of_a_frame_is_kept_but_its_results(predictor):
    stream = predictor.stream(SIZE)
    tensors, beside = [], []
    tracemalloc.start()
    try:
        for index, frame in enumerate(synthetic_frames(3 * FRAMES, SIZE), start=1):
            stream.push(frame)
            if index % FRAMES == 0:
                tensors.append(live_tensors())
                beside.append(tracemalloc.get_traced_memory()[0] - stream.accumulator.held_bytes())
    finally:
        tracemalloc.stop()
    assert tensors[2] == tensors[1]  # the first frames are the warm-up
    assert SLACK < FRAMES * ONE_FRAME
    assert beside[2] - beside[1] < SLACK


def test_the_results_are_counted_as_they_grow(predictor):
    stream = predictor.stream(SIZE)
    held = [0]
    for frame in synthetic_frames(4, SIZE):
        assert len(stream.push(frame)) > 0
        held.append(stream.accumulator.held_bytes())
    codes = [code for tube in stream.finish().tubes for code in tube.segmentations if code is not None]
    assert held == sorted(set(held))
    assert sum(len(code["counts"]) for code in codes) < held[-1]


def test_samples_come_after_every_so_many_frames(predictor):
    samples = list(measure(predictor, synthetic_frames(5, SIZE), SIZE, every=2))
    assert [sample.frame for sample in samples] == [2, 4]
    assert all(sample.rest > 0 and 0 < sample.objects <= 6 and sample.gpu_peak == 0 for sample in samples)


def test_growth_is_that_of_the_medians_of_the_first_and_last_quarter_after_the_warm_up():
    resident = [1.0, 100.0, 100.0, 190.0, 110.0, 110.0, 110.0, 112.0, 112.0, 112.0, 10.0, 115.0, 115.0]
    samples = [
        MemorySample(frame=f, rss=r, results=r / 2, gpu_allocated=8.0, gpu_peak=r, gpu_reserved=0.0, objects=1.0)
        for f, r in enumerate(resident)
    ]
    grown = growth(samples, warm_up=1)
    assert grown == pytest.approx({"rest": 15, "gpu_allocated": 0, "gpu_peak": 15, "gpu_reserved": 0})
    assert growth([], warm_up=1)["rest"] == 0


def test_frames_are_made_one_at_a_time_and_differ():
    frames = synthetic_frames(10**9, SIZE)
    first, second = next(frames), next(frames)
    assert first.shape == (*SIZE, 3)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, second)


def test_resident_memory_is_that_of_this_process():
    before = memory_probe.resident_bytes()
    kept = np.ones(2**26, np.uint8)
    assert memory_probe.resident_bytes() - before > kept.nbytes / 2


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    generate_demo_set(root, train_videos=1, valid_videos=1, length=24, size=SIZE)
    annotations = root / "annotations/instances_valid.json"
    return VISDataset(str(annotations), str(root / "valid_images"), [], test_mode=True)


class Counting:
    """A dataset that counts the frames that are read of it, by whatever process."""

    def __init__(self, dataset):
        self.videos, self.read, self._dataset = dataset.videos, Value("i", 0), dataset

    def test_sample(self, *place):
        with self.read.get_lock():
            self.read.value += 1
        return self._dataset.test_sample(*place)


@pytest.mark.parametrize(("workers", "ahead"), [(0, 0), (2, 4)])
def test_the_test_loader_reads_a_few_chunks_ahead_and_no_more(dataset, workers, ahead):
    counting = Counting(dataset)
    batches = iter(make_test_loader(counting, [0], chunk_size=2, workers=workers))
    next(batches)
    time.sleep(0.5 if workers else 0)  # the workers read what they may
    assert 2 <= counting.read.value <= 2 * (1 + ahead) < len(dataset)
    del batches


def test_chunks_are_let_go_while_a_video_is_tested(dataset, predictor):
    alive, most = weakref.WeakSet(), []

    def watched():
        for batch in make_test_loader(dataset, [0], chunk_size=3, workers=0):
            alive.add(batch.images)
            most.append(len(alive))
            yield batch
            del batch

    (result,) = predictor.run(watched(), dataset.videos)
    assert result.num_frames == 24
    assert max(most) <= 2


def test_only_masks_of_a_basis_can_be_made_smooth():
    check_masks(load_config("configs/vitmae_cnp_contrast_ms_1x.py"))
    with pytest.raises(UserError, match="masks of DynamicPostProcess cannot be made smooth"):
        check_masks(load_config("configs/baselines/cocopaste_plus_lite0.py"))
