import dataclasses

import cv2
import numpy as np
import pytest
import torch

from mmdet.datasets import ItemKey, RandomFlip, ResizeKeepRatio, VISDataset, frame_reader
from mmdet.errors import UserError
from mmdet.registry import DATASETS
from mmdet.structures.clips import collate_clips

DOUBLE = {"type": "ResizeKeepRatio", "long_edge": 96, "short_edge": 72}
RANDOM = (ResizeKeepRatio((40, 96), (30, 72)), RandomFlip())


def same(first, second):
    """Compare two dataclasses of tensors, tuples and plain values."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, tuple):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    if dataclasses.is_dataclass(first):
        return all(same(getattr(first, f.name), getattr(second, f.name)) for f in dataclasses.fields(first))
    return first == second


def assert_boxes_are_those_of_masks(truth):
    assert len(truth) > 0
    for box, mask in zip(truth.boxes.tolist(), truth.masks, strict=True):
        y, x = torch.nonzero(mask, as_tuple=True)
        assert box == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_train_items_are_the_frames_with_objects(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[])
    assert len(dataset) == 5 + 3
    shown = [(s.metas[0].video_id, s.metas[0].frame_index) for s in (dataset[ItemKey(0, i)] for i in range(8))]
    assert shown == [(905, 0), (905, 1), (905, 2), (905, 4), (905, 5), (3, 0), (3, 1), (3, 2)]


def test_labels_are_positions_in_the_file(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[])
    truth = dataset[ItemKey(0, 1)].truths[0]
    assert truth.instance_ids.tolist() == [77, 12]
    assert truth.labels.tolist() == [1, 0]
    assert dataset.class_names == ("dog", "cat")
    assert dataset.category_ids == (30, 7)
    assert dataset.num_classes == 2


def test_boxes_and_masks_of_all_encodings_agree(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[])
    for index in range(len(dataset)):
        assert_boxes_are_those_of_masks(dataset[ItemKey(0, index)].truths[0])


def test_a_sample_is_a_pair_of_one_video_and_one_size(two_videos):
    sample = VISDataset(**two_videos.write(), transforms=[DOUBLE])[ItemKey(0, 1)]
    key, reference = sample.metas
    assert sample.images.shape == (2, 3, 72, 96)
    assert sample.images.dtype == torch.uint8
    assert key.video_id == reference.video_id == 905
    assert key.frame_index == 1 != reference.frame_index
    assert (key.original_size, key.input_size, key.scale) == ((36, 48), (72, 96), 2.0)
    assert sample.truths[0].boxes[0].tolist() == [10, 12, 30, 32]


def test_the_jitter_has_a_row_a_reference_object_within_its_range(two_videos):
    two_videos.raw["annotations"][1]["iscrowd"] = 1
    dataset = VISDataset(**two_videos.write(), transforms=[])
    samples = [dataset[ItemKey(epoch, 0)] for epoch in range(30)]
    for sample in samples:
        assert sample.reference_jitter.shape == (len(sample.truths[1]), 4)
        assert sample.reference_jitter.dtype == torch.float32
    jitter = torch.cat([sample.reference_jitter for sample in samples])
    assert 0.04 < jitter.abs().max() <= 0.05
    assert jitter.min() < 0 < jitter.max()


def test_references_may_keep_their_boxes_and_keys_their_whole_masks(two_videos):
    data = two_videos.write()
    sample = VISDataset(**data, transforms=[], max_jitter=0, whole_masks=True)[ItemKey(0, 0)]
    assert not sample.reference_jitter.any()
    truth = collate_clips([sample]).truth
    count = len(sample.truths[0])
    assert count
    assert truth.masks[0, :count].sum() == sample.truths[0].masks.sum()
    assert collate_clips([VISDataset(**data, transforms=[])[ItemKey(0, 0)]]).truth.masks is None


def test_an_item_asked_for_twice_is_the_same(two_videos):
    data = two_videos.write()
    first, second = VISDataset(**data, transforms=RANDOM), VISDataset(**data, transforms=RANDOM)
    second[ItemKey(9, 3)]
    for index in range(len(first)):
        assert same(first[ItemKey(2, index)], second[ItemKey(2, index)])


@pytest.mark.parametrize("other", [ItemKey(1, 0), ItemKey(0, 0, 1)])
def test_another_epoch_or_repeat_is_another_draw(two_videos, other):
    dataset = VISDataset(**two_videos.write(), transforms=RANDOM)
    assert not same(dataset[ItemKey(0, 0)], dataset[other])


def test_another_seed_is_another_draw(two_videos):
    data = two_videos.write()
    first, second = VISDataset(**data, transforms=RANDOM), VISDataset(**data, transforms=RANDOM, seed=1)
    assert not same(first[ItemKey(0, 0)], second[ItemKey(0, 0)])


def test_global_generators_are_neither_used_nor_moved(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=RANDOM)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = dataset[ItemKey(0, 0)]
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(1)
    assert same(first, dataset[ItemKey(0, 0)])


def test_a_crowd_row_keeps_its_own_mask(tiny_set):
    video = tiny_set.add_video(1)
    tiny_set.add_track(1, video, x=2, y=2)
    tiny_set.add_track(2, video, x=20, y=3, side=14, crowd=1)
    tiny_set.add_track(3, video, x=6, y=20, side=8)
    truth = VISDataset(**tiny_set.write(), transforms=[DOUBLE])[ItemKey(0, 0)].truths[0]
    assert truth.is_crowd.tolist() == [False, True, False]
    for (x1, y1, x2, y2), mask in zip(truth.boxes.int().tolist(), truth.masks, strict=True):
        assert mask[y1:y2, x1:x2].all()
        assert mask.sum() == (x2 - x1) * (y2 - y1)


def test_frames_with_nothing_but_a_crowd_are_no_items(tiny_set):
    video = tiny_set.add_video(1, frames=3)
    tiny_set.add_track(1, video, seen=[0, 2])
    tiny_set.add_track(2, video, crowd=1)
    dataset = VISDataset(**tiny_set.write(), transforms=[])
    frames = {meta.frame_index for i in range(len(dataset)) for meta in dataset[ItemKey(0, i)].metas}
    assert len(dataset) == 2
    assert frames == {0, 2}


def test_a_video_with_one_annotated_frame_pairs_with_itself(tiny_set):
    tiny_set.add_track(1, tiny_set.add_video(1), seen=[2])
    dataset = VISDataset(**tiny_set.write(), transforms=[])
    sample = dataset[ItemKey(0, 0)]
    assert [meta.frame_index for meta in sample.metas] == [2, 2]
    assert sample.truths[0].instance_ids.tolist() == sample.truths[1].instance_ids.tolist() == [1]


@pytest.mark.parametrize(
    ("box", "area"),
    [(None, None), ([4, 6, 10, 10], 0), ([4, 6, 0.5, 10], 5), ([4, 6, 10, 0.9], 9), ([60, 6, 10, 10], 100)],
)
def test_absent_tiny_and_outside_boxes_are_not_seen(two_videos, box, area):
    track = two_videos.raw["annotations"][0]
    track["bboxes"][1], track["areas"][1] = box, area
    if not area:
        track["segmentations"][1] = None if box is None else {"size": [36, 48], "counts": [36 * 48]}
    dataset = VISDataset(**two_videos.write(), transforms=[])
    assert dataset[ItemKey(0, 1)].truths[0].instance_ids.tolist() == [12]


@pytest.mark.parametrize("box", [[4, 6, 1, 10], [4, 6, 10, 1], [47, 6, 10, 10], [4, 35, 10, 10]])
def test_a_box_that_has_the_least_size_in_the_image_is_seen(two_videos, box):
    track = two_videos.raw["annotations"][0]
    track["bboxes"][1], track["areas"][1] = box, 10
    dataset = VISDataset(**two_videos.write(), transforms=[])
    assert dataset[ItemKey(0, 1)].truths[0].instance_ids.tolist() == [77, 12]


@pytest.mark.parametrize("line", [[7, 3, 7, 9], [3, 9, 7, 9], [7, 9, 7, 9]])
def test_an_object_of_which_a_transform_leaves_a_line_is_no_longer_seen(two_videos, line):
    def flattened(frames, rng):
        boxes = [np.array([line, *frame.boxes[1:]], np.float32) for frame in frames]
        return [dataclasses.replace(frame, boxes=own) for frame, own in zip(frames, boxes, strict=True)]

    dataset = VISDataset(**two_videos.write(), transforms=[flattened])
    assert dataset[ItemKey(0, 1)].truths[0].instance_ids.tolist() == [12]


def test_boxes_are_clipped_to_the_image(two_videos):
    for box, seen in (([-5, -5, 100, 20], [0, 0, 48, 15]), ([-5, 20, 30, 100], [0, 20, 25, 36])):
        two_videos.raw["annotations"][0]["bboxes"][0] = box
        dataset = VISDataset(**two_videos.write(), transforms=[])
        assert dataset[ItemKey(0, 0)].truths[0].boxes.tolist() == [seen]


def test_only_the_masks_in_use_are_decoded(two_videos):
    two_videos.raw["annotations"][2]["segmentations"][2] = {"size": [48, 36], "counts": [5]}
    dataset = VISDataset(**two_videos.write(), transforms=[])
    assert len(dataset[ItemKey(0, 0)].truths) == 2
    with pytest.raises(UserError, match="annotation 5000, video 3, frame 2: the segmentation cannot be decoded"):
        dataset[ItemKey(0, 7)]


def test_masks_of_references_are_neither_decoded_nor_given(tiny_set):
    video = tiny_set.add_video(1, frames=2)
    tiny_set.add_track(5, video, seen=[0])
    tiny_set.add_track(6, video, seen=[1])["segmentations"][1] = {"size": [36, 48], "counts": [5]}
    dataset = VISDataset(**tiny_set.write(), transforms=RANDOM)
    key, reference = dataset[ItemKey(0, 0)].truths
    assert key.masks.any()
    assert (reference.instance_ids.tolist(), reference.masks.shape) == ([6], (1, 0, 0))
    with pytest.raises(UserError, match="annotation 6, video 1, frame 1"):
        dataset[ItemKey(0, 1)]


@pytest.mark.parametrize("transforms", [(), RANDOM])
def test_all_but_their_masks_is_that_of_references_with_masks(two_videos, transforms):
    data, seen = two_videos.write(), []

    def look(frames, rng):
        seen.extend(len(frame.boxes) == len(frame.masks) > 0 and frame.masks.any() for frame in frames)
        return frames

    without = VISDataset(**data, transforms=transforms)
    decoded = VISDataset(**data, transforms=[*transforms, look])
    for index in range(len(without)):
        assert same(without[ItemKey(2, index)], decoded[ItemKey(2, index)])
    assert all(seen)
    assert len(seen) == 2 * len(without)


@pytest.mark.parametrize("transforms", [(), RANDOM])
def test_masks_of_references_are_given_where_a_model_asks_for_them(two_videos, transforms):
    data = two_videos.write()
    without = VISDataset(**data, transforms=transforms)
    asked = VISDataset(**data, transforms=transforms, reference_masks=True)
    for index in range(len(asked)):
        sample, plain = asked[ItemKey(2, index)], without[ItemKey(2, index)]
        key, reference = sample.truths
        assert reference.masks.shape == (len(reference), *sample.images.shape[-2:])
        assert reference.masks.flatten(1).any(dim=1).all()
        assert plain.truths[1].masks.shape[1:] == (0, 0)
        assert same(key, plain.truths[0])
        assert same(sample.images, plain.images)
        assert same(reference.boxes, plain.truths[1].boxes)


def test_test_items_are_all_frames_without_truth(two_videos):
    two_videos.raw["annotations"] = None
    dataset = VISDataset(**two_videos.write(), transforms=[DOUBLE], test_mode=True)
    assert len(dataset) == 9
    assert not dataset.has_annotations
    sample = dataset.test_sample(1, 2)
    assert same(sample, dataset[ItemKey(0, 8)])
    assert sample.images.shape == (1, 3, 96, 72)
    assert (sample.metas[0].video_id, sample.metas[0].frame_index) == (3, 2)
    assert sample.truths[0].masks.shape == (0, 96, 72)
    assert sample.reference_jitter.shape == (0, 4)


def test_a_test_image_is_the_frame(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[], test_mode=True)
    frame = cv2.imread(str(two_videos.img_prefix / "v905/00003.jpg"))[..., ::-1]
    assert np.array_equal(dataset.test_sample(0, 3).images[0].permute(1, 2, 0).numpy(), frame)


def test_transforms_that_leave_frames_of_two_sizes_are_an_error(two_videos):
    def cut_the_first(frames, rng):
        return [dataclasses.replace(frames[0], image=frames[0].image[:20], masks=frames[0].masks[:, :20]), *frames[1:]]

    with pytest.raises(ValueError, match=r"shapes \(20, 48, 3\) and \(36, 48, 3\)"):
        VISDataset(**two_videos.write(), transforms=[cut_the_first])[ItemKey(0, 1)]


def test_a_malformed_mask_beside_sound_ones_is_named(two_videos):
    two_videos.raw["annotations"][1]["segmentations"][1] = {"size": [36, 48], "counts": [5]}
    with pytest.raises(UserError, match="annotation 12, video 905, frame 1: the segmentation cannot be decoded"):
        VISDataset(**two_videos.write(), transforms=[])[ItemKey(0, 1)]


def test_aspect_groups_tell_wide_from_high(two_videos):
    assert VISDataset(**two_videos.write(), transforms=[]).aspect_groups.tolist() == [1] * 5 + [0] * 3


def test_every_epoch_has_every_item(two_videos):
    assert VISDataset(**two_videos.write(), transforms=[]).epoch_items(3).tolist() == list(range(8))


def test_configs_build_it_by_name(two_videos):
    dataset = DATASETS.build({"type": "VISDataset", **two_videos.write(), "transforms": [DOUBLE]})
    assert dataset.ann_file == str(two_videos.ann_file)


def test_missing_frames_are_counted_and_named(two_videos):
    data = two_videos.write()
    for name in ("v905/00001.jpg", "v905/00002.jpg"):
        (two_videos.img_prefix / name).unlink()
    with pytest.raises(
        UserError, match=r"2 of 9 frames of .* are missing, first .*v905/00001\.jpg.*is img_prefix right"
    ):
        VISDataset(**data, transforms=[])
    assert len(VISDataset(**data, transforms=[], check_files=False)) == 8


def test_a_frame_outside_the_image_folder_is_refused(two_videos):
    data = two_videos.write()
    two_videos.raw["videos"][0]["file_names"][0] = "../secret.jpg"
    two_videos.write_json()
    with pytest.raises(UserError, match="leads out of the image folder"):
        VISDataset(**data, transforms=[])


def test_training_without_annotations_is_refused(two_videos):
    two_videos.raw["annotations"] = None
    with pytest.raises(UserError, match="has no annotated objects"):
        VISDataset(**two_videos.write(), transforms=[])


def test_flips_in_testing_are_refused(two_videos):
    with pytest.raises(UserError, match="RandomFlip draws at random"):
        VISDataset(**two_videos.write(), transforms=[RandomFlip()], test_mode=True)


@pytest.mark.parametrize("name", ["cocopaste", "davis16_small"])
def test_real_videos_load_and_decode(shared, name):
    folder = shared / "data" / name
    dataset = VISDataset(
        ann_file=str(folder / "annotations" / "instances_train.json"),
        img_prefix=str(folder / "train" / "JPEGImages"),
        transforms=[RandomFlip()],
    )
    for index in range(0, len(dataset), len(dataset) // 5):
        truths = dataset[ItemKey(0, index)].truths
        assert_boxes_are_those_of_masks(truths[0])
        assert all(truth.labels.max() < dataset.num_classes for truth in truths)


def test_only_annotated_frames_are_trained_on_and_paired(two_videos):
    two_videos.raw["videos"][0]["annotated_frames"] = [0, 4]
    dataset = VISDataset(**two_videos.write(), transforms=[], max_gap=2)
    assert len(dataset) == 2 + 3
    frames = {meta.frame_index for epoch in range(20) for meta in dataset[ItemKey(epoch, 0)].metas}
    assert frames == {0, 4}


def test_all_frames_of_a_sparsely_annotated_video_are_tested(two_videos):
    two_videos.raw["videos"][0]["annotated_frames"] = [0, 4]
    assert len(VISDataset(**two_videos.write(), transforms=[], test_mode=True)) == 9


def test_objects_without_boxes_are_trained_on(two_videos):
    arguments = two_videos.write()
    given = VISDataset(**arguments, transforms=[])
    for track in two_videos.raw["annotations"]:
        del track["bboxes"], track["areas"]
    two_videos.write_json()
    bare = VISDataset(**arguments, transforms=[])
    assert len(bare) == len(given)
    for index in range(len(bare)):
        for ours, theirs in zip(bare[ItemKey(0, index)].truths, given[ItemKey(0, index)].truths, strict=True):
            assert torch.equal(ours.boxes, theirs.boxes)
            assert ours.instance_ids.tolist() == theirs.instance_ids.tolist()


def test_boxes_at_odds_with_masks_are_said_once(two_videos):
    for track in two_videos.raw["annotations"]:
        track["bboxes"] = [box and [box[0], box[1], box[0] + box[2], box[1] + box[3]] for box in track["bboxes"]]
    dataset = VISDataset(**two_videos.write(), transforms=[])
    (note,) = dataset.notes
    assert "they look like corners x1, y1, x2, y2" in note
    assert note.startswith(two_videos.write_json())


def test_masks_that_boxes_hide_from_training_are_counted(two_videos):
    track = two_videos.raw["annotations"][2]
    track["bboxes"] = [[0.1, 0.2, 0.3, 0.3]] * 3
    dataset = VISDataset(**two_videos.write(), transforms=[])
    assert any("3 masks are not trained on" in note and "annotation 5000, video 3" in note for note in dataset.notes)


def test_a_set_in_which_no_box_counts_says_why(two_videos):
    for track in two_videos.raw["annotations"]:
        wide = track["video_id"] == 905
        sides = [48, 36, 48, 36] if wide else [36, 48, 36, 48]
        track["bboxes"] = [box and [a / b for a, b in zip(box, sides, strict=True)] for box in track["bboxes"]]
    with pytest.raises(UserError, match="no annotated objects .* shares of the image"):
        VISDataset(**two_videos.write(), transforms=[])


def test_a_longer_clip_has_its_key_first_and_the_truth_of_all_its_frames(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=RANDOM, reference_masks=True, clip_length=3)
    sample = dataset[ItemKey(0, 5)]
    assert sample.images.shape[:2] == (3, 3)
    assert [meta.video_id for meta in sample.metas] == [3, 3, 3]
    assert sorted(meta.frame_index for meta in sample.metas) == [0, 1, 2]
    assert sample.metas[0].frame_index == 0
    assert [truth.instance_ids.tolist() for truth in sample.truths] == [[5000]] * 3
    assert all(truth.masks.any() for truth in sample.truths)
    assert len(sample.reference_jitter) == 1
    assert same(sample, dataset[ItemKey(0, 5)])


def test_evenly_spaced_clips_step_through_the_video(two_videos):
    dataset = VISDataset(**two_videos.write(), transforms=[], clip_length=3, spacing="even")
    frames = [meta.frame_index for meta in dataset[ItemKey(0, 0)].metas]
    assert frames in ([0, 1, 2], [0, 2, 4])


def test_a_pair_is_drawn_as_it_was_before_longer_clips(two_videos):
    data = two_videos.write()
    pair, clip = VISDataset(**data, transforms=[]), VISDataset(**data, transforms=[], clip_length=3)
    for index in range(len(pair)):
        assert pair[ItemKey(1, index)].metas == clip[ItemKey(1, index)].metas[:2]


def test_a_picture_that_a_clip_shows_more_than_once_is_read_once(tiny_set, monkeypatch):
    read = []
    monkeypatch.setattr(
        frame_reader, "read_image", lambda path, size: read.append(path) or np.zeros((*size, 3), np.uint8)
    )
    tiny_set.add_track(1, tiny_set.add_video(1, frames=2), seen=[0, 1])
    sample = VISDataset(**tiny_set.write(), transforms=[], clip_length=4, reference_masks=True)[ItemKey(0, 0)]
    assert [meta.frame_index for meta in sample.metas] == [0, 1, 1, 1]
    assert len(read) == 2
    assert all(truth.masks.any() for truth in sample.truths)
