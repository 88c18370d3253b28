"""Frames that cannot be read, as a loader meets them."""

import numpy as np
import pytest
import torch

from mmdet.datasets import ItemKey, VISDataset, readable
from mmdet.datasets.readable import ReadableClips, ReadableFrames, read_patiently
from mmdet.errors import FrameError, UserError
from mmdet.structures import collate_clips


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that are made, none of which takes time."""
    made = []
    monkeypatch.setattr(readable.time, "sleep", made.append)
    return made


def test_a_frame_that_comes_back_after_a_pause_is_no_bad_frame(pauses):
    answers = iter([FrameError("frame 1.jpg cannot be read: Stale file handle"), "sample"])

    def read():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert read_patiently(read) == "sample"
    assert pauses == [readable.RETRY_PAUSE_S]


@pytest.fixture
def damaged_set(two_videos):
    """A training set of a wide video with a damaged frame 2 and a high one."""
    data = two_videos.write()
    (two_videos.img_prefix / "v905/00002.jpg").write_bytes(b"x")
    return VISDataset(**data, transforms=[])


def item_of(dataset, video, frame):
    return dataset._items.index((video, frame))


def test_a_damaged_frame_is_told_from_the_user_s_other_mistakes(damaged_set):
    with pytest.raises(FrameError, match="v905/00002.jpg is damaged"):
        damaged_set[ItemKey(0, item_of(damaged_set, 0, 2))]


def test_a_pair_with_a_bad_frame_is_replaced_by_one_of_its_aspect_group(damaged_set, pauses):
    clips = ReadableClips(damaged_set, seed=0, most=20)
    key = ItemKey(0, item_of(damaged_set, 0, 2))
    sample, again = clips[key], clips[key]
    assert {meta.video_id for meta in sample.metas} == {905}
    assert all(meta.frame_index != 2 for meta in sample.metas)
    assert sample.metas == again.metas
    assert "v905/00002.jpg is damaged" in sample.bad_frames[0]
    others = {clips[ItemKey(epoch, key.index)].metas for epoch in range(8)}
    assert len(others) > 1


def test_what_was_bad_reaches_the_batch_by_its_clip(damaged_set, pauses):
    clips = ReadableClips(damaged_set, seed=0, most=20)
    bad, good = clips[ItemKey(0, item_of(damaged_set, 0, 2))], clips[ItemKey(0, item_of(damaged_set, 1, 0))]
    assert good.bad_frames == ()
    batch = collate_clips([good, bad])
    assert batch.bad_frames == ((), bad.bad_frames)
    assert batch.to("cpu").bad_frames == batch.bad_frames
    assert collate_clips([good, good]).bad_frames == ()


def test_without_a_readable_substitute_the_pair_is_blank_and_names_more_than_are_allowed(two_videos, pauses):
    data = two_videos.write()
    for path in two_videos.img_prefix.rglob("*.jpg"):
        path.write_bytes(b"")
    clips = ReadableClips(VISDataset(**data, transforms=[]), seed=0, most=3)
    sample = clips[ItemKey(0, 0)]
    assert len(sample.bad_frames) == 4
    assert not sample.images.any()
    assert len(pauses) == 1


def test_a_mask_that_cannot_be_decoded_is_no_bad_frame(two_videos, pauses):
    for track in two_videos.raw["annotations"]:
        track["segmentations"] = [
            None if s is None else {"size": [36, 48], "counts": [1]} for s in track["segmentations"]
        ]
    two_videos.raw["annotations"].pop()
    clips = ReadableClips(VISDataset(**two_videos.write(), transforms=[]), seed=0, most=3)
    with pytest.raises(UserError, match="the segmentation cannot be decoded") as caught:
        clips[ItemKey(0, 0)]
    assert not isinstance(caught.value, FrameError)


@pytest.fixture
def frames(two_videos):
    """The frames of a test, of whose first video 0, 3 and 4 cannot be read."""
    data = two_videos.write()
    for frame in (0, 3, 4):
        (two_videos.img_prefix / f"v905/{frame:05d}.jpg").write_bytes(b"x")
    transforms = [{"type": "ResizeKeepRatio", "long_edge": 24, "short_edge": 18}]
    return ReadableFrames(VISDataset(**data, transforms=transforms, test_mode=True))


def test_a_bad_frame_of_a_test_shows_the_one_before_it_and_says_so(frames, pauses):
    good, first, second = (frames[0, frame] for frame in (2, 3, 4))
    for sample, frame in ((first, 3), (second, 4)):
        assert torch.equal(sample.images, good.images)
        assert sample.metas[0].frame_index == frame
        assert f"v905/0000{frame}.jpg is damaged" in sample.bad_frames[0]
    assert good.bad_frames == ()


def test_a_bad_frame_that_begins_a_video_is_black_and_of_the_others_size(frames, pauses):
    sample = frames[0, 0]
    assert sample.images.shape == frames[0, 1].images.shape == (1, 3, 18, 24)
    assert not sample.images.any()
    assert sample.metas[0].frame_index == 0


def test_of_many_bad_frames_in_a_row_the_first_alone_is_waited_for(frames, pauses):
    for frame in (2, 3, 4):
        frames[0, frame]
    assert len(pauses) == 1
    for frame in (5, 3):
        frames[0, frame]
    assert len(pauses) == 2


class NothingReadable:
    """A set that notes what is asked for and has none of it."""

    def __init__(self):
        self.aspect_groups = np.array([0] * 50 + [1] * 50)
        self.asked = []

    def __getitem__(self, key):
        self.asked.append(key.index)
        raise FrameError(f"{key.index}.jpg is damaged")


@pytest.mark.parametrize("change", [{"epoch": 1}, {"repeat": 1}, {"index": 8}, {"seed": 1}])
def test_substitutes_differ_by_attempt_and_by_everything_that_names_a_draw(pauses, change):
    def substitutes(seed=0, epoch=0, index=7, repeat=0):
        dataset = NothingReadable()
        ReadableClips(dataset, seed=seed, most=6)[ItemKey(epoch, index, repeat)]
        return dataset.asked[2:]

    drawn = substitutes()
    assert len(set(drawn)) > 3
    assert max(drawn) < 50
    assert drawn == substitutes()
    assert drawn != substitutes(**change)


def test_a_blank_clip_is_as_long_as_the_others(two_videos):
    data = two_videos.write()
    dataset = VISDataset(**data, transforms=[], clip_length=3, reference_masks=True)
    (two_videos.img_prefix / "v3/00000.jpg").write_bytes(b"broken")
    sample = ReadableClips(dataset, seed=0, most=0)[ItemKey(0, 5)]
    assert sample.bad_frames
    assert len(sample.images) == len(sample.truths) == len(sample.metas) == 3
