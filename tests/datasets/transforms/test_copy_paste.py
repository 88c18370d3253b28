"""Objects of other videos in a clip: what they cover, how they move, and what stays as it was."""

from dataclasses import replace

import numpy as np
import pytest

from mmdet.datasets import CopyPaste, ItemKey, MixedDataset, RandomFlip, RawFrame, VISDataset
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

SIZE = (40, 60)


def frame_of(objects, grey=100, size=SIZE):
    """A grey frame; `objects`: by id, (box, label, is_crowd)."""
    masks = np.zeros((len(objects), *size), np.uint8)
    for mask, ((x1, y1, x2, y2), _, _) in zip(masks, objects.values(), strict=True):
        mask[y1:y2, x1:x2] = 1
    return RawFrame(
        image=np.full((*size, 3), grey, np.uint8),
        boxes=np.array([box for box, _, _ in objects.values()], np.float32).reshape(-1, 4),
        masks=masks,
        scale=1.0,
        original_size=size,
        is_crowd=np.array([crowd for _, _, crowd in objects.values()], bool),
        labels=np.array([label for _, label, _ in objects.values()], np.int64),
        instance_ids=np.array(list(objects), np.int64),
    )


def in_place(**settings):
    """The transform with draws of which none moves or scales; objects are mirrored or not."""
    return CopyPaste(**{"probability": 1.0, "scale": (1.0, 1.0), "most": 3, **settings})


class Fixed:
    """A generator that scales by 1, shifts by `shift`, mirrors if told, and chooses as many as it may."""

    def __init__(self, shift=(0.0, 0.0), mirrored=False):
        self.shift, self.mirrored, self.calls = np.array(shift), mirrored, 0

    def random(self):
        self.calls += 1
        return 0.0 if self.calls == 1 or self.mirrored else 0.9

    def integers(self, low, high, endpoint=False):
        return high

    def permutation(self, values):
        return np.array(values)

    def uniform(self, low, high, size=None):
        return low if size is None else self.shift


def paste(frames, others, transform=None, **draws):
    return (transform or in_place()).paste(frames, lambda rng: others, Fixed(**draws))


OLD = {1: ((10, 10, 30, 30), 0, False)}
NEW = {7: ((20, 5, 50, 35), 2, False)}


def test_what_is_pasted_lies_over_what_was_there():
    (pasted,) = paste([frame_of(OLD)], [frame_of(NEW, grey=200)])
    assert pasted.instance_ids.tolist() == [1, 7]
    assert pasted.labels.tolist() == [0, 2]
    assert pasted.is_crowd.tolist() == [False, False]
    assert pasted.boxes.tolist() == [[10, 10, 20, 30], [20, 5, 50, 35]]  # the visible part; the whole
    assert not (pasted.masks[0] & pasted.masks[1]).any()
    assert np.array_equal(pasted.masks[1], frame_of(NEW).masks[0])
    inside = frame_of({7: ((21, 6, 49, 34), 2, False)}).masks[0].astype(bool)
    assert (pasted.image[inside] == 200).all()
    assert (pasted.image[pasted.masks[1] == 0] == 100).all()
    assert pasted.image[5, 35, 0] in range(101, 200)  # the border is soft


def test_an_object_that_is_covered_has_no_area_left():
    (pasted,) = paste([frame_of({1: ((22, 10, 40, 30), 0, False)})], [frame_of(NEW)])
    assert pasted.boxes[0].tolist() == [0, 0, 0, 0]
    assert not pasted.masks[0].any()


def test_an_object_of_which_few_pixels_are_left_counts_as_hidden():
    old = {1: ((18, 10, 40, 30), 0, False)}  # 40 pixels are left
    boxes = [paste([frame_of(old)], [frame_of(NEW)], in_place(least_pixels=n))[0].boxes[0].tolist() for n in (40, 41)]
    assert boxes == [[18, 10, 20, 30], [0, 0, 0, 0]]


def test_an_object_that_would_show_few_pixels_is_not_pasted():
    frames = [frame_of(OLD)]
    new = {7: ((2, 2, 6, 6), 2, False)}
    assert paste(frames, [frame_of(new)], in_place(least_pixels=17)) == frames
    assert len(paste(frames, [frame_of(new)], in_place(least_pixels=16))[0].boxes) == 2


