"""Recording CUDA graphs: what cannot be recorded is found out before, and a spoilt process ends."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

from mmdet.engine.process import cuda_capture as module
from mmdet.engine.process.cuda_capture import CaptureFailed, NotCapturable, capture, rehearse
from mmdet.engine.training.steps.cuda_graphs import CaptureSpace
from mmdet.ops.deform.functional import sampled_deform_conv

HELPERS = Path(__file__).parents[2] / "helpers"


class FakeGraph:
    """Stands for torch.cuda.graph: ends well or not."""

    ends_well = True

    def __init__(self, graph, **options):
        self.options = options

    def __enter__(self):
        torch.cuda.set_stream("the graph's")

    def __exit__(self, *error):
        if not self.ends_well:
            raise RuntimeError("operation failed due to a previous error during capture")
        torch.cuda.set_stream("the process's")


@pytest.fixture
def streams(monkeypatch):
    """The streams that became the current one, in order; a process without a GPU."""
    seen = []
    monkeypatch.setattr(torch.cuda, "graph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "the process's")
    monkeypatch.setattr(torch.cuda, "set_stream", seen.append)
    return seen


def test_a_recording_goes_to_its_space_and_leaves_other_threads_alone(monkeypatch, streams):
    made = []
    monkeypatch.setattr(torch.cuda, "graph", lambda *a, **options: made.append((a, options)) or FakeGraph(*a))
    with CaptureSpace(pool="pool", stream="stream").capture("graph"):
        pass
    assert made == [(("graph",), {"pool": "pool", "stream": "stream", "capture_error_mode": "thread_local"})]


def test_work_that_raises_in_a_recording_that_ends_runs_without_a_graph(streams):
    with pytest.raises(NotCapturable, match="^out of memory$"), capture("graph"):
        raise RuntimeError("out of memory\nand more")
    assert streams[-1] == "the process's"


def test_a_recording_that_cannot_be_ended_ends_the_run_and_names_what_went_wrong_first(monkeypatch, streams):
    monkeypatch.setattr(FakeGraph, "ends_well", False)
    with (
        pytest.raises(CaptureFailed, match=r"\(not permitted\).*runtime\.cuda_graphs=False") as caught,
        capture("graph"),
    ):
        raise RuntimeError("not permitted\nand more")
    assert caught.value.exit_code == 1
    assert streams[-1] == "the process's"


def test_no_garbage_is_collected_in_a_recording(streams):
    with capture("graph"):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_copies_that_need_pageable_memory_are_refused():
    with module._PageableCopiesRefused():
        torch.ones(2).to(torch.float64)
        with pytest.raises(RuntimeError, match="page-locked"):
            torch.ones(2).to("meta")
        with pytest.raises(RuntimeError, match="page-locked"):
            torch.empty(2, device="meta").copy_(torch.ones(2))


def test_waits_are_refused_for_a_while_and_in_this_thread_only():
    event = torch.cuda.Event.query
    with module._waits_refused(), pytest.raises(RuntimeError, match=r"waits for the device: Event.query\(\)"):
        torch.cuda.Event.query(None)
    assert torch.cuda.Event.query is event


WAITING = {
    "item": lambda x: x.sum().item(),
    "nonzero": lambda x: x.nonzero(),
    "copy to the host": lambda x: x.cpu(),
    "copy that nobody waits for, to pageable memory": lambda x: x.to("cpu", non_blocking=True),
    "copy from pageable memory": lambda x: torch.ones(3).to(x.device, non_blocking=True),
    "new tensor from numbers": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "synchronize": lambda x: torch.cuda.synchronize(),
    "stream": lambda x: torch.cuda.current_stream().synchronize(),
    "event": lambda x: torch.cuda.Event().query(),
}


@pytest.fixture
def on_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return torch.rand(64, 64, device="cuda")


def assert_sound():
    """Dropout draws, and torchvision's deformable convolution, which launches on the default stream, is right."""
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert F.dropout(torch.ones(1000, device="cuda")).unique().tolist() == [0.0, 2.0]
    generator = torch.Generator().manual_seed(0)
    shapes = (2, 64, 30, 54), (2, 18, 30, 54), (64, 64, 3, 3)
    leaves = [torch.randn(*shape, generator=generator).requires_grad_() for shape in shapes]
    expected = torch.autograd.grad(sampled_deform_conv(*leaves).square().sum(), leaves)
    placed = [leaf.detach().cuda().requires_grad_() for leaf in leaves]
    found = torch.autograd.grad(deform_conv2d(*placed, padding=1).square().sum(), placed)
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.cpu() - theirs).abs().max() <= 5e-3 * theirs.abs().max()


@pytest.mark.cuda
@pytest.mark.parametrize("work", WAITING.values(), ids=WAITING)
def test_what_a_recording_forbids_is_found_out_before(on_gpu, work):
    with pytest.raises(NotCapturable):
        rehearse(lambda: work(on_gpu))
    assert torch.cuda.get_sync_debug_mode() == 0
    assert_sound()


@pytest.mark.cuda
def test_a_rehearsal_leaves_random_generators_alone(on_gpu):
    torch.manual_seed(0)
    expected = torch.rand(3, device="cuda")
    torch.manual_seed(0)
    rehearse(lambda: F.dropout(on_gpu))
    assert torch.equal(torch.rand(3, device="cuda"), expected)


@pytest.mark.cuda
@pytest.mark.parametrize("size", [None, 10**13], ids=["an error of its own", "more memory than there is"])
def test_a_process_is_sound_after_work_that_raised_in_a_recording(on_gpu, size):
    def work():
        on_gpu @ on_gpu
        if size:
            torch.empty(size, device="cuda")
        raise RuntimeError("an error of its own")

    with pytest.raises(NotCapturable), capture(torch.cuda.CUDAGraph()):
        work()
    assert_sound()
    graph = torch.cuda.CUDAGraph()
    with capture(graph):
        squared = on_gpu @ on_gpu
    graph.replay()
    torch.testing.assert_close(squared, on_gpu @ on_gpu)


@pytest.mark.cuda
def test_a_graph_that_nobody_can_reach_any_more_does_not_ruin_a_recording(on_gpu):
    for _ in range(3):
        old = torch.cuda.CUDAGraph()
        with capture(old):
            on_gpu @ on_gpu
        cycle = [old]
        cycle.append(cycle)
        del old, cycle  # garbage that only the collector finds
        with capture(torch.cuda.CUDAGraph()):
            thresholds = gc.get_threshold()
            gc.set_threshold(1)
            made = [[on_gpu @ on_gpu] for _ in range(50)]
            gc.set_threshold(*thresholds)
        assert len(made) == 50
    assert_sound()


@pytest.mark.cuda
@pytest.mark.parametrize("what", ["training", "stream"])
def test_a_recording_that_fails_ends_the_run_and_saves_nothing(on_gpu, tmp_path, what):
    program = [sys.executable, str(HELPERS / "failing_capture.py"), what, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=250)
    assert done.returncode == 1, done.stderr
    assert "could not be recorded" in done.stderr
    assert "runtime.cuda_graphs=False" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.pth"))
