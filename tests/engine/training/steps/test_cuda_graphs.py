"""Steps by CUDA graphs against steps that are launched one by one, and by what stands for graphs on the CPU."""

import warnings
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mmdet.benchmark.made_up_batch import synthetic_batch
from mmdet.config import load_config
from mmdet.engine.process.cuda_capture import CaptureFailed, NotCapturable
from mmdet.engine.training.optimization.optimizers import build_optimizer
from mmdet.engine.training.steps import cuda_graphs as graphs
from mmdet.engine.training.steps.train_step import TrainStep
from mmdet.models.build import build_model
from mmdet.models.losses import mask
from mmdet.structures.padded_truth import ROWS_MULTIPLE

MODELS = pytest.mark.parametrize("model", ["published", "plus"])


@pytest.fixture
def model():
    """The model of `pretended`, for tests that do not run both."""
    return "published"


@pytest.fixture
def pretended(tiny_vis, tmp_path, monkeypatch, model):
    """Trainers on the CPU: one as usual, and one whose steps go the way of graphs."""
    for name in ("NetworkGraph", "LossGraph", "CaptureSpace"):
        monkeypatch.setattr(graphs, name, getattr(graphs, name))  # put back afterwards
    trainers = [tiny_vis.make_trainer(tmp_path / name, epochs=3, model=model) for name in ("plain", "pretended")]
    tiny_vis.pretend_graphs(trainers[1], with_losses=True)
    return trainers


def assert_alike(wanted, found, tolerance=1e-4):
    for name, value in wanted.items():
        torch.testing.assert_close(
            found[name], value, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@MODELS
def test_the_way_of_graphs_on_the_cpu_ends_like_the_usual_one(pretended, model):
    plain, other = pretended
    for trainer in pretended:
        trainer.run()
    tolerance = 1e-6 if model == "published" else 1e-5  # gradients of more outputs add up in another order
    (network,) = other.make_step.graphs.networks.values()
    assert len(network.loss_graphs) == 1
    assert_alike(plain.model.state_dict(), other.model.state_dict(), tolerance=tolerance)


def test_the_first_step_of_a_size_and_all_accumulated_ones_run_as_usual(pretended):
    _, other = pretended
    other.model.train()
    batches = list(other.loader)
    other.make_step(batches[:1])
    other.make_step(batches[:2])
    assert not other.make_step.graphs.networks
    other.make_step(batches[:1])
    assert len(other.make_step.graphs.networks) == 1


@pytest.mark.parametrize("limit", ["FEW_GRAPHS", "MOST_LOSS_GRAPHS"])
def test_no_more_graphs_than_allowed(pretended, monkeypatch, limit):
    plain, other = pretended
    monkeypatch.setattr(graphs, limit, 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (50, 100))
    for trainer in pretended:
        trainer.run()
    networks = other.make_step.graphs.networks.values()
    assert len(networks) == (limit == "MOST_LOSS_GRAPHS")
    assert not any(network.loss_graphs for network in networks)
    assert_alike(plain.model.state_dict(), other.model.state_dict(), tolerance=1e-6)


@pytest.mark.parametrize(("free", "made"), [(51, 3), (50, 2)])
def test_more_than_a_few_graphs_only_while_half_of_the_memory_is_free(pretended, monkeypatch, free, made):
    _, other = pretended
    monkeypatch.setattr(graphs, "FEW_GRAPHS", 2)
    monkeypatch.setattr(graphs, "MOST_GRAPHS", 3)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 100))
    other.model.train()
    batch = next(iter(other.loader))
    for _ in range(2):
        for width in (32, 64, 96, 128):
            other.make_step([of_width(batch, width)])
    assert len(other.make_step.graphs.networks) == made