def test_objects_beside_what_is_pasted_keep_their_annotated_boxes():
    frame = frame_of({1: ((0, 0, 10, 10), 0, False)})
    frame = replace(frame, boxes=np.array([[0, 0, 12, 11]], np.float32))
    assert paste([frame], [frame_of(NEW)])[0].boxes[0].tolist() == [0, 0, 12, 11]


def test_crowds_are_neither_changed_nor_pasted():
    crowd = {3: ((10, 0, 40, 40), 1, True)}
    (pasted,) = paste([frame_of(crowd)], [frame_of({**NEW, 8: ((0, 0, 15, 15), 0, True)})])
    assert pasted.instance_ids.tolist() == [3, 7]
    assert pasted.is_crowd.tolist() == [True, False]
    assert np.array_equal(pasted.masks[0], frame_of(crowd).masks[0])
    assert pasted.boxes[0].tolist() == [10, 0, 40, 40]


def test_pasted_objects_keep_ids_and_labels_and_move_as_in_their_own_video():
    others = [frame_of({7: ((5, 5, 15, 15), 2, False), 8: ((40, 20, 50, 30), 1, False)})]
    others.append(frame_of({8: ((30, 22, 40, 32), 1, False), 7: ((9, 6, 19, 16), 2, False)}))
    first, second = paste([frame_of({})] * 2, others, shift=(0.1, 0.05))
    assert first.instance_ids.tolist() == [7, 8]
    assert second.instance_ids.tolist() == [8, 7]
    assert (first.labels.tolist(), second.labels.tolist()) == ([2, 1], [1, 2])
    assert first.boxes.tolist() == [[11, 7, 21, 17], [46, 22, 56, 32]]
    assert second.boxes.tolist() == [[36, 24, 46, 34], [15, 8, 25, 18]]


def test_an_object_that_leaves_the_frame_is_pasted_where_it_is_seen():
    others = [frame_of({7: ((5, 5, 15, 15), 2, False)}), frame_of({7: ((45, 5, 55, 15), 2, False)})]
    first, second = paste([frame_of({})] * 2, others, shift=(0.3, 0.0))
    assert first.instance_ids.tolist() == [7]
    assert len(second.boxes) == 0


def test_a_mirrored_object_is_that_of_a_mirrored_frame():
    other = frame_of(NEW)
    (pasted,) = paste([frame_of({})], [other], mirrored=True)
    (flipped,) = RandomFlip(1.0)([other], np.random.default_rng(0))
    assert np.array_equal(pasted.masks, flipped.masks)
    assert np.array_equal(pasted.boxes, flipped.boxes)


def test_frames_of_another_size_are_fitted_in():
    other = frame_of({7: ((0, 0, 120, 80), 2, False)}, size=(80, 120))
    assert paste([frame_of({})], [other])[0].boxes.tolist() == [[0, 0, 60, 40]]
    narrow = frame_of({7: ((0, 0, 40, 80), 2, False)}, size=(80, 40))
    assert paste([frame_of({})], [narrow])[0].boxes.tolist() == [[20, 0, 40, 40]]


def test_objects_that_the_clip_shows_already_are_not_pasted_twice():
    both = frame_of({**OLD, **NEW})
    (pasted,) = paste([frame_of(OLD)], [both])
    assert pasted.instance_ids.tolist() == [1, 7]
    first, second = frame_of(OLD), frame_of({})  # one that only the other frame of the clip shows counts too
    assert [frame.instance_ids.tolist() for frame in paste([first, second], [both, both])] == [[1, 7], [7]]


def test_no_more_objects_are_pasted_than_allowed():
    others = [frame_of({7 + place: ((12 * place, 0, 12 * place + 9, 9), 0, False) for place in range(5)})]
    counts = set()
    for seed in range(40):
        (pasted,) = in_place(most=3).paste([frame_of({})], lambda rng: others, np.random.default_rng(seed))
        counts.add(len(pasted.boxes))
    assert counts <= {0, 1, 2, 3}
    assert {1, 2} <= counts


def test_a_frame_without_known_crowds_has_none():
    frame = replace(frame_of(OLD), is_crowd=None)
    assert paste([frame], [frame_of(NEW)])[0].is_crowd.tolist() == [False, False]


