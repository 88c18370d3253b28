import numpy as np
import pytest

from mmdet.ops.masks.pixels import decode_masks
from mmdet.ops.masks.segmentations import decode_segmentation, encode_masks

SIZE = (7, 9)


def codes_of(masks):
    return encode_masks(np.asarray(masks, bool))


def pixels(*places):
    mask = np.zeros(SIZE, bool)
    for place in places:
        mask[place] = True
    return mask


CORNERS = (pixels((0, 0)), pixels((6, 8)), pixels((0, 8)), pixels((6, 0)), pixels((0, 0), (6, 8)))
BLOCKS = (pixels((slice(2, 4), slice(3, 6))), pixels((slice(None), 4)), pixels((3, slice(None))), ~pixels((3, 4)))


@pytest.mark.parametrize("mask", [*CORNERS, *BLOCKS, pixels(), ~pixels()])
def test_a_mask_comes_back_wherever_it_lies(mask):
    assert np.array_equal(decode_masks(codes_of([mask]), SIZE), mask[None])


def test_masks_of_noise_come_back():
    rng = np.random.default_rng(0)
    for _ in range(100):
        size = rng.integers(1, 30, 2)
        masks = rng.random((3, *size)) < rng.choice([0.02, 0.5, 0.98])
        decoded = decode_masks(codes_of(masks), (int(size[0]), int(size[1])))
        assert decoded.dtype == np.uint8
        assert np.array_equal(decoded, masks)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [7, 9], "counts": [63]},
        {"size": [7, 9], "counts": [0, 63]},
        {"size": [7, 9], "counts": [5, 3, 0, 4, 51]},
        {"size": [7, 9], "counts": [0, 1, 61, 1, 0]},
        {"size": [7, 9], "counts": [7, 7, 7, 0, 42]},
        [[1, 1, 6, 1, 6, 5, 1, 5]],
        [[1, 1, 3, 1, 3, 3], [5, 2, 8, 2, 8, 6, 5, 6]],
        [],
    ],
)
def test_every_kind_of_segmentation_is_decoded_as_by_itself(segmentation):
    beside = codes_of([BLOCKS[0], CORNERS[1]])
    decoded = decode_masks([beside[0], segmentation, beside[1]], SIZE)
    assert np.array_equal(decoded, [BLOCKS[0], decode_segmentation(segmentation, SIZE), CORNERS[1]])


def test_a_frame_without_objects_has_no_masks():
    assert decode_masks([], SIZE).shape == (0, *SIZE)


@pytest.mark.parametrize("broken", [{"size": [9, 7], "counts": [63]}, {"size": [7, 9], "counts": [62]}, [[1, 1, 2]]])
def test_one_malformed_segmentation_among_sound_ones_is_an_error(broken):
    with pytest.raises(ValueError, match=r"size|cover|polygon"):
        decode_masks([*codes_of([BLOCKS[0]]), broken], SIZE)
