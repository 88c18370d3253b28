"""Run-length codes and polygons."""

import numpy as np
from hostile import documents, hostile, refused_or_read
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmdet.ops.masks.runs import decode_counts
from mmdet.ops.masks.segmentations import (
    decode_rle,
    decode_segmentation,
    encode_masks,
    mask_areas,
    read_masks,
    to_rle,
    to_rles,
)

SIZE = (4, 6)
SOUND = [rle["counts"] for rle in encode_masks(np.random.default_rng(0).random((5, *SIZE)) < 0.5)]
characters = st.characters(min_codepoint=40, max_codepoint=120) | st.sampled_from("٣\ud800é\0漢")
pieces = st.sampled_from(SOUND) | st.text(characters, max_size=6)
codes = st.lists(pieces, min_size=1, max_size=4).map("".join) | st.sampled_from(SOUND)
pixels = st.sampled_from([1, 24, 24, 24, 48, 2**27, 2**31 - 1])


def outcome(read):
    """The runs, or the text of the refusal."""
    try:
        runs = read()
    except ValueError as error:
        return str(error)
    return runs.lengths.tolist(), runs.starts.tolist(), runs.areas.tolist()


@hostile(3)
@given(st.lists(st.tuples(codes, pixels), min_size=1, max_size=3))
def test_codes_are_decoded_or_refused_compiled_and_not(masks):
    counts, areas = zip(*masks, strict=True)
    found = [
        refused_or_read(lambda compiled=compiled: outcome(lambda: decode_counts(counts, areas, compiled=compiled)))
        for compiled in (True, False)
    ]
    if isinstance(found[1], tuple):
        assert found[0] == found[1]
        assert sum(found[0][0]) == sum(areas)
    else:
        assert isinstance(found[0], str)


@hostile(3)
@given(codes)
def test_whatever_decodes_is_the_same_mask_to_pycocotools(code):
    rle = refused_or_read(lambda: to_rle({"size": [*SIZE], "counts": code}, SIZE), ValueError)
    if rle is not None:
        mask = refused_or_read(lambda: decode_rle(rle))
        assert mask.shape == SIZE
        assert np.array_equal(refused_or_read(lambda: coco_mask.decode(rle)), mask)
        assert mask_areas([rle]).tolist() == [mask.sum()]
        assert np.array_equal(decode_rle(encode_masks(mask[None])[0]), mask)


@hostile(3)
@given(
    documents(
        [{"size": [*SIZE], "counts": SOUND[0]}, {"size": [*SIZE], "counts": [4, 5, 0, 15]}, [[0, 0, 3, 0, 3, 3]]]
    ),
    st.booleans(),
    st.booleans(),
)
def test_segmentations_of_any_kind_are_decoded_or_refused(segmentations, any_size, merged):
    if not isinstance(segmentations, list):
        segmentations = [segmentations]
    refused_or_read(lambda: read_masks(segmentations, SIZE, any_size=any_size, merged=merged), ValueError)
    for segmentation in segmentations[:4]:
        mask = refused_or_read(lambda s=segmentation: decode_segmentation(s, SIZE), ValueError)
        assert mask is None or mask.shape == SIZE


coordinates = (
    st.integers(-3, 8)
    | st.floats(-3, 8)
    | st.floats()
    | st.sampled_from([1e6, -1e6, 999_999, 10**400, 2**63, "1", "٣", None, True, 1j, [0], [[]], np.float32(2)])
)
polygons = st.lists(st.lists(coordinates, max_size=12), min_size=1, max_size=3)
sizes = st.sampled_from([SIZE, (1, 1), (1, 2**27), (2**27, 1), (8192, 16384)])
few_numbers = st.lists(st.floats(-3, 8) | st.integers(-(10**6), 10**6), min_size=6, max_size=8)


@hostile(1)
@given(polygons | st.lists(few_numbers, min_size=1, max_size=2), sizes)
def test_polygons_are_drawn_or_refused(shapes, size):
    rles = refused_or_read(lambda: to_rles([shapes], size), ValueError)
    if rles is not None:
        assert rles[0]["size"] == [*size]
        assert 0 <= mask_areas(rles)[0] <= size[0] * size[1]
        if size == SIZE:
            assert decode_segmentation(shapes, size).sum() == mask_areas(rles)[0]
