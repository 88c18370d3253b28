import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from mmdet.ops.masks.segmentations import (
    decode_rle,
    decode_segmentation,
    encode_masks,
    mask_areas,
    plain_counts,
    read_masks,
    to_rle,
    to_rles,
)

QUICK = settings(max_examples=80, deadline=None, database=None)
SIZE = (4, 5)
BOX = np.zeros(SIZE, dtype=bool)
BOX[1:3, 1:4] = True


def runs_of(mask):
    """Slow and obvious: run lengths down the columns, background first."""
    runs, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


@QUICK
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)))
def test_encoding_and_decoding_give_the_masks_back(masks):
    rles = encode_masks(torch.from_numpy(masks))
    assert np.array_equal(np.stack([decode_rle(rle) for rle in rles]), masks)
    assert to_rles(rles, masks.shape[1:]) == rles
    assert mask_areas(rles).tolist() == masks.sum(axis=(1, 2)).tolist()


@QUICK
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)))
def test_uncompressed_counts_become_the_encoding_of_their_mask(mask):
    counts = {"size": list(mask.shape), "counts": runs_of(mask)}
    assert to_rle(counts, mask.shape) == encode_masks(mask[None])[0]
    assert np.array_equal(decode_segmentation(counts, mask.shape), mask)


CODES = st.text(alphabet="0123456789:;<=>?@ABPQ`abno", max_size=12)


@QUICK
@given(st.one_of(CODES, st.text(max_size=12), st.binary(max_size=8)))
def test_any_compressed_counts_are_either_refused_or_fill_the_mask(counts):
    segmentation = {"size": [3, 4], "counts": counts}
    try:
        rle = to_rle(segmentation, (3, 4))
    except ValueError:
        with pytest.raises(ValueError, match="."):
            decode_segmentation(segmentation, (3, 4))
        return
    mask = decode_segmentation(segmentation, (3, 4))
    assert np.array_equal(coco_mask.decode(rle), mask)
    assert coco_mask.iou([rle], encode_masks(mask[None]), [0]).item() == float(mask.any())


@QUICK
@given(st.lists(st.integers(min_value=0, max_value=6), max_size=9))
def test_runs_of_length_zero_are_merged_away(counts):
    total = sum(counts)
    counts = [*counts, 20 - total] if total <= 20 else [20]
    expected = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(5, 4).T
    assert to_rle({"size": [4, 5], "counts": counts}, SIZE) == encode_masks(expected[None])[0]


def test_runs_of_length_zero_in_compressed_counts_are_merged_away():
    hollow = coco_mask.frPyObjects({"size": [4, 5], "counts": [3, 0, 2, 5, 0, 0, 10]}, *SIZE)
    assert to_rle(hollow, SIZE) == to_rle({"size": [4, 5], "counts": [5, 5, 10]}, SIZE)


def test_counts_may_be_bytes():
    rle = encode_masks(BOX[None])[0]
    assert to_rle({"size": rle["size"], "counts": rle["counts"].encode()}, SIZE) == rle


def test_large_masks_with_long_runs_survive():
    mask = np.zeros((1, 1080, 1920), dtype=bool)
    mask[0, 1, 3] = mask[0, 1079, 1919] = True
    assert np.array_equal(decode_rle(encode_masks(mask)[0]), mask[0])


def test_polygons_of_several_parts_are_united():
    first, second = [[1, 1, 3, 1, 3, 3, 1, 3]], [[5, 5, 8, 5, 8, 8, 5, 8]]
    both = decode_segmentation(first + second, (10, 12))
    assert np.array_equal(both, decode_segmentation(first, (10, 12)) | decode_segmentation(second, (10, 12)))
    assert both.sum() == 2 * 2 + 3 * 3


def test_an_empty_list_of_polygons_is_an_empty_mask():
    assert not decode_segmentation([], SIZE).any()


def test_polygons_may_leave_the_frame():
    assert decode_segmentation([[-5, -5, 30, -5, 30, 30, -5, 30]], SIZE).all()


TRIANGLE = [1, 1, 4, 1, 4, 3]


@pytest.mark.parametrize(
    "segmentation",
    [
        TRIANGLE,
        [TRIANGLE[:2], TRIANGLE[2:4], TRIANGLE[4:]],
        [[TRIANGLE[:2], TRIANGLE[2:4], TRIANGLE[4:]]],
        [TRIANGLE, [1, 1, 4, 1]],
        [TRIANGLE, [], [2, 2]],
    ],
    ids=["one flat list", "points", "a list of points", "two points beside it", "nothing and a point beside it"],
)
def test_a_polygon_is_read_however_a_tool_writes_it(segmentation):
    assert to_rle(segmentation, SIZE) == to_rle([TRIANGLE], SIZE)
    assert to_rle([TRIANGLE], SIZE) != to_rle([], SIZE)


@pytest.mark.parametrize("segmentation", [[[1, 1, 4, 1]], [1, 1, 4, 1], [[1, 1], [4, 1]], [[]]])
def test_polygons_of_two_points_alone_are_no_mask(segmentation):
    assert to_rle(segmentation, SIZE) == to_rle([], SIZE)


@pytest.mark.parametrize("merged", [True, False])
def test_counts_written_as_shown_bytes_are_read(merged):
    rle = encode_masks(np.ones((1, 60, 97), dtype=bool))[0]
    backslash = {"size": [2, 14], "counts": encode_masks(np.ones((1, 2, 14), dtype=bool))[0]["counts"]}
    for code in (rle, backslash):
        written = {"size": code["size"], "counts": str(code["counts"].encode())}
        assert read_masks([written], tuple(code["size"]), merged=merged)[0] == [code]


