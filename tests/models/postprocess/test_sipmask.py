"""SipMask-VIS after the network: candidates, clamped boxes, track features, and masks of four quarters."""

import math

import pytest
import torch
from torch.nn import functional as F

from mmdet.models import SipMaskPostProcess
from mmdet.models.postprocess import masks as drawing
from mmdet.models.postprocess.masks import draw_masks
from mmdet.ops.masks.crop_split import crop_split
from mmdet.structures import FrameMeta, PointGrid
from mmdet.structures.chunk_detections import unpack_rows
from mmdet.structures.dense_outputs import DenseOutputs
from mmdet.structures.mask_sources import SubMasks

STRIDES, SIZES = (8, 16, 32, 64, 128), ((8, 12), (4, 6), (2, 3), (1, 2), (1, 1))
COUNT, CLASSES, BASES, TRACK = 96 + 24 + 6 + 2 + 1, 3, 4, 5
META = FrameMeta(video_id=1, frame_index=0, original_size=(97, 150), input_size=(60, 93), scale=0.62)


def outputs(frames=1, seed=0, **changes):
    source = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.rand(frames, *shape, generator=source)

    tensors = {
        "cls_logits": 4 * random(COUNT, CLASSES) - 4,
        "distances": 30 * random(COUNT, 4),
        "centerness_logits": 4 * random(COUNT) - 2,
        "coefficients": 4 * random(COUNT, 4, BASES) - 2,
        "mask_basis": random(BASES, 32, 48),
        "track_map": random(TRACK, 8, 12),
    }
    points = PointGrid.make((64, 96), SIZES, STRIDES, torch.device("cpu"))
    return DenseOutputs(points=points, **{**tensors, **changes})


def only(point, distances, label=1):
    """Outputs with one point that scores."""
    cls_logits = torch.full((1, COUNT, CLASSES), -20.0)
    cls_logits[0, point, label] = 5.0
    sides = torch.ones(1, COUNT, 4)
    sides[0, point] = torch.tensor(distances)
    return outputs(cls_logits=cls_logits, distances=sides, centerness_logits=torch.full((1, COUNT), 5.0))


def test_boxes_are_clamped_to_the_last_pixel_of_the_frame_and_given_in_original_pixels():
    found = SipMaskPostProcess().detect(only(20, [500.0, 500, 500, 500]), [META])
    (frame,) = unpack_rows(found.rows)
    torch.testing.assert_close(frame.boxes, torch.tensor([[0, 0, 92, 59]]) / 0.62)
    assert frame.labels.tolist() == [1]
    assert frame.scores.item() == pytest.approx(torch.tensor(5.0).sigmoid().item() ** 2, rel=1e-5)


def test_frames_of_several_sizes_are_clamped_each_to_its_own():
    small = FrameMeta(video_id=1, frame_index=1, original_size=(50, 60), input_size=(40, 48), scale=0.8)
    both = outputs(frames=2, distances=torch.full((2, COUNT, 4), 500.0))
    frames = unpack_rows(SipMaskPostProcess().detect(both, [META, small]).rows)
    assert [frame.boxes[0, 2:].tolist() for frame in frames] == [
        pytest.approx([92 / 0.62, 59 / 0.62]),
        pytest.approx([47 / 0.8, 39 / 0.8]),
    ]


@pytest.mark.parametrize("distances", [[-5.0, 4, -5, 4], [-5.0, -5, -5, -5], [0.0, 4, 0, 4], [-200.0, 4, 300, 4]])
def test_boxes_without_area_are_no_detections(distances):
    """B3: negative distances invert boxes; two without area would have the overlap 0 / 0."""
    (frame,) = unpack_rows(SipMaskPostProcess(score_threshold=-1).detect(only(20, distances), [META]).rows)
    solid = frame.boxes[:, 2:] > frame.boxes[:, :2]
    assert solid.all()
    assert not (frame.scores > 0.5).any()


