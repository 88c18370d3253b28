"""The whole of FCOS against what was recorded: maps, losses, gradients, detections (BASELINES.md 4)."""

import numpy as np
import pytest
import torch

from mmdet.engine.checkpoints.baseline_names import baseline_name, from_baseline
from mmdet.models import VISModel
from mmdet.structures import ClipBatch, FrameMeta, FrameTruth
from mmdet.structures.chunk_detections import unpack_rows

MAPS, SCORES, BOXES_PX, LOSSES, GRADIENT_NORMS, GRADIENTS = 2e-5, 1e-5, 1e-3, 1e-4, 1e-3, 1e-3
LEVELS = 5


@pytest.fixture(scope="module")
def model(drawn_state):
    built = VISModel(
        backbone={"type": "ResNet50", "style": "caffe"},
        neck={"type": "FPN", "extra": "two"},
        head={"type": "FCOSHead", "num_classes": 40},
        criterion={"type": "DenseCriterion", "assigner": {"type": "RangeAssigner", "center_radius": None}},
        postprocess={"type": "DensePostProcess"},
        channel_order="bgr",
    )
    built.load_state_dict(from_baseline("fcos", drawn_state("fcos", 0)))
    return built


@pytest.fixture(scope="module")
def meta(recorded):
    notes = recorded("fcos", 0)[1]
    sizes = {"original_size": tuple(notes["ori_shape"][:2]), "input_size": tuple(notes["img_shape"][:2])}
    return FrameMeta(video_id=1, frame_index=0, scale=notes["scale_factor"], **sizes)


@pytest.fixture(scope="module")
def outputs(model, images_of):
    """Predictions for the three recorded frames."""
    images = images_of("fcos", 0)[:, None]
    with torch.no_grad():
        return model(images, torch.ones(len(images), 1, *images.shape[-2:], dtype=torch.bool))


def frame_truth(boxes, labels, size):
    return FrameTruth(
        boxes=torch.from_numpy(boxes),
        labels=torch.from_numpy(labels) - 1,
        masks=torch.zeros(len(boxes), *size, dtype=torch.bool),
        instance_ids=torch.arange(len(boxes)),
        is_crowd=torch.zeros(len(boxes), dtype=torch.bool),
    )


@pytest.fixture(scope="module")
def step(model, recorded, images_of, meta):
    """Losses and gradients of the recorded batch, whose references are never looked at."""
    arrays, _ = recorded("fcos", 0)
    images = images_of("fcos", 0, "img_q")
    size = tuple(images.shape[-2:])
    truths = [frame_truth(arrays[f"boxes_{b}"], arrays[f"labels_{b}"], size) for b in range(2)]
    batch = ClipBatch.make(
        images=torch.stack((images, torch.full_like(images, torch.nan)), dim=1),
        valid=torch.ones(2, 2, *size, dtype=torch.bool),
        truths=[(truth, truth) for truth in truths],
        metas=[(meta, meta)] * 2,
        reference_jitter=[torch.zeros(len(truth), 4) for truth in truths],
    )
    model.zero_grad(set_to_none=True)
    losses = model.loss(model(batch.images, batch.valid), batch)
    sum(losses.values()).backward()
    return losses, {name: parameter.grad for name, parameter in model.named_parameters()}


def test_every_parameter_of_the_release_is_taken_and_as_many_learn(drawn_state, recorded, model):
    assert len(drawn_state("fcos", 0)) == 369
    grad = recorded("fcos", 0)[1]["train"]["grad_l2"]
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learning == {baseline_name("fcos", key) for key, norm in grad.items() if norm is not None}


def test_predictions_equal_the_recorded(outputs, recorded, assert_close_to_maximum):
    arrays, _ = recorded("fcos", 0)
    rows = {"cls": outputs.cls_logits, "dist": outputs.distances, "center": outputs.centerness_logits[..., None]}
    for name, predicted in rows.items():
        levels = predicted[:1].transpose(1, 2).split(outputs.points.level_counts, dim=2)
        assert len(levels) == LEVELS
        for index, level in enumerate(levels):
            expected = arrays[f"{name}_{index}"]
            assert_close_to_maximum(level.reshape(expected.shape), expected, MAPS)


def test_detections_equal_the_recorded_in_their_order(model, outputs, meta, recorded):
    arrays, notes = recorded("fcos", 0)
    frames = unpack_rows(model.postprocess.detect(outputs, [meta] * 3).rows)
    for index, frame in enumerate(frames):
        expected = arrays[f"f{index}_boxes"]
        assert len(frame) == notes["detections"][index] == len(expected)
        assert np.array_equal(frame.labels, arrays[f"f{index}_labels"])
        assert np.abs(frame.boxes.numpy() - expected[:, :4]).max() <= BOXES_PX
        assert np.abs(frame.scores.numpy() - expected[:, 4]).max() <= SCORES


def test_losses_equal_the_recorded(step, recorded):
    expected = recorded("fcos", 0)[1]["train"]["losses"]
    assert set(step[0]) == set(expected)
    for name, value in step[0].items():
        assert abs(value.item() - expected[name]) <= LOSSES * expected[name]


def test_gradient_norms_of_all_parameters_equal_the_recorded(step, recorded):
    expected = recorded("fcos", 0)[1]["train"]["grad_l2"]
    scales = [key for key in expected if "scales" in key]
    norms = {baseline_name("fcos", key): norm for key, norm in expected.items() if key not in scales}
    norms["head.scales"] = sum(expected[key] ** 2 for key in scales) ** 0.5
    assert set(norms) == set(step[1])
    for name, norm in norms.items():
        gradient = step[1][name]
        assert (gradient is None) == (norm is None), name
        if norm is not None:
            assert abs(gradient.norm().item() - norm) <= GRADIENT_NORMS * norm, name


def test_recorded_gradients_are_equal(step, recorded, assert_close_to_maximum):
    arrays, _ = recorded("fcos", 0)
    keys = [key for key in arrays if key.startswith("grad:")]
    assert len(keys) == 6
    for key in keys:
        release = key.removeprefix("grad:")
        name = "head.scales" if release == "bbox_head.scales" else baseline_name("fcos", release)
        assert_close_to_maximum(step[1][name], arrays[key], GRADIENTS)
