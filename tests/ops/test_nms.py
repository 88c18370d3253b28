import pytest
import torch

from mmdet.ops.nms import NEVER_KEPT, batched_fast_nms, fast_nms, kept_by_nms_inclusive, nms_inclusive

BOX = [10.0, 10.0, 20.0, 20.0]


def nms(boxes, scores, score_threshold=0.1, iou_threshold=0.5, max_pre_nms=200, max_per_image=10):
    return fast_nms(
        torch.tensor(boxes), torch.tensor(scores), score_threshold, iou_threshold, max_pre_nms, max_per_image
    )


@pytest.mark.parametrize("name", ["nms_a", "nms_b"])
def test_golden(part, part_notes, name):
    settings = part_notes[f"{name}_cfg"]
    boxes = part(f"{name}_boxes")
    index, labels, scores = fast_nms(
        boxes,
        part(f"{name}_scores").T,
        settings["score_thr"],
        settings["iou_thr"],
        settings["max_pre_nms"],
        settings["max_per_img"],
    )
    expected = part(f"{name}_out_boxes")
    torch.testing.assert_close(scores, expected[:, 4])
    torch.testing.assert_close(boxes[index], expected[:, :4])
    rows = zip(index.tolist(), labels.tolist(), strict=True)  # tied scores may come in any order
    assert set(rows) == set(zip(part(f"{name}_out_idx").tolist(), part(f"{name}_out_labels").tolist(), strict=True))


def test_a_suppressed_box_still_suppresses():
    boxes = [[0.0, 0, 10, 10], [0.0, 4, 10, 14], [0.0, 8, 10, 18]]
    index, _, _ = nms(boxes, [[0.9], [0.8], [0.7]], iou_threshold=0.4)
    assert index.tolist() == [0]


def test_one_box_may_have_two_classes():
    index, labels, scores = nms([BOX], [[0.5, 0.05, 0.9]])
    assert (index.tolist(), labels.tolist()) == ([0, 0], [2, 0])
    assert scores.tolist() == pytest.approx([0.9, 0.5])


def test_classes_do_not_suppress_each_other():
    index, labels, _ = nms([BOX, BOX], [[0.9, 0.0], [0.0, 0.8]])
    assert (index.tolist(), labels.tolist()) == ([0, 1], [0, 1])


def test_of_two_boxes_without_area_the_better_is_kept():
    index, _, _ = nms([[5.0, 5, 5, 9], [7.0, 5, 7, 9]], [[0.3], [0.6]])
    assert index.tolist() == [1]


def test_a_score_at_the_threshold_is_dropped():
    assert len(nms([BOX], [[0.5]], score_threshold=0.5)[0]) == 0


def test_an_overlap_at_the_threshold_suppresses_nothing():
    boxes = [[0.0, 0, 10, 10], [0.0, 0, 10, 20]]  # an IoU of a half
    assert nms(boxes, [[0.9], [0.8]], iou_threshold=0.5)[0].tolist() == [0, 1]
    assert nms(boxes, [[0.9], [0.8]], iou_threshold=0.49)[0].tolist() == [0]


def test_only_the_best_are_returned():
    boxes = [[20.0 * i, 0, 20 * i + 10, 10] for i in range(5)]
    index, _, _ = nms(boxes, [[0.2], [0.5], [0.3], [0.9], [0.4]], max_pre_nms=4, max_per_image=2)
    assert index.tolist() == [3, 1]


def test_no_boxes_give_no_detections():
    index, labels, scores = fast_nms(torch.zeros(0, 4), torch.zeros(0, 40), 0.015, 0.5, 200, 10)
    assert (len(index), len(labels), len(scores)) == (0, 0, 0)


def random_boxes(generator, *count):
    corner = torch.rand(*count, 2, generator=generator) * 40
    return torch.cat([corner, corner + 5 + 20 * torch.rand(*count, 2, generator=generator)], dim=-1)


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct scores", "tied scores"])
def test_a_batch_gives_what_each_image_gives_alone(rounded):
    generator = torch.Generator().manual_seed(0)
    boxes, scores = random_boxes(generator, 4, 30), torch.rand(4, 30, 3, generator=generator)
    scores[2] *= 0.5
    scores = (scores * 10).round() / 10 if rounded else scores
    limits = (0.45, 0.5, 20, 25)
    index, labels, best, kept = batched_fast_nms(boxes, scores, *limits)
    assert index.shape == labels.shape == best.shape == kept.shape == (4, 25)
    counts = set()
    for image in range(4):
        alone = fast_nms(boxes[image], scores[image], *limits)
        counts.add(len(alone[0]))
        for values, expected in zip((index, labels, best), alone, strict=True):
            assert torch.equal(values[image, : len(expected)], expected)
        assert kept[image].tolist() == [slot < len(alone[0]) for slot in range(25)]
    assert len(counts) > 1


def test_boxes_that_are_never_kept_might_as_well_not_be_there():
    generator = torch.Generator().manual_seed(1)
    boxes, scores = random_boxes(generator, 1, 30), torch.rand(1, 30, 3, generator=generator)
    absent = torch.arange(30) % 3 == 1
    boxes[0, absent] = 7.0  # without area: overlaps that are not a number
    limits = (-1.0, 0.5, 200, 100)
    index, labels, best, kept = batched_fast_nms(boxes, scores.masked_fill(absent[None, :, None], NEVER_KEPT), *limits)
    expected = fast_nms(boxes[0, ~absent], scores[0, ~absent], *limits)
    assert torch.equal(index[kept], torch.arange(30)[~absent][expected[0]])
    assert torch.equal(labels[kept], expected[1])
    assert torch.equal(best[kept], expected[2])


def test_fewer_candidates_than_places_make_fewer_places():
    index, _, _, kept = batched_fast_nms(torch.tensor([[BOX]]), torch.tensor([[[0.5, 0.9]]]), 0.1, 0.5, 200, 10)
    assert index.shape == (1, 2)
    assert kept.all()


def test_a_box_that_is_removed_removes_no_other():
    chain = torch.tensor([[0.0, 0, 9, 9], [3, 0, 12, 9], [6, 0, 15, 9]])  # neighbours overlap by 7/13, the ends by 4/16
    assert nms_inclusive(chain, torch.tensor([0.7, 0.8, 0.9]), 0.5).tolist() == [2, 0]


def test_the_overlap_of_inclusive_boxes_counts_the_last_pixel():
    boxes = torch.tensor(
        [[0.0, 0, 9, 0], [0, 0, 6, 0]]
    )  # rows of 10 and 7 pixels: IoU 0.7; without the last one, 0 / 0
    scores = torch.tensor([0.9, 0.8])
    assert nms_inclusive(boxes, scores, 0.69).tolist() == [0]
    assert nms_inclusive(boxes, scores, 0.71).tolist() == [0, 1]


def test_lists_of_boxes_are_gone_through_together():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(2, 3, 40, 2, generator=generator) * 30
    boxes = torch.cat((corners, corners + 20), dim=-1)
    valid = torch.rand(2, 3, 40, generator=generator) < 0.8
    kept = kept_by_nms_inclusive(boxes, valid, 0.5)
    for index in ((image, level) for image in range(2) for level in range(3)):
        rows = valid[index].nonzero()[:, 0]
        alone = nms_inclusive(boxes[index][rows], torch.linspace(1, 0, len(rows)), 0.5)
        assert kept[index].nonzero()[:, 0].tolist() == rows[alone].tolist()
