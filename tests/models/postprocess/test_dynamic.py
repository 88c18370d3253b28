"""From predictions of the dynamic head to detections: what repeats an object goes, in tensors of fixed sizes."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from mmdet.models.postprocess import masks as drawing
from mmdet.models.postprocess.dynamic import DynamicPostProcess
from mmdet.models.postprocess.masks import draw_all, draw_dynamic, draw_masks
from mmdet.ops.masks.dynamic import dynamic_masks, num_weights
from mmdet.structures import FrameMeta, PointGrid
from mmdet.structures.chunk_detections import pack_rows, unpack_rows
from mmdet.structures.dynamic_outputs import DynamicOutputs

SIZE, LEVELS, CHANNELS, CLASSES = (64, 96), ((8, 12), (4, 6), (2, 3), (1, 2)), 3, 4
META = FrameMeta(video_id=1, frame_index=0, original_size=SIZE, input_size=SIZE, scale=1.0)
LARGER = FrameMeta(video_id=1, frame_index=0, original_size=(100, 150), input_size=SIZE, scale=0.64)
LEFT, RIGHT = 0, 1  # features of masks: 1 in that half of the frame


def points_of(device="cpu"):
    return PointGrid.make(SIZE, LEVELS, (8, 16, 32, 64), torch.device(device))


def network(feature):
    """Weights of a mask network that draws where a feature is 1."""
    weights = torch.zeros(num_weights(CHANNELS))
    weights[feature] = 2.0  # of the first hidden unit
    start = (CHANNELS + 2) * 8 + 8
    weights[start] = 1.0  # from the first unit to the first
    weights[-9], weights[-1] = 1.0, -1.0
    return weights


def made(objects, frames=1):
    """Outputs of frames that all show `objects`: (point, box in pixels, {class: score}, quality, its feature)."""
    points = points_of()
    count = len(points.xy)
    features = torch.zeros(frames, CHANNELS, 16, 24)
    features[:, LEFT, :, :12], features[:, RIGHT, :, 12:] = 1, 1
    outputs = DynamicOutputs(
        points=points,
        cls_logits=torch.full((frames, count, CLASSES), -20.0),
        box_ltrb=torch.full((frames, count, 4), 0.05),
        box_sigma=torch.full((frames, count, 4), 2.0),
        quality_logits=torch.zeros(frames, count),
        mask_weights=torch.zeros(frames, count, num_weights(CHANNELS)),
        embeddings=torch.arange(count * 2.0).view(1, count, 2).repeat(frames, 1, 1),
        mask_features=features,
        memory_query=torch.zeros(0),
        reach=torch.ones(count),
    )
    for point, (x1, y1, x2, y2), scores, quality, feature in objects:
        x, y = points.xy[point].tolist()
        outputs.box_ltrb[:, point] = torch.tensor([x - x1, y - y1, x2 - x, y2 - y]) / points.box_scale
        for label, score in scores.items():
            outputs.cls_logits[:, point, label] = torch.tensor(score).logit()
        outputs.quality_logits[:, point] = torch.tensor(quality).logit()
        outputs.mask_weights[:, point] = network(feature)
    return outputs


def found_in(outputs, **settings):
    """The objects of every frame."""
    found = DynamicPostProcess(**settings).detect(outputs, [META] * len(outputs.cls_logits))
    return unpack_rows(found.rows, found.num_class_scores)


BOX, NEAR, AWAY = (8.0, 8.0, 48.0, 48.0), (9.0, 8.0, 49.0, 48.0), (50.0, 8.0, 90.0, 48.0)
ONE = (14, BOX, {1: 0.9}, 0.81, LEFT)


def test_a_detection_carries_what_its_point_predicts():
    (objects,) = found_in(made([(14, BOX, {1: 0.9, 3: 0.4}, 0.81, LEFT)]))
    assert len(objects) == 1
    assert objects.boxes[0].tolist() == pytest.approx(BOX, abs=1e-3)
    assert objects.labels.tolist() == [1]
    assert objects.scores.item() == pytest.approx(0.9 * 0.9)
    assert objects.class_scores[0].tolist() == pytest.approx([0, 0.81, 0, 0.36], abs=1e-4)
    assert objects.centerness.item() == pytest.approx(0.81)
    assert objects.box_sigma[0].tolist() == [1] * 4  # cut
    assert objects.embeddings[0].tolist() == [28, 29]


def test_boxes_are_in_pixels_of_the_original():
    found = DynamicPostProcess().detect(made([ONE]), [LARGER])
    assert unpack_rows(found.rows, CLASSES)[0].boxes[0].tolist() == pytest.approx([side / 0.64 for side in BOX])
    (same,) = unpack_rows(DynamicPostProcess().detect(made([ONE]), None).rows, CLASSES)
    assert same.boxes[0].tolist() == pytest.approx(BOX)


def test_the_power_of_the_quality_is_a_setting():
    (objects,) = found_in(made([ONE]), quality_power=0.0)
    assert objects.scores.item() == pytest.approx(0.9)


def test_the_same_object_in_two_classes_is_one_detection():
    (objects,) = found_in(made([ONE, (15, NEAR, {2: 0.8}, 0.81, LEFT)]))
    assert objects.labels.tolist() == [1]


def test_what_draws_the_same_mask_is_removed_though_its_box_is_another():
    twice = made([ONE, (15, (8.0, 8.0, 30.0, 48.0), {2: 0.8}, 0.81, LEFT)])
    assert [len(objects) for objects in found_in(twice)] == [1]
    assert [len(objects) for objects in found_in(twice, mask_iou=1.0)] == [2]


def test_objects_of_nearly_the_same_box_but_other_masks_stay():
    near = made([ONE, (15, (12.0, 8.0, 52.0, 48.0), {1: 0.8}, 0.81, RIGHT)])  # their boxes have an IoU of 0.82
    (objects,) = found_in(near, box_iou=0.9)
    assert len(objects) == 2
    assert [len(objects) for objects in found_in(near, box_iou=0.7)] == [1]


def test_objects_without_any_mask_do_not_remove_each_other():
    outputs = made([ONE, (17, AWAY, {1: 0.8}, 0.81, RIGHT)])
    outputs.mask_features.zero_()
    assert [len(objects) for objects in found_in(outputs)] == [2]


@pytest.mark.parametrize(("threshold", "count"), [(0.5, 2), (0.75, 1), (0.9, 0)])
def test_worse_scores_than_the_threshold_are_left_out(threshold, count):
    outputs = made([ONE, (17, AWAY, {2: 0.8}, 0.81, RIGHT)])
    assert [len(objects) for objects in found_in(outputs, score_threshold=threshold)] == [count]


def test_the_best_come_first_and_fill_the_first_slots():
    outputs = made([(17, AWAY, {2: 0.8}, 0.81, RIGHT), (15, NEAR, {0: 0.85}, 0.81, LEFT), ONE], frames=2)
    found = DynamicPostProcess(max_per_image=5).detect(outputs, [META, META])
    assert found.rows[..., 0].tolist() == [[1, 1, 0, 0, 0]] * 2
    for objects in unpack_rows(found.rows, found.num_class_scores):
        assert objects.labels.tolist() == [1, 2]
        assert (objects.scores.diff() < 0).all()


def test_no_more_than_allowed_are_kept_the_best_ones():
    (objects,) = found_in(made([ONE, (17, AWAY, {2: 0.8}, 0.81, RIGHT)]), max_per_image=1)
    assert objects.labels.tolist() == [1]


def test_nothing_found_is_empty_and_of_the_same_sizes():
    empty, full = (DynamicPostProcess().detect(made(objects), [META]) for objects in ([], [ONE]))
    assert [len(objects) for objects in unpack_rows(empty.rows, CLASSES)] == [0]
    assert empty.rows.shape == full.rows.shape
    for name in ("weights", "features", "places"):
        assert getattr(empty.mask_source, name).shape == getattr(full.mask_source, name).shape
    assert draw_all(empty, META).masks.shape == (1, 10, *SIZE)


def test_boxes_without_area_are_no_candidates():
    outputs = made([(14, (8.0, 8.0, 8.0, 48.0), {1: 0.9}, 0.8, LEFT), (17, AWAY, {2: 0.8}, 0.81, RIGHT)])
    assert [objects.labels.tolist() for objects in found_in(outputs)] == [[2]]


def test_numbers_that_are_none_are_never_found():
    outputs = made([ONE, (17, AWAY, {2: 0.8}, 0.81, RIGHT)])
    outputs.box_ltrb[0, 14] = torch.nan
    assert [objects.labels.tolist() for objects in found_in(outputs)] == [[2]]


def random_outputs(frames=2, seed=0, device="cpu"):
    source = torch.Generator().manual_seed(seed)
    points = points_of(device)
    count = len(points.xy)

    def values(*shape):
        return torch.randn(frames, *shape, generator=source).to(device)

    return DynamicOutputs(
        points=points,
        cls_logits=values(count, CLASSES),
        box_ltrb=values(count, 4).sigmoid() * 0.3,
        box_sigma=values(count, 4).exp(),
        quality_logits=values(count),
        mask_weights=values(count, num_weights(CHANNELS)),
        embeddings=values(count, 2),
        mask_features=values(CHANNELS, 16, 24),
        memory_query=values(count, 2),
        reach=torch.ones(count, device=device) * 64,
    )


def test_frames_of_a_chunk_are_those_found_alone():
    outputs = random_outputs(frames=3)
    together = DynamicPostProcess().detect(outputs, [META] * 3)
    per_frame = [name for name in outputs.__dataclass_fields__ if name not in ("points", "reach")]
    for index in range(3):
        one = replace(outputs, **{name: getattr(outputs, name)[index : index + 1] for name in per_frame})
        alone = DynamicPostProcess().detect(one, [META])
        filled = alone.rows[0, :, 0] > 0
        assert filled.any()
        torch.testing.assert_close(alone.rows[0, filled], together.rows[index, together.rows[index, :, 0] > 0])


def at_original_size(outputs, frame, points, meta):
    """The masks of points drawn one by one, enlarged as a whole."""
    masks = []
    for point in points:
        logits = dynamic_masks(
            outputs.mask_features[frame : frame + 1],
            outputs.mask_weights[frame, point].view(1, 1, -1),
            outputs.points.xy[point].view(1, 1, 2),
            outputs.reach[point].view(1, 1),
            4,
        )
        enlarged = F.interpolate(logits, scale_factor=4 / meta.scale, mode="bilinear", recompute_scale_factor=False)
        masks.append(enlarged[0, 0, : meta.original_size[0], : meta.original_size[1]] > 0)
    return torch.stack(masks)


def places_of(outputs, points):
    return torch.cat((outputs.points.xy[points], outputs.reach[points][:, None]), dim=1)


@pytest.mark.parametrize("meta", [META, LARGER])
def test_masks_at_the_original_size_are_enlarged_logits_above_zero(meta):
    outputs, chosen = random_outputs(), [[3, 50, 120], [7]]
    weights = [outputs.mask_weights[frame, points] for frame, points in enumerate(chosen)]
    masks = draw_dynamic(outputs.mask_features, weights, [places_of(outputs, points) for points in chosen], meta)
    expected = torch.cat([at_original_size(outputs, frame, points, meta) for frame, points in enumerate(chosen)])
    assert masks.any()
    assert not masks.all()
    assert torch.equal(masks, expected)


def test_a_mask_that_is_one_half_of_the_frame_is_it():
    found = DynamicPostProcess().detect(made([ONE]), [META])
    (mask,) = draw_masks(found, [[0]], META)
    assert mask[:, :46].all()
    assert not mask[:, 50:].any()


def test_frames_without_objects_draw_nothing():
    outputs = random_outputs()
    nothing = [torch.zeros(0, num_weights(CHANNELS))] * 2
    assert draw_dynamic(outputs.mask_features, nothing, [torch.zeros(0, 3)] * 2, LARGER).shape == (0, 100, 150)


@pytest.mark.parametrize("at_once", [1, 4 * 100 * 150])
def test_masks_do_not_depend_on_how_many_are_enlarged_at_once(monkeypatch, at_once):
    found = DynamicPostProcess().detect(random_outputs(), [LARGER] * 2)
    whole = draw_masks(found, [range(5), range(7)], LARGER)
    monkeypatch.setattr(drawing, "PIXELS_AT_ONCE", at_once)
    assert torch.equal(draw_masks(found, [range(5), range(7)], LARGER), whole)


def test_drawing_all_slots_gives_the_masks_of_each():
    found = DynamicPostProcess().detect(random_outputs(), [LARGER] * 2)
    everything = draw_all(found, LARGER)
    rows = [[4, 0], [2]]
    expected = draw_masks(found, rows, LARGER)
    assert torch.equal(draw_masks(everything, rows, LARGER), expected)
    assert torch.equal(torch.cat([everything.masks[0, [4, 0]], everything.masks[1, [2]]]), expected)


def test_more_pixels_than_allowed_are_not_drawn_ahead(monkeypatch):
    found = DynamicPostProcess().detect(random_outputs(), [LARGER] * 2)
    monkeypatch.setattr(drawing, "PIXELS_AT_ONCE", 100 * 150)
    assert draw_all(found, LARGER).masks is None


@pytest.mark.parametrize("classes", [1, 40])
def test_class_scores_come_back_as_they_were_packed(classes):
    source = torch.Generator().manual_seed(0)
    values = {
        "boxes": torch.rand(2, 3, 4, generator=source),
        "labels": torch.tensor([[1, 0, 0], [2, 1, 0]]),
        "scores": torch.rand(2, 3, generator=source),
        "box_sigma": torch.rand(2, 3, 4, generator=source),
        "centerness": torch.rand(2, 3, generator=source),
        "embeddings": torch.rand(2, 3, 5, generator=source),
        "class_scores": torch.rand(2, 3, classes, generator=source),
    }
    filled = torch.tensor([[True, False, False], [True, True, False]])
    frames = unpack_rows(pack_rows(filled, **values), classes)
    for index, objects in enumerate(frames):
        assert len(objects) == index + 1
        for name, value in values.items():
            assert torch.equal(getattr(objects, name), value[index, : index + 1]), name


def test_without_class_scores_objects_have_none():
    outputs = random_outputs()
    found = DynamicPostProcess().detect(outputs, [META] * 2)
    columns = torch.cat((found.rows[..., :12], found.rows[..., 12 + CLASSES :]), dim=2)
    assert unpack_rows(columns)[0].class_scores is None


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_nothing_waits_for_the_gpu_and_it_finds_what_the_cpu_finds():
    expected = DynamicPostProcess().detect(random_outputs(), [META] * 2)
    outputs = random_outputs(device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = draw_all(DynamicPostProcess().detect(outputs, [META] * 2), META)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    filled = expected.rows[..., 0] > 0
    torch.testing.assert_close(found.rows.cpu()[filled], expected.rows[filled], rtol=1e-3, atol=1e-3)
    assert (found.masks.cpu()[filled] != draw_all(expected, META).masks[filled]).float().mean() < 1e-2