def of_width(batch, width):
    """The batch with noise of that width for pictures."""
    height, pairs = batch.images.shape[-2], len(batch.images)
    masks = torch.zeros(*batch.truth.half_masks.shape[:2], height // 2, width // 2, dtype=torch.bool)
    return replace(
        batch,
        images=torch.randint(0, 256, (pairs, 2, 3, height, width), dtype=torch.uint8),
        valid=torch.ones(pairs, 2, height, width, dtype=torch.bool),
        truth=replace(batch.truth, half_masks=masks),
    )


@MODELS
def test_every_number_of_rows_has_its_own_losses(pretended):
    _, other = pretended
    other.model.train()
    batch = next(iter(other.loader))
    more = replace(batch, truth=twice_the_rows(batch.truth))
    for _ in range(3):
        for each in (batch, more):
            other.make_step([each])
    (network,) = other.make_step.graphs.networks.values()
    assert set(network.loss_graphs) == {(rows,) * 3 for rows in (ROWS_MULTIPLE, 2 * ROWS_MULTIPLE)}


def test_more_rows_in_later_frames_alone_have_their_own_losses(pretended):
    """As in clips of more than two frames, of which the last may show the most objects."""
    _, other = pretended
    other.model.train()
    batch = next(iter(other.loader))
    more = replace(batch, truth=replace(batch.truth, frames=twice_the_rows(batch.truth.frames)))
    for _ in range(3):
        for each in (batch, more):
            other.make_step([each])
    (network,) = other.make_step.graphs.networks.values()
    assert set(network.loss_graphs) == {(ROWS_MULTIPLE, ROWS_MULTIPLE, rows * ROWS_MULTIPLE) for rows in (1, 2)}


def test_captured_losses_read_tensors_that_every_replay_renews(monkeypatch, pretended):
    monkeypatch.undo()  # the real one, with a graph that does nothing
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: None))
    monkeypatch.setattr(graphs, "rehearse", lambda work: None)
    first, second = list(pretended[0].loader)[:2]
    second = replace(second, truth=replace(second.truth, boxes=second.truth.boxes + 1))
    network = SimpleNamespace(outputs="outputs", images=first.images + 1, valid=~first.valid, learn=lambda total: None)
    read = []

    def weigh(outputs, batch):
        read.append(batch)
        return {"loss": batch.truth.boxes.sum()}, None

    graph = graphs.LossGraph(network, weigh, first, SimpleNamespace(capture=nullcontext))
    (batch,) = read
    assert batch.images is network.images
    assert batch.valid is network.valid
    assert torch.equal(batch.truth.boxes, first.truth.boxes)
    graph.replay(second.truth)
    assert torch.equal(batch.truth.boxes, second.truth.boxes)


def twice_the_rows(truth):
    """The same truth with as many rows of padding again."""
    return truth.map_tensors(lambda tensor: torch.cat([tensor, torch.zeros_like(tensor)], dim=1))


def test_what_cannot_be_captured_is_told_once_and_training_goes_on(pretended, monkeypatch):
    plain, other = pretended
    tried = []

    def fail(*arguments):
        tried.append(1)
        raise NotCapturable("not permitted when stream is capturing")

    monkeypatch.setattr(graphs, "NetworkGraph", fail)
    plain.run()
    with pytest.warns(UserWarning, match="no CUDA graph, steps are launched kernel by kernel: not permitted") as seen:
        other.run()
    assert len(tried) == len([warning for warning in seen if "CUDA graph" in str(warning.message)]) == 1
    assert_alike(plain.model.state_dict(), other.model.state_dict(), tolerance=0)


def test_a_capture_that_fails_ends_the_run_without_a_checkpoint(pretended, monkeypatch):
    _, other = pretended

    def fail(*arguments):
        raise CaptureFailed("not permitted")

    monkeypatch.setattr(graphs, "NetworkGraph", fail)
    with pytest.raises(CaptureFailed):
        other.run()
    assert other.step == 1
    assert not list(other.setup.work_dir.glob("*.pth"))


def test_outputs_that_no_loss_reads_learn_nothing(pretended):
    _, other = pretended
    step, (batch, *_) = other.make_step, list(other.loader)
    other.model.train()
    step([batch])
    weigh = step._weigh
    step.graphs.weigh = lambda output, pairs: (weigh(output, pairs)[0], output.box_sigma.sum())
    step.optimizer.step = lambda: None
    assert step([batch])["grad_norm"].isfinite()  # of NaN, had a gradient not been set to zero


@pytest.fixture
def trained(tiny_vis, tmp_path, gpu):
    """Train the tiny model, and return what it ends with and its trainer."""

    def train(name, **runtime):
        trainer = tiny_vis.make_trainer(tmp_path / name, gpu, **{"epochs": 3, "amp": "off", **runtime})
        trainer.run()
        return {key: value.clone() for key, value in trainer.model.state_dict().items()}, trainer

    return train


