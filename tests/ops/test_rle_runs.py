import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet.ops.masks import encode_masks
from mmdet.ops.rle_runs import decode_counts, track_overlaps

BOTH = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "numpy"])


def runs_of(mask):
    """The runs down the columns, counted one by one."""
    runs, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs + [0] * (len(runs) % 2)


@BOTH
def test_runs_and_areas_are_those_of_the_masks(compiled):
    rng = np.random.default_rng(0)
    masks = np.concatenate([rng.random((40, 37, 90)) < density for density in (0.0, 0.003, 0.5, 1.0)])
    masks[7, 0, 0] = True
    counts = [rle["counts"] for rle in encode_masks(masks)]
    runs = decode_counts(counts, [37 * 90] * len(masks), compiled=compiled)
    assert [runs.of(index).tolist() for index in range(len(masks))] == [runs_of(mask) for mask in masks]
    assert runs.areas.tolist() == masks.sum(axis=(1, 2)).tolist()


@BOTH
def test_no_masks_have_no_runs(compiled):
    runs = decode_counts([], [], compiled=compiled)
    assert (len(runs.lengths), runs.starts.tolist(), len(runs.areas)) == (0, [0], 0)


@BOTH
@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ("", "cover 0 pixels"),
        ("0", "cover 0 pixels"),
        ("5", "cover 5 pixels"),
        ("P", "middle of a number"),
        ("PPPPPP0", "more than 6"),
        ("7K", "negative run"),
        ("é", "no run-length code"),
        ("漢", "no run-length code"),
        ("/4", "no run-length code"),
        ("p4", "no run-length code"),
    ],
)
def test_malformed_counts_say_what_is_wrong(compiled, counts, reason):
    with pytest.raises(ValueError, match=reason):
        decode_counts(["4", counts], [4, 12], compiled=compiled)


@BOTH
def test_runs_beyond_32_bits_are_malformed(compiled):
    # 2^29 - 1 again and again: differences add up beyond 2^32 and back to a small number
    large = "ooooo?"
    with pytest.raises(ValueError, match="counts"):
        decode_counts(["0" + large * 40], [2**27], compiled=compiled)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.text(st.characters(min_codepoint=46, max_codepoint=113), max_size=12), max_size=4), st.integers(1, 40)
)
def test_both_decoders_take_and_refuse_the_same(counts, pixels):
    outcomes = []
    for compiled in (True, False):
        try:
            runs = decode_counts(counts, [pixels] * len(counts), compiled=compiled)
            outcomes.append((runs.lengths.tolist(), runs.starts.tolist(), runs.areas.tolist()))
        except ValueError:
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1]


def test_overlaps_sum_over_the_frames_that_both_tracks_have():
    rng = np.random.default_rng(1)
    masks = rng.random((6, 8, 9)) < 0.5
    runs = decode_counts([rle["counts"] for rle in encode_masks(masks)], [72] * 6)
    first, second = np.array([[0, 1, 2], [3, -1, 0]]), np.array([[4, 5], [-1, 3], [0, -1]])
    expected = [
        [sum(int((masks[a] & masks[b]).sum()) for a, b in zip(x, y, strict=False) if min(a, b) >= 0) for y in second]
        for x in first
    ]
    assert track_overlaps(runs, first, second).tolist() == expected
