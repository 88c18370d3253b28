import gc
import multiprocessing
import traceback
from collections import Counter

import numpy as np
import pytest
import torch

from mmdet.datasets import (
    ChunkSampler,
    ItemKey,
    MixedDataset,
    PairBatchSampler,
    RandomFlip,
    ResizeKeepRatio,
    VISDataset,
    make_test_loader,
    make_train_loader,
)
from mmdet.errors import UserError

RANDOM = (ResizeKeepRatio((40, 96), (30, 72)), RandomFlip())


class Items:
    """Items with nothing but their aspect groups."""

    def __init__(self, groups):
        self.aspect_groups = np.array(groups)

    def epoch_items(self, epoch):
        return np.arange(len(self.aspect_groups))


@pytest.fixture
def items():
    return Items([1] * 23 + [0] * 10)


def epoch_of(sampler, epoch=0, skip=0):
    sampler.set_position(epoch, skip)
    return list(sampler)


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_see_together_what_one_rank_with_their_batches_sees(items, world_size):
    one = epoch_of(PairBatchSampler(items, 2 * world_size, seed=5), epoch=3)
    ranks = [epoch_of(PairBatchSampler(items, 2, 5, rank, world_size), epoch=3) for rank in range(world_size)]
    assert [sum(batches, []) for batches in zip(*ranks, strict=True)] == one


def test_all_batches_are_full_and_of_one_aspect(items):
    for batch in epoch_of(PairBatchSampler(items, 4, seed=0)):
        assert len(batch) == 4
        assert len({int(items.aspect_groups[key.index]) for key in batch}) == 1


def test_every_item_comes_and_only_what_fills_the_last_batches_comes_twice(items):
    counts = Counter(key.index for batch in epoch_of(PairBatchSampler(items, 4, seed=0)) for key in batch)
    assert set(counts) == set(range(33))
    assert sorted(counts.values()) == [1] * 30 + [2] * 3  # 23 + 1 and 10 + 2


def test_a_group_smaller_than_a_batch_is_repeated(items):
    batches = epoch_of(PairBatchSampler(Items([0] * 3), 8, seed=0))
    assert len(batches) == 1
    assert sorted(Counter(key.index for key in batches[0]).values()) == [2, 3, 3]


def test_a_repeated_item_is_another_draw(items):
    keys = [key for batch in epoch_of(PairBatchSampler(Items([0] * 3), 8, seed=0)) for key in batch]
    assert len(set(keys)) == 8
    assert {key.repeat for key in keys} == {0, 1, 2}
    assert all(ItemKey(0, key.index, turn) in keys for key in keys for turn in range(key.repeat))


def test_the_length_is_the_number_of_batches(items):
    for batch_size, world_size in [(4, 1), (2, 3), (40, 1), (1, 1)]:
        sampler = PairBatchSampler(items, batch_size, 0, 0, world_size)
        assert len(sampler) == len(epoch_of(sampler, epoch=2))


def test_the_order_is_a_function_of_seed_and_epoch(items):
    sampler = PairBatchSampler(items, 4, seed=1)
    first = epoch_of(sampler, 0)
    second = epoch_of(sampler, 1)
    assert epoch_of(PairBatchSampler(items, 4, seed=1), 0) == first
    assert [[key.index for key in batch] for batch in first] != [[key.index for key in batch] for batch in second]
    assert epoch_of(PairBatchSampler(items, 4, seed=2), 0) != first


def test_batches_of_the_aspects_are_mingled():
    items = Items([0] * 100 + [1] * 100)
    groups = [int(items.aspect_groups[b[0].index]) for b in epoch_of(PairBatchSampler(items, 4, seed=0))]
    assert groups != sorted(groups)


def test_skipped_batches_leave_the_rest_of_the_epoch(items):
    sampler = PairBatchSampler(items, 4, seed=0)
    assert epoch_of(sampler, 2, skip=3) == epoch_of(sampler, 2)[3:]


def test_keys_carry_the_epoch(items):
    assert {key.epoch for batch in epoch_of(PairBatchSampler(items, 4, seed=0), 6) for key in batch} == {6}


def test_mixed_datasets_have_as_many_batches_in_every_epoch(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[])
    sampler = PairBatchSampler(MixedDataset([dataset, dataset], ratios=[3, 1]), 2, seed=0)
    assert {len(epoch_of(sampler, epoch)) for epoch in range(6)} == {len(sampler)}


def content(batches):
    return [(b.images, b.truth, b.metas) for b in batches]


def tensors_of(truth):
    found = []
    truth.map_tensors(lambda tensor: found.append(tensor) or tensor)
    return found


