"""torchvision's transforms on clips: in step, repeatable, and without a trace in torch's own generator."""

import numpy as np
import pytest
import torch
from raw_frames import assert_kept, box_of, coloured, frame_of

from mmdet.datasets import ItemKey, TorchVisionTransform, VISDataset, make_train_loader
from mmdet.datasets.transforms.affine import MEAN_COLOUR
from mmdet.datasets.transforms.torchvision_adapter import LOOKS, MOVES
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

OBJECTS = {4: (10, 8, 24, 20), 9: ((30, 20, 50, 36), True)}
OPTIONS = {
    "GaussianBlur": {"kernel_size": 5},
    "Grayscale": {"num_output_channels": 3},
    "RandomAdjustSharpness": {"sharpness_factor": 3},
    "RandomPosterize": {"bits": 3},
    "RandomSolarize": {"threshold": 128},
    "CenterCrop": {"size": (30, 40)},
    "Pad": {"padding": 4},
    "RandomAffine": {"degrees": 20, "scale": (0.8, 1.2)},
    "RandomCrop": {"size": (30, 40)},
    "RandomResizedCrop": {"size": (40, 60)},
    "RandomRotation": {"degrees": 30},
}


def apply(name, frames, seed=0, **options):
    return TorchVisionTransform(name, **{**OPTIONS.get(name, {}), **options})(frames, np.random.default_rng(seed))


def pair(first=OBJECTS, second=OBJECTS):
    return [frame_of(first), frame_of(second, frame_index=1)]


@pytest.mark.parametrize("name", sorted(LOOKS | MOVES))
def test_every_known_transform_is_in_step_and_repeatable(name):
    before = torch.get_rng_state()
    for seed in range(3):
        frames = pair(second={})  # the draws do not depend on what a frame shows
        key, reference = apply(name, frames, seed)
        again, _ = apply(name, frames, seed)
        assert np.array_equal(key.image, reference.image)
        assert np.array_equal(key.image, again.image)
        assert np.array_equal(key.masks, again.masks)
        assert key.image.dtype == key.masks.dtype == np.uint8
        assert key.masks.shape[1:] == reference.masks.shape[1:] == key.image.shape[:2]
        assert_kept(key, frames[0])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", sorted(LOOKS))
def test_transforms_of_looks_leave_masks_and_boxes(name):
    frames = pair()
    for new, old in zip(apply(name, frames), frames, strict=True):
        assert new.masks is old.masks
        assert new.boxes is old.boxes


def test_a_flip_is_exact_and_masks_and_boxes_follow():
    frame = frame_of(OBJECTS)
    (flipped,) = apply("RandomHorizontalFlip", [frame], p=1.0)
    assert np.array_equal(flipped.image, frame.image[:, ::-1])
    assert np.array_equal(flipped.masks, frame.masks[:, :, ::-1])
    assert flipped.boxes.tolist() == [[36, 8, 50, 20], [10, 20, 30, 36]]


@pytest.mark.parametrize("name", ["RandomAffine", "RandomRotation", "ElasticTransform", "RandomPerspective"])
def test_masks_and_boxes_follow_the_picture(name):
    options = {"p": 1.0} if name == "RandomPerspective" else {}
    for seed in range(4):
        (out,) = apply(name, [coloured(frame_of({1: (20, 10, 40, 30)}))], seed, **options)
        different = (out.image[..., 0] > 127) != out.masks[0].astype(bool)
        assert different.sum() <= 0.25 * out.masks[0].sum()  # jagged borders, nearest neighbours
        assert out.boxes[0].tolist() == box_of(out.masks[0])


def test_objects_that_are_cut_away_keep_their_row_without_area():
    (out,) = apply("CenterCrop", [frame_of({1: (0, 0, 9, 9), 2: (20, 10, 40, 30)})], size=(24, 30))
    assert out.boxes.tolist() == [[0, 0, 0, 0], [5, 2, 25, 22]]


def test_frames_may_be_changed_alike_or_each_on_its_own():
    frames = pair()
    alike = apply("GaussianNoise", frames, per_frame=False)
    own = apply("GaussianNoise", frames, per_frame=True)
    assert np.array_equal(alike[0].image, alike[1].image)
    assert np.array_equal(alike[0].image, own[0].image)
    assert not np.array_equal(own[0].image, own[1].image)


def test_the_probability_is_of_a_clip_or_of_each_frame():
    def changed(**options):
        found = [
            tuple(
                new is not old for new, old in zip(apply("GaussianNoise", frames, seed, **options), frames, strict=True)
            )
            for seed in range(60)
        ]
        return set(found), np.mean(found)

    frames = pair()
    assert changed(probability=0.0) == ({(False, False)}, 0)
    kinds, share = changed(probability=0.5)
    assert kinds == {(False, False), (True, True)}
    assert 0.3 < share < 0.7
    assert len(changed(probability=0.5, per_frame=True)[0]) == 4


