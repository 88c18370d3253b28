"""Exact and fast products of float32 on a GPU, and that no way to a result goes around the choice between them."""

import ast
from pathlib import Path

import pytest
import torch

from mmdet.engine.inference.predictor import VideoPredictor
from mmdet.engine.process import precision
from mmdet.engine.process.precision import float32_products
from mmdet.models import VISModel
from mmdet.models.backbones.vit_mae import ViTMAE
from mmdet.models.postprocess import masks as mask_assembly

PLACES = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)


@pytest.mark.parametrize(("exact", "expected"), [(True, "ieee"), (False, "tf32")])
def test_products_are_as_told_and_afterwards_as_before(exact, expected):
    before = [place.fp32_precision for place in PLACES]
    seen = []

    def fail():
        with float32_products(exact):
            seen.extend(place.fp32_precision for place in PLACES)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert seen == [expected, expected]
    assert [place.fp32_precision for place in PLACES] == before


@pytest.mark.cuda
def test_exact_products_are_finer_than_fast_ones():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    a, b = torch.rand(2, 256, 256, dtype=torch.float64).unbind()
    errors = []
    for exact in (True, False):
        with float32_products(exact):
            errors.append((a.float().cuda() @ b.float().cuda() - (a @ b).cuda()).abs().max().item())
    assert errors[0] < 1e-4 < errors[1]


@pytest.fixture
def set_products():
    """Set what products the process makes; put back afterwards."""
    before = [place.fp32_precision for place in PLACES]

    def set_all(value):
        for place in PLACES:
            place.fp32_precision = value

    yield set_all
    for place, value in zip(PLACES, before, strict=True):
        place.fp32_precision = value


@pytest.fixture
def seen(monkeypatch, set_products):
    """What products are set to wherever networks and masks are computed, in a process that is set to TF32."""
    set_products("tf32")
    seen = []

    def spied(place, name):
        function = getattr(place, name)

        def spy(*arguments, **options):
            seen.extend((name, place.fp32_precision) for place in PLACES)
            return function(*arguments, **options)

        monkeypatch.setattr(place, name, spy)

    spied(ViTMAE, "forward")
    spied(VISModel, "loss")
    spied(mask_assembly, "assemble_masks")
    yield seen
    assert [place.fp32_precision for place in PLACES] == ["tf32", "tf32"]


def push_frames(predictor, tiny_video):
    stream = predictor.stream(tiny_video.SIZE)
    return [stream.push(frame) for frame in tiny_video.make_video(1)]


def run_chunks(predictor, tiny_video):
    _, infos, chunks = tiny_video.make_set(predictor, 3)
    return list(predictor.run(chunks, infos))


@pytest.mark.parametrize("way", [push_frames, run_chunks])
def test_streams_and_chunks_in_float32_multiply_exactly_whatever_the_process_is_set_to(seen, tiny_video, way):
    way(tiny_video.make_predictor(), tiny_video)
    assert {name for name, _ in seen} == {"forward", "assemble_masks"}
    assert {value for _, value in seen} == {"ieee"}


def test_training_in_float32_multiplies_exactly_whatever_the_process_is_set_to(seen, tiny_vis, tmp_path):
    tiny_vis.make_trainer(tmp_path, epochs=1).run()
    assert {name for name, _ in seen} == {"forward", "loss"}
    assert {value for _, value in seen} == {"ieee"}


def test_precision_is_settled_where_models_compute_and_nowhere_else():
    package, users = Path(precision.__file__).parents[2], set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and any(name.name == "float32_products" for name in node.names):
                users.add(path.relative_to(package).as_posix())
    assert users == {
        "engine/inference/detector.py",
        "engine/training/steps/train_step.py",
        "benchmark/network.py",  # times a network alone
        "engine/exporting/run.py",  # compares a network with its exported files
    }


@pytest.mark.cuda
@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("way", [push_frames, run_chunks])
def test_results_on_a_gpu_do_not_depend_on_what_the_process_is_set_to(set_products, gpu, tiny_video, way, cuda_graph):
    made, results = tiny_video.make_predictor(), []
    for value in ("ieee", "tf32"):
        set_products(value)
        predictor = VideoPredictor(made.model, made.tracker, made.transforms, gpu.device, cuda_graph=cuda_graph)
        results.append(way(predictor, tiny_video))
    if way is run_chunks:
        assert results[0] == results[1]
        return
    for one, other in zip(*results, strict=True):
        for name in ("boxes", "scores", "embeddings", "masks"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.cuda
def test_training_on_a_gpu_does_not_depend_on_what_the_process_is_set_to(set_products, gpu, tiny_vis, tmp_path):
    norms = []
    for value in ("ieee", "tf32"):
        set_products(value)
        trainer = tiny_vis.make_trainer(tmp_path / value, gpu, amp="off", cuda_graphs=False)
        trainer.model.train()
        norms.append(trainer.make_step([next(iter(trainer.loader))])["grad_norm"].item())
    assert norms[0] == pytest.approx(norms[1], rel=2e-6)  # atomics add in any order; TF32 differs by 1e-4
