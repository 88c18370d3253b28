"""Collating clips: padding at the bottom and right to a common multiple, with what is image marked."""

from dataclasses import replace

import pytest
import torch

from mmdet.structures import ClipSample, FrameMeta, FrameTruth, collate_clips


def sample(height, width, objects=1):
    truth = FrameTruth(
        boxes=torch.ones(objects, 4),
        labels=torch.zeros(objects, dtype=torch.int64),
        masks=torch.ones(objects, height, width, dtype=torch.bool),
        instance_ids=torch.arange(objects),
        is_crowd=torch.zeros(objects, dtype=torch.bool),
    )
    meta = FrameMeta(video_id=3, frame_index=1, original_size=(height, width), input_size=(height, width), scale=1.0)
    return ClipSample(
        images=torch.full((2, 3, height, width), 7, dtype=torch.uint8),
        truths=(truth, truth),
        metas=(meta, meta),
        reference_jitter=torch.zeros(objects, 4),
    )


def test_images_and_masks_are_padded_to_the_common_multiple():
    batch = collate_clips([sample(30, 65), sample(33, 50, objects=0)])
    assert batch.images.shape == (2, 2, 3, 64, 96)
    assert batch.truth.half_masks.shape == (2, 4, 32, 48)
    assert batch.truth.half_masks.sum() == (30 // 2) * (64 // 2)  # the column that only half a pixel reaches is not set


def test_valid_marks_exactly_the_image():
    batch = collate_clips([sample(30, 65), sample(33, 50)])
    assert torch.equal(batch.valid, batch.images[:, :, 0] == 7)
    assert batch.valid[0].sum() == 2 * 30 * 65


def test_images_of_several_sizes_keep_their_pixels():
    source = torch.Generator().manual_seed(0)
    samples = [
        replace(one, images=torch.randint(1, 256, one.images.shape, dtype=torch.uint8, generator=source))
        for one in (sample(30, 65), sample(64, 50))
    ]
    batch = collate_clips(samples)
    for images, valid, one in zip(batch.images, batch.valid, samples, strict=True):
        height, width = one.images.shape[-2:]
        assert torch.equal(images[..., :height, :width], one.images)
        assert not images[~valid.unsqueeze(1).expand_as(images)].any()


def test_a_batch_names_its_frames():
    assert collate_clips([sample(32, 32)]).describe() == "video 3 frames [1, 1]"


def test_single_frames_have_no_truth_to_learn_from():
    pair = sample(32, 32)
    single = replace(pair, images=pair.images[:1], truths=pair.truths[:1], metas=pair.metas[:1])
    batch = collate_clips([single])
    assert batch.truth is None
    with pytest.raises(ValueError, match="pairs of frames"):
        _ = batch.truth_of_pairs