@pytest.mark.parametrize("workers", [0, 2])
def test_a_set_gives_the_same_for_any_number_of_workers(two_videos, workers):
    parts = [
        {"type": "TorchVisionTransform", "name": "GaussianBlur", "kernel_size": 3},
        {"type": "TorchVisionTransform", "name": "RandomRotation", "degrees": 20},
    ]
    dataset = VISDataset(**two_videos.write(), transforms=parts, reference_masks=True)
    loader = make_train_loader(dataset, 1, workers, seed=0)
    keys = [batch[0] for batch in loader.batch_sampler]
    for key, batch in zip(keys, loader, strict=True):
        sample = dataset[key]
        height, width = sample.images.shape[-2:]
        assert torch.equal(batch.images[0, ..., :height, :width], sample.images)
    assert not torch.equal(dataset[ItemKey(0, 0)].images, dataset[ItemKey(1, 0)].images)


def test_masks_of_references_are_decoded_for_moves_alone():
    assert not TorchVisionTransform("GaussianNoise").reads_masks
    assert TorchVisionTransform("RandomRotation", degrees=3).reads_masks


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"name": "GaussianBlurr"}, "unknown name 'GaussianBlurr'; did you mean GaussianBlur"),
        (
            {"name": "SanitizeBoundingBoxes"},
            "SanitizeBoundingBoxes is not for clips with masks; known: .*GaussianBlur",
        ),
        ({"name": "RandomErasing"}, "RandomErasing is not for clips"),
        ({"name": "GaussianBlur"}, "GaussianBlur cannot be built: .*kernel_size"),
        ({"name": "GaussianBlur", "kernel_size": 4}, "GaussianBlur cannot be built: Kernel size"),
        ({"name": "GaussianBlur", "kernel_size": 3, "sigm": 1}, "GaussianBlur cannot be built: .*'sigm'"),
        (
            {"name": "RandomRotation", "degrees": 3, "interpolation": "bilinaer"},
            "interpolation is 'bilinaer'.*bilinear",
        ),
    ],
)
def test_mistakes_are_told_when_it_is_built(part, message):
    with pytest.raises(UserError, match=message):
        TRANSFORMS.build({"type": "TorchVisionTransform", **part})


@pytest.mark.parametrize(
    ("name", "options"),
    [("Pad", {"padding": 9}), ("RandomAffine", {"degrees": 0, "scale": (0.5, 0.5)}), ("RandomZoomOut", {"p": 1.0})],
)
def test_what_is_outside_of_the_picture_has_the_mean_colour_and_is_in_no_mask(name, options):
    black = frame_of({1: (0, 0, 60, 40)}, image=np.zeros((40, 60, 3), np.uint8))
    for fill, colour in [({}, MEAN_COLOUR), ({"fill": 200}, (200, 200, 200)), ({"fill": (9, 8, 7)}, (9, 8, 7))]:
        (out,) = apply(name, [black], **options, **fill)
        outside = (out.image == colour).all(axis=2)
        assert outside.mean() > 0.1
        assert set(np.unique(out.masks)) == {0, 1}
        assert not out.masks[0][outside].any()


def test_interpolation_is_a_word():
    frame = coloured(frame_of({1: (20, 10, 40, 30)}))
    near, smooth = (
        apply("RandomRotation", [frame], degrees=(20, 20), interpolation=w, fill=0)[0] for w in ("nearest", "bilinear")
    )
    assert set(np.unique(near.image)) == {0, 255}
    assert len(np.unique(smooth.image)) > 2


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "RandomCrop",
            {"size": (100, 100)},
            "RandomCrop: torchvision refuses a frame of 60 x 40 pixels: Required crop",
        ),
        ("Grayscale", {"num_output_channels": 1}, "Grayscale gives pictures of 1 channels in uint8"),
    ],
)
def test_what_does_not_fit_the_frames_is_told_with_its_name(name, options, message):
    with pytest.raises(UserError, match=f"TorchVisionTransform {message}"):
        apply(name, pair(), **options)


def test_frames_of_different_sizes_are_refused():
    with pytest.raises(UserError, match="RandomZoomOut: per_frame gives the frames of a clip different sizes"):
        apply("RandomZoomOut", pair(), p=1.0, per_frame=True)


def test_it_is_refused_in_testing(two_videos):
    part = {"type": "TorchVisionTransform", "name": "Pad", "padding": 2}
    with pytest.raises(UserError, match="TorchVisionTransform draws at random: leave it out"):
        VISDataset(**two_videos.write(), transforms=[part], test_mode=True)