@pytest.mark.cuda
@MODELS
@pytest.mark.parametrize("amp", ["off", "bf16"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_graphs_train_like_single_launches(trained, tiny_vis, model, amp, checkpointing):
    backbone = {**tiny_vis.BACKBONE, "checkpointing": checkpointing}
    # in reduced precision what atomics add up in another order is soon another choice: two plain runs part, too
    settings = {"model": model, "amp": amp, "backbone": backbone, "epochs": 3 if amp == "off" else 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain, _ = trained("plain", cuda_graphs=False, **settings)
        graphed, trainer = trained("graphed", cuda_graphs=True, **settings)
    (network,) = trainer.make_step.graphs.networks.values()
    assert len(network.loss_graphs) == 1
    assert_alike(plain, graphed, tolerance=1e-4 if amp == "off" else 2e-2)


@pytest.mark.cuda
def test_losses_between_forward_and_backward_leave_activations_alone(gpu):
    config = load_config("configs/vitmae_cnp_contrast_ms_1x.py", ["model.backbone.checkpointing=False"])
    batch = synthetic_batch((480, 864), pairs=4, objects=4, num_classes=40, seed=0).pin_memory()
    norms = []
    for use in (False, True):
        torch.manual_seed(0)
        model = build_model(config).to(gpu.device).train()
        optimizer = build_optimizer(model, config.optimizer)
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        step = TrainStep(model, optimizer, gpu, "bf16", None, use)
        norms.append([step([batch])["grad_norm"] for _ in range(5)])
    assert [len(network.loss_graphs) for network in step.graphs.networks.values()] == [1]
    torch.testing.assert_close(torch.stack(norms[1]), torch.stack(norms[0]), rtol=0.01, atol=0)


@pytest.mark.cuda
def test_graphs_and_a_mask_loss_in_parts_go_together(trained, monkeypatch):
    monkeypatch.setattr(mask, "PIXELS_AT_ONCE", 1)  # one image at a time
    plain, _ = trained("plain", cuda_graphs=False)
    graphed, _ = trained("graphed", cuda_graphs=True)
    assert_alike(plain, graphed)


@pytest.mark.cuda
def test_a_model_that_cannot_be_captured_trains_without_graphs(trained, monkeypatch):
    plain, _ = trained("plain", cuda_graphs=False)

    def fail(*arguments):
        raise NotCapturable("operation not permitted when stream is capturing")

    monkeypatch.setattr(graphs.NetworkGraph, "__init__", fail)
    with pytest.warns(UserWarning, match="no CUDA graph.*not permitted"):
        alone, trainer = trained("graphed", cuda_graphs=True)
    assert not trainer.make_step.graphs.networks
    assert_alike(plain, alone)


@pytest.mark.cuda
@pytest.mark.parametrize("wait", [torch.cuda.synchronize, lambda: torch.ones(1, device="cuda").item()])
def test_a_model_that_waits_trains_without_graphs_like_any_other(trained, monkeypatch, wait):
    plain, _ = trained("plain", cuda_graphs=False)
    head = graphs.nn.Module.__call__
    calls = iter(range(10**6))

    def synchronising(self, *arguments, **options):
        if type(self).__name__ == "SipMaskHead" and next(calls) >= 1:
            wait()
        return head(self, *arguments, **options)

    monkeypatch.setattr(graphs.nn.Module, "__call__", synchronising)
    with pytest.warns(UserWarning, match="no CUDA graph"):
        alone, trainer = trained("graphed", cuda_graphs=True)
    assert trainer.step == 12
    assert_alike(plain, alone)
    assert torch.nn.functional.dropout(torch.ones(1000, device="cuda")).unique().tolist() == [0.0, 2.0]


@pytest.mark.cuda
@pytest.mark.parametrize("limit", ["FEW_GRAPHS", "MOST_LOSS_GRAPHS"])
def test_more_sizes_than_graphs_run_as_usual(monkeypatch, trained, limit):
    plain, _ = trained("plain", cuda_graphs=False)
    monkeypatch.setattr(graphs, limit, 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (50, 100))
    mixed, trainer = trained("graphed", cuda_graphs=True)
    assert len(trainer.make_step.graphs.networks) == (limit == "MOST_LOSS_GRAPHS")
    assert_alike(plain, mixed)


@pytest.mark.cuda
@MODELS
def test_sizes_that_alternate_do_not_disturb_each_other(tiny_vis, tmp_path, gpu, model):
    ends = []
    for use in (False, True):
        trainer = tiny_vis.make_trainer(tmp_path / str(use), gpu, amp="off", cuda_graphs=use, model=model)
        trainer.model.train()
        batches = list(trainer.loader)
        halves = [
            replace(
                batch,
                images=batch.images[..., :64],
                valid=batch.valid[..., :64],
                truth=batch.truth.map_tensors(lambda tensor: tensor[..., :32] if tensor.dim() == 4 else tensor),
            )
            for batch in batches
        ]
        for step in range(12):
            trainer.make_step([(batches, halves)[step % 2][step // 2 % len(batches)]])
        ends.append(trainer.model.state_dict())
        assert not use or len(trainer.make_step.graphs.networks) == 2
    assert_alike(ends[0], ends[1])


@pytest.mark.cuda
def test_a_refused_step_leaves_the_memory_alone(tiny_vis, tmp_path, gpu):
    trainer = tiny_vis.make_trainer(tmp_path / "refused", gpu, amp="off", grad_clip=None)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    loss = trainer.model.loss

    def spoilt(outputs, batch):
        return {name: value * torch.nan for name, value in loss(outputs, batch).items()}

    trainer.model.loss = spoilt
    trainer.model.train()
    for batch in (batch for batch in trainer.loader if batch.truth.valid.any()):
        assert not trainer.make_step([batch])["grad_norm"].isfinite()
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, before[name]), name
