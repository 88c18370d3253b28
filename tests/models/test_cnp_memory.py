"""The memory: reading is pure, writing moves the slots that are written to and no others."""

import numpy as np
import pytest
import torch

from mmdet.models.heads import CNPMemory


def memory(**options):
    torch.manual_seed(0)
    return CNPMemory(channels=6, num_slots=5, rate=0.9, **options)


def test_reading_matches_the_goldens(recorded_numbers):
    parts = np.load(recorded_numbers / "parts" / "parts.npz")
    model = CNPMemory(channels=8, num_slots=20, rate=0.9)
    names = {"slots": "w0", **{f"{fc}.{p}": f"mlp_{fc}.{p}" for fc in ("fc1", "fc2") for p in ("weight", "bias")}}
    model.load_state_dict({ours: torch.from_numpy(parts[f"mem_top1_{theirs}"]) for ours, theirs in names.items()})
    query = torch.from_numpy(parts["mem_top1_x"]).flatten(2).transpose(1, 2)
    expected = torch.from_numpy(parts["mem_top1_eval_out"]).flatten(2).transpose(1, 2)
    torch.testing.assert_close(model.read(query), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("mode", ["top1", "all"])
def test_writing_moves_slots_that_are_written_to_as_the_release_does(recorded_numbers, mode):
    parts = np.load(recorded_numbers / "parts" / "parts.npz")
    model = CNPMemory(channels=8, num_slots=20, rate=0.9, update_mode=mode)
    before = torch.from_numpy(parts[f"mem_{mode}_w0"])
    model.slots.data.copy_(before)
    rows = [torch.from_numpy(parts[f"mem_{mode}_{name}"]).flatten(2).transpose(1, 2).flatten(0, 1) for name in "xy"]
    winners = model.similarity(rows[0]).argmax(dim=1).unique() if mode == "top1" else torch.arange(20)
    model.write(*rows)
    expected = torch.from_numpy(parts[f"mem_{mode}_w1"])
    torch.testing.assert_close(model.slots[winners], expected[winners], atol=1e-6, rtol=1e-5)
    others = [slot for slot in range(20) if slot not in winners.tolist()]
    assert torch.equal(model.slots[others], before[others])  # the release lets them decay


def test_reading_changes_nothing_and_gives_no_gradient_to_the_query():
    model = memory()
    before = model.slots.clone()
    query = torch.rand(2, 7, 6, requires_grad=True)
    context = model.read(query)
    context.sum().backward()
    assert context.shape == (2, 7, 6)
    assert query.grad is None
    assert model.slots.grad is not None
    assert torch.equal(model.slots, before)


def test_background_is_not_written():
    model = memory()
    features, targets = torch.rand(9, 6), torch.rand(9, 4)
    foreground = torch.arange(9) < 4
    twin = memory()
    model.write(features, targets, foreground)
    twin.write(features[:4], targets[:4])
    torch.testing.assert_close(model.slots, twin.slots)


def test_writing_nothing_changes_nothing():
    model = memory()
    before = model.slots.clone()
    model.write(torch.rand(4, 6), torch.rand(4, 4), torch.zeros(4, dtype=torch.bool))
    assert torch.equal(model.slots, before)


def test_what_is_written_outside_the_foreground_may_be_anything():
    model = memory()
    features = torch.full((2, 6), torch.nan)
    features[0] = 1.0
    model.write(features, torch.zeros(2, 4), torch.tensor([True, False]))
    assert model.slots.isfinite().all()


def test_topk_writes_to_the_most_similar_slots():
    model = memory(update_mode="topk", topk=2)
    before = model.slots.clone()
    feature = torch.rand(1, 6)
    best = model.similarity(feature)[0].topk(2).indices.tolist()
    model.write(feature, torch.rand(1, 4))
    changed = [slot for slot in range(5) if not torch.equal(model.slots[slot], before[slot])]
    assert sorted(best) == changed


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match="update_mode 'top2': expected one of top1, topk, all"):
        memory(update_mode="top2")


def test_writing_tells_how_many_rows_went_to_each_slot():
    model = memory()
    features = model.slots[[1, 1, 4, 2], :6].detach().clone()
    kept = torch.tensor([True, True, True, False])
    assert model.write(features, torch.zeros(4, 4), kept).tolist() == [0, 2, 0, 0, 1]


def test_the_entropy_of_reads_is_the_mean_over_the_queries_that_count():
    model = memory(read_temperature=0.5)
    query = torch.randn(3, 6)
    weights = (model.similarity(query) / 0.5).softmax(dim=1).double()
    each = -(weights * weights.log()).sum(dim=1) / np.log(5)
    got = model.read_entropy(query, torch.tensor([True, False, True]))
    torch.testing.assert_close(got.double(), (each[0] + each[2]) / 2)


def test_the_entropy_is_near_one_where_all_slots_count_alike_and_near_zero_where_one_does():
    alike, sharp = memory(read_temperature=1e3), memory(read_temperature=1e-3)
    query = alike.slots[:2, :6].detach()
    everywhere = torch.ones(2, dtype=torch.bool)
    assert alike.read_entropy(query, everywhere) > 0.9999
    assert sharp.read_entropy(query, everywhere) < 1e-6


def test_without_a_query_that_counts_the_entropy_is_minus_one():
    model = memory()
    assert model.read_entropy(torch.randn(3, 6), torch.zeros(3, dtype=torch.bool)) == -1