def assert_same(first, second):
    assert len(first) == len(second)
    for (images_a, truth_a, metas_a), (images_b, truth_b, metas_b) in zip(first, second, strict=True):
        assert torch.equal(images_a, images_b)
        known = tensors_of(truth_a), tensors_of(truth_b)
        assert all(torch.equal(a, b) for a, b in zip(*known, strict=True))
        assert metas_a == metas_b


def test_the_number_of_workers_does_not_matter_nor_whether_they_persist(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=RANDOM)
    alone, helped = (make_train_loader(dataset, 2, workers, seed=3) for workers in (0, 2))
    for epoch, skip in [(0, 0), (1, 0), (1, 2)]:
        alone.batch_sampler.set_position(epoch, skip)
        helped.batch_sampler.set_position(epoch, skip)
        assert_same(content(alone), content(helped))


def test_a_train_loader_leaves_the_global_generator_alone(two_videos):
    loader = make_train_loader(VISDataset(**two_videos.write(), transforms=RANDOM), 2, 0, seed=3)
    before = torch.get_rng_state()
    list(loader)
    assert torch.equal(before, torch.get_rng_state())


def test_a_train_batch_is_padded_and_paired(two_videos):
    loader = make_train_loader(VISDataset(**two_videos.write(), transforms=[]), 2, 0, seed=3)
    batch = next(iter(loader))
    assert batch.images.shape == (2, 2, 3, 64, 64)
    assert batch.truth.half_masks.shape[2:] == (32, 32)
    assert batch.truth.reference_valid.any()


def test_a_frame_that_a_worker_cannot_read_is_named_in_its_batch(two_videos):
    data = two_videos.write()
    dataset = VISDataset(**data, transforms=[], test_mode=True)
    (two_videos.img_prefix / "v905/00001.jpg").write_bytes(b"broken")
    first, last = make_test_loader(dataset, [0], 4, workers=1)
    assert [len(bad) for bad in first.bad_frames] == [0, 1, 0, 0]
    assert "00001.jpg is damaged" in first.bad_frames[1][0]
    assert last.bad_frames == ()


def test_an_error_in_a_worker_keeps_its_kind(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[], test_mode=True)
    dataset.videos[0].file_names[0] = "../00000.jpg"
    with pytest.raises(UserError, match="leads out of the image folder") as error:
        list(make_test_loader(dataset, [0], 4, workers=1))
    traceback.clear_frames(
        error.tb
    )  # they hold the iterator: left to the garbage collector it waits 5 s for its worker


def test_chunks_are_consecutive_and_never_span_videos(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[], test_mode=True)
    chunks = list(ChunkSampler(dataset, [1, 0], chunk_size=4))
    assert chunks == [[(1, 0), (1, 1), (1, 2)], [(0, 0), (0, 1), (0, 2), (0, 3)], [(0, 4), (0, 5)]]
    assert len(ChunkSampler(dataset, [1, 0], chunk_size=4)) == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_a_test_loader_gives_the_frames_of_the_chosen_videos_in_order(two_videos, workers):
    dataset = VISDataset(**two_videos.write(), transforms=[], test_mode=True)
    batches = list(make_test_loader(dataset, [1, 0], 2, workers))
    shown = [[(meta.video_id, meta.frame_index) for (meta,) in batch.metas] for batch in batches]
    assert shown == [[(3, 0), (3, 1)], [(3, 2)], [(905, 0), (905, 1)], [(905, 2), (905, 3)], [(905, 4), (905, 5)]]
    assert batches[0].images.shape == (2, 1, 3, 64, 64)


def test_workers_are_forked_also_from_a_process_that_was_spawned(two_videos, monkeypatch):
    monkeypatch.setattr(
        multiprocessing.context._default_context, "_actual_context", multiprocessing.get_context("spawn")
    )
    assert multiprocessing.get_start_method() == "spawn"
    loader = make_train_loader(VISDataset(**two_videos.write(), transforms=RANDOM), 2, 1, seed=0)
    assert loader.multiprocessing_context.get_start_method() == "fork"


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_leave_what_they_share_with_their_parent_to_it(two_videos, workers):
    """A garbage collector that looked through an index would copy all of it into every worker."""
    out_of_reach = multiprocessing.Value("i", -1)
    dataset = VISDataset(**two_videos.write(), transforms=[], test_mode=True)

    class Watched:
        videos = dataset.videos

        def test_sample(self, *place):
            out_of_reach.value = gc.get_freeze_count()
            return dataset.test_sample(*place)

    list(make_test_loader(Watched(), [0], 2, workers))
    assert (out_of_reach.value > 0) == (workers > 0)
