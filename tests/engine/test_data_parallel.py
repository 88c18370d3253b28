"""Two processes train like one with the doubled batch: the real trainer, loader, losses and memory."""

import json

import pytest
import torch
from small_model import small_two_stage_model

from mmdet.datasets.samplers import PairBatchSampler

pytestmark = pytest.mark.dist
BACKBONE_FROM_STRIDE_4 = small_two_stage_model()["backbone"]
VARIANTS = {
    "plain": {},
    "accumulated": {"accumulate": 2},
    "averaged": {"ema": {"decay": 0.8}},
    "graphs": {"pretended_graphs": True},  # gradients are averaged after the backward pass, not by DDP
    "plus": {"model": "plus"},
    "two_stage": {"model": "two_stage", "backbone": BACKBONE_FROM_STRIDE_4},
    "on_gpus": {"amp": "off"},
    "plus_on_gpus": {"model": "plus", "amp": "off"},
}
ON_GPUS = [pytest.param(name, marks=pytest.mark.cuda) for name in VARIANTS if "on_gpus" in name]


@pytest.fixture(scope="module", params=["plain", "accumulated", "averaged", "graphs", "plus", "two_stage", *ON_GPUS])
def trained(request, tmp_path_factory, together, tiny_vis):
    """The parameters at the start and at the end of one process, and those of two processes."""
    on_gpus = "on_gpus" in request.param
    if on_gpus and torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    runtime = VARIANTS[request.param]
    folder = tmp_path_factory.mktemp("parallel")
    assert together.run_ranks(tiny_vis.train_rank, 2, folder, runtime, gpus=on_gpus) == [0, 0]
    # one process on the same kind of device, in a process of its own: this one shall not touch a GPU
    assert together.run_ranks(tiny_vis.train_alone, 1, folder, runtime, gpus=on_gpus) == [0]
    start, end = (torch.load(folder / name) for name in ("start.pt", "end.pt"))
    logs = [entries_of(folder / name / "train.jsonl") for name in ("one", "work")]
    return start, end, [torch.load(folder / f"rank_{rank}.pt") for rank in range(2)], logs


def test_two_processes_train_sipmask_vis_like_one_with_the_doubled_batch(tmp_path, together, tiny_vis):
    """It has no memory; matches and masks are normalised over the images of all processes."""
    runtime = {"model": "sipmask_vis"}
    assert together.run_ranks(tiny_vis.train_rank, 2, tmp_path, runtime) == [0, 0]
    assert together.run_ranks(tiny_vis.train_alone, 1, tmp_path, runtime) == [0]
    start, one, two, other = (torch.load(tmp_path / f"{name}.pt") for name in ("start", "end", "rank_0", "rank_1"))
    for name, value in one.items():
        rounding = 2e-7 * value.abs().max() + 1e-3 * (value - start[name]).abs().max()
        torch.testing.assert_close(two[name], value, rtol=0, atol=rounding.item(), msg=name)
        assert torch.equal(two[name], other[name]), name
    assert not torch.equal(one["head.coefficient_conv.weight"], start["head.coefficient_conv.weight"])


def entries_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_processes_end_with_the_parameters_of_one_with_the_doubled_batch(trained):
    start, one, (two, _), _ = trained
    for name, value in one.items():
        rounding = 2e-7 * value.abs().max() + 1e-3 * (value - start[name]).abs().max()  # of what it is, of its way
        torch.testing.assert_close(two[name], value, rtol=0, atol=rounding.item(), msg=name)


def test_all_processes_end_with_the_same_bits_memory_included(trained):
    start, _, (first, second), _ = trained
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    if "head.memory.slots" in first:
        assert not torch.equal(first["head.memory.slots"], start["head.memory.slots"])


def test_the_use_of_the_memory_is_told_of_all_processes_together(trained):
    start, *_, logs = trained
    if "head.memory.slots" not in start:
        assert not any("memory" in name for log in logs for entry in log for name in entry)
        return
    one, two = ([{name: v for name, v in entry.items() if "memory" in name} for entry in log] for log in logs)
    assert any("memory_read_entropy" in entry for entry in one)  # steps without objects have none
    assert one[-1]["memory_slots_written"] >= one[0]["memory_slots_a_step"] > 0
    assert [entry.keys() for entry in one] == [entry.keys() for entry in two]
    for first, second in zip(one, two, strict=True):
        assert first == pytest.approx(second, rel=1e-4)


def test_the_steps_have_processes_without_objects_with_crowds_only_and_with_unequal_numbers(tiny_vis):
    seen = set()
    samplers = [PairBatchSampler(tiny_vis.AwkwardDataset(), 1, 0, rank, 2) for rank in range(2)]
    for epoch in range(2):
        for sampler in samplers:
            sampler.set_position(epoch)
        for (first,), (second,) in zip(*samplers, strict=True):
            counts = sorted(tiny_vis.NUM_OBJECTS[key.index] for key in (first, second))
            seen.add("both" if counts[0] else "one" if counts[1] else "none")
            if tiny_vis.CROWDS_ONLY in (first.index, second.index):
                seen.add("crowds")
            if counts[0] != counts[1]:
                seen.add("unequal")
    assert seen >= {"both", "one", "none", "crowds", "unequal"}
