import pytest
import torch

from mmdet.ops.nms import fast_nms

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


def test_only_the_best_are_returned():
    boxes = [[20.0 * i, 0, 20 * i + 10, 10] for i in range(5)]
    index, _, _ = nms(boxes, [[0.2], [0.5], [0.3], [0.9], [0.4]], max_pre_nms=4, max_per_image=2)
    assert index.tolist() == [3, 1]


def test_no_boxes_give_no_detections():
    index, labels, scores = fast_nms(torch.zeros(0, 4), torch.zeros(0, 40), 0.015, 0.5, 200, 10)
    assert (len(index), len(labels), len(scores)) == (0, 0, 0)
