import numpy as np
import pytest

from mmdet.ops.masks.id_maps import encode_ids
from mmdet.ops.masks.segmentations import encode_masks


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (13, 9)])
@pytest.mark.parametrize("num_ids", [1, 2, 3, 200])
def test_every_id_has_the_mask_that_encoding_it_alone_gives(dtype, size, num_ids):
    ids = np.random.default_rng(num_ids).integers(0, num_ids, size).astype(dtype)
    shown = [int(number) for number in np.unique(ids) if number]
    alone = encode_masks(np.stack([ids == number for number in shown])) if shown else []
    assert encode_ids(ids) == dict(zip(shown, alone, strict=True))


def test_the_ids_are_in_order_and_may_use_all_bits():
    ids = np.array([[2**32 - 1, 0, 7], [2**24, 7, 0]], np.uint32)
    assert list(encode_ids(ids)) == [7, 2**24, 2**32 - 1]


def test_any_value_may_be_background():
    ids = np.array([[255, 0], [255, 255]], np.uint8)
    assert encode_ids(ids, background=255) == {0: encode_masks(ids[None] == 0)[0]}


@pytest.mark.parametrize("ids", [np.zeros((2, 3)), np.zeros((2, 3, 1), np.uint8), np.zeros((0, 3), np.uint8)])
def test_images_of_other_shapes_and_types_are_refused(ids):
    with pytest.raises(ValueError, match="expected .H, W. of 8, 16 or 32 bits"):
        encode_ids(ids)