def test_with_a_probability_of_zero_nothing_is_drawn_or_changed():
    frames = [frame_of(OLD)]

    def draw(rng):
        raise AssertionError("another pair was read")

    for seed in range(20):
        assert CopyPaste(probability=0.0).paste(frames, draw, np.random.default_rng(seed)) is frames


def test_videos_without_other_objects_change_nothing():
    frames = [frame_of(OLD)]
    assert paste(frames, [frame_of(OLD)]) == frames


def test_inputs_are_not_changed():
    frame, other = frame_of(OLD), frame_of(NEW, grey=200)
    paste([frame], [other])
    assert (frame.image == 100).all()
    assert (other.image == 200).all()
    assert np.array_equal(frame.masks, frame_of(OLD).masks)
    assert frame.boxes.tolist() == [[10, 10, 30, 30]]


def test_alone_it_says_where_it_belongs():
    with pytest.raises(UserError, match="use it in the transforms of a data set for training"):
        CopyPaste()([frame_of(OLD)], np.random.default_rng(0))


def test_a_scale_that_falls_is_refused():
    with pytest.raises(UserError, match=r"CopyPaste: scale is \(1.4, 0.6\)"):
        TRANSFORMS.build({"type": "CopyPaste", "scale": (1.4, 0.6)})


ALWAYS = {"type": "CopyPaste", "probability": 1.0, "least_pixels": 1}


def ids_in(dataset, index, epoch=0):
    return [set(truth.instance_ids.tolist()) for truth in dataset[ItemKey(epoch, index)].truths]


@pytest.fixture
def dataset(two_videos):
    return VISDataset(**two_videos.write(), transforms=[ALWAYS], reference_masks=True)


def test_a_data_set_pastes_objects_of_its_other_videos(dataset, two_videos):
    plain = VISDataset(str(two_videos.ann_file), str(two_videos.img_prefix), transforms=[])
    added = set()
    for epoch in range(6):
        for index in range(len(dataset)):
            before, after = ids_in(plain, index, epoch), ids_in(dataset, index, epoch)
            added |= (after[0] | after[1]) - (before[0] | before[1])
    assert added == {77, 12, 5000}


def test_what_it_gives_follows_from_the_key(dataset):
    for index in range(len(dataset)):
        first, second = dataset[ItemKey(1, index)], dataset[ItemKey(1, index)]
        assert np.array_equal(first.images, second.images)
        assert first.truths[1].masks.equal(second.truths[1].masks)
    draws = [dataset[ItemKey(epoch, 0)].images for epoch in range(4)]
    assert any(not draws[0].equal(other) for other in draws[1:])


def test_no_id_comes_twice_in_a_frame_and_hidden_objects_are_left_out(dataset):
    for epoch in range(10):
        for index in range(len(dataset)):
            for truth in dataset[ItemKey(epoch, index)].truths:
                assert len(set(truth.instance_ids.tolist())) == len(truth)
                assert truth.masks.flatten(1).any(dim=1).all()
                assert (truth.boxes[:, 2:] > truth.boxes[:, :2]).all()


def test_boxes_of_pasted_and_covered_objects_are_those_of_their_masks(dataset):
    for epoch in range(5):
        for index in range(len(dataset)):
            for truth in dataset[ItemKey(epoch, index)].truths:
                for box, mask in zip(truth.boxes.tolist(), truth.masks.numpy(), strict=True):
                    y, x = np.nonzero(mask)
                    assert box == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_it_is_refused_in_testing(two_videos):
    with pytest.raises(UserError, match="CopyPaste draws at random"):
        VISDataset(**two_videos.write(), transforms=[ALWAYS], test_mode=True)


def test_each_of_several_data_sets_pastes_its_own_objects(tmp_path, two_videos):
    data = two_videos.write()
    other = type(two_videos)(tmp_path / "other")
    video = other.add_video(1)
    other.add_track(400, video)
    other.add_track(401, video, x=20, seen=[0])
    mixed = MixedDataset([VISDataset(**each, transforms=[ALWAYS]) for each in (data, other.write())])
    first = len(mixed.datasets[0])
    for index in range(len(mixed)):
        seen = set().union(*ids_in(mixed, index))
        assert seen <= ({77, 12, 5000} if index < first else {400, 401})