def test_a_backslash_in_shown_bytes_is_one_character():
    counts = "PP1\\0"
    assert plain_counts(str(counts.encode())) == counts
    assert plain_counts("b'broken") == "b'broken"


def test_polygons_of_few_characters_cost_little():
    far = [[0, 0, 250_000, 0, 250_000, 250_000]]
    start = time.perf_counter()
    for _ in range(300):
        with pytest.raises(ValueError, match="far outside"):
            to_rle(far, (128, 192))
    for _ in range(100):
        to_rle([[-900, -900, 1000, -900, 1000, 1000]], (128, 192))
    assert time.perf_counter() - start < 1


def test_no_masks_have_no_encodings():
    assert encode_masks(torch.zeros(0, 4, 5, dtype=torch.bool)) == []
    assert to_rles([], SIZE) == []
    assert mask_areas([]).tolist() == []


def test_areas_of_more_masks_than_pycocotools_counts_at_once():
    assert mask_areas(encode_masks(np.repeat(BOX[None], 300, axis=0))).tolist() == [6] * 300


def test_a_batch_may_hold_all_formats_and_sizes():
    rle = encode_masks(BOX[None])[0]
    other = encode_masks(np.ones((1, 2, 2), dtype=bool))[0]
    mixed = [rle, {"size": list(SIZE), "counts": runs_of(BOX)}, [], other]
    assert to_rles(mixed, SIZE, any_size=True) == [rle, rle, encode_masks(np.zeros((1, *SIZE), dtype=bool))[0], other]


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ({"size": [4, 5], "counts": "e0"}, "cover"),
        ({"size": [4, 5], "counts": "P"}, "middle of a number"),
        ({"size": [4, 5], "counts": "oooooooooo0"}, "more than 6"),
        ({"size": [4, 5], "counts": "O"}, "negative"),
        ({"size": [4, 5], "counts": "é0"}, "character"),
        ({"size": [4, 5], "counts": "\ud800"}, "character"),
        ({"size": [4, 5], "counts": "d\x00"}, "character"),
        ({"size": [4, 5], "counts": ""}, "cover 0 pixels"),
        ({"size": [4, 5], "counts": b"ooooo?"}, "cover"),
        ({"size": [4, 5], "counts": [10, -5, 15]}, "negative"),
        ({"size": [4, 5], "counts": [10, 9]}, "cover 19 pixels"),
        ({"size": [4, 5], "counts": [2**63, 1]}, "whole numbers"),
        ({"size": [4, 5], "counts": [2**62, 2**62, 2**62, 2**62, 20]}, "cover"),
        ({"size": [4, 5], "counts": [1.5, 18.5]}, "whole numbers"),
        ({"size": [4, 5], "counts": None}, "whole numbers"),
        ({"size": [5, 4], "counts": [20]}, "size"),
        ({"size": [10**6, 10**6], "counts": [10**12]}, "pixels"),
        ({"size": [0, 5], "counts": []}, "pixels"),
        ({"size": [-4, -5], "counts": [20]}, "pixels"),
        ({"size": [20], "counts": [20]}, "height, width"),
        ({"size": "45", "counts": [20]}, "height, width"),
        ({"counts": [20]}, "height, width"),
        ({"size": [4, 5]}, "size and counts"),
        ("text", "size and counts"),
        (None, "size and counts"),
        ([[1, 1, 3, 1, 3]], "x, y pairs"),
        ([1, 1, 3, 1, 3, 3, 3], "x, y pairs"),
        ([[[1, 1], [3, 1], [3, 3, 3]]], "list of numbers"),
        ([[1, 1, 3, 1, float("nan"), 3]], "finite"),
        ([[1, 1, 3, 1, float("inf"), 3]], "finite"),
        ([[0, 0, 1e9, 0, 1e9, 1e9]], "far outside of its frame of 5x4"),
        ([[0, 0, 2e3, 0, 2e3, 2e3]], "far outside"),
        ([[-2e3, 0, 0, 0, 2, 2]], "far outside"),
        ([[0, 0, 900, 0, 900, 900, 0, 900]] * 300, "outline beyond"),
        ([[1, 1, 3, 1, 3, "b"]], "list of numbers"),
        ([["a", "b", "c", "d", "e", "f"]], "list of numbers"),
    ],
)
def test_malformed_segmentations_are_refused_with_the_reason(segmentation, reason):
    with pytest.raises(ValueError, match=reason):
        decode_segmentation(segmentation, SIZE)
    with pytest.raises(ValueError, match=reason):
        to_rle(segmentation, SIZE)


def test_a_hostile_size_is_refused_before_memory_is_taken():
    with pytest.raises(ValueError, match="pixels"):
        decode_rle({"size": [2**20, 2**20], "counts": "0"})
    with pytest.raises(ValueError, match="pixels"):
        decode_segmentation([], (2**20, 2**20))


def test_what_is_no_bool_mask_is_refused():
    with pytest.raises(ValueError, match="expected"):
        encode_masks(np.zeros((1, 4, 5), dtype=np.uint8))
    with pytest.raises(ValueError, match="expected"):
        encode_masks(torch.zeros(4, 5, dtype=torch.bool))