def test_a_level_gives_no_more_than_its_best_candidates():
    many = SipMaskPostProcess(score_threshold=-1, nms_iou=1.0, max_per_image=COUNT * CLASSES)
    few = SipMaskPostProcess(score_threshold=-1, nms_iou=1.0, max_pre_nms=5, max_per_image=COUNT * CLASSES)
    out = outputs()
    counts = [int((process.detect(out, [META]).rows[..., 0] > 0).sum()) for process in (many, few)]
    assert counts[0] > counts[1]
    assert counts[1] <= 3 * 5


def test_track_features_are_read_at_the_floored_centre_of_the_box():
    out = outputs()
    found = SipMaskPostProcess().detect(out, [META])
    (frame,) = unpack_rows(found.rows)
    assert len(frame) == 10
    for box, feature in zip(frame.boxes, frame.embeddings, strict=True):
        x, y = ((box[:2] + box[2:]) / 2 * 0.62 / 8).tolist()
        torch.testing.assert_close(feature, out.track_map[0, :, math.floor(y), math.floor(x)])


def test_without_metas_boxes_stay_in_input_pixels():
    out = outputs()
    (frame,) = unpack_rows(SipMaskPostProcess().detect(out, None).rows)
    assert frame.boxes[:, 2].max() <= 95
    assert frame.boxes[:, 3].max() <= 63


def masks_of(found, meta=META):
    rows = [range(int((row[:, 0] > 0).sum())) for row in found.rows]
    return draw_masks(found, rows, meta)


def test_masks_are_crop_split_enlarged_by_the_ratio_of_sizes_and_cut():
    """B5: 32 x 48 times 2 / 0.62 is 103 x 154 pixels, a little less than the factor says."""
    found = SipMaskPostProcess().detect(outputs(), [META])
    source = found.mask_source
    assert isinstance(source, SubMasks)
    maps = torch.einsum("nqe,ehw->nqhw", source.coefficients[0], source.basis[0]).sigmoid()
    soft = crop_split(maps, source.boxes[0] / 2)
    large = F.interpolate(soft[None], size=(103, 154), mode="bilinear", align_corners=False)[0]
    drawn = masks_of(found)
    assert drawn.shape == (10, 97, 150)
    assert torch.equal(drawn, large[:, :97, :150] > 0.5)
    assert drawn.any()


def test_masks_smaller_than_the_frame_are_filled_up_with_nothing():
    large = FrameMeta(video_id=1, frame_index=0, original_size=(120, 170), input_size=(60, 93), scale=0.62)
    drawn = masks_of(SipMaskPostProcess().detect(outputs(), [large]), large)
    assert drawn.shape == (10, 120, 170)
    assert not drawn[:, 103:].any()
    assert not drawn[:, :, 154:].any()


def test_masks_of_several_frames_are_those_of_single_frames():
    pair = outputs(frames=2)
    found = SipMaskPostProcess().detect(pair, [META, META])
    alone = []
    for frame in range(2):
        tensors = {name: getattr(pair, name)[frame : frame + 1] for name in ("cls_logits", "distances", "coefficients")}
        tensors |= {name: getattr(pair, name)[frame : frame + 1] for name in ("centerness_logits", "mask_basis")}
        one = outputs(**tensors, track_map=pair.track_map[frame : frame + 1])
        alone.append(masks_of(SipMaskPostProcess().detect(one, [META])))
    assert torch.equal(masks_of(found), torch.cat(alone))


def test_masks_do_not_depend_on_how_many_are_enlarged_at_once(monkeypatch):
    found = SipMaskPostProcess().detect(outputs(), [META])
    whole = masks_of(found)
    monkeypatch.setattr(drawing, "PIXELS_AT_ONCE", 97 * 150 * 3)
    monkeypatch.setattr("mmdet.models.postprocess.sub_masks.PIXELS_AT_ONCE", 97 * 150 * 3)
    assert torch.equal(masks_of(found), whole)


def test_no_detection_has_no_mask():
    found = SipMaskPostProcess(score_threshold=1.0).detect(outputs(), [META])
    assert masks_of(found).shape == (0, 97, 150)
