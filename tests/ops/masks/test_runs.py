import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmdet.ops import extension
from mmdet.ops.masks import runs as rle_runs
from mmdet.ops.masks.runs import decode_counts, encode_counts, find_runs, track_overlaps
from mmdet.ops.masks.segmentations import encode_masks

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
    assert [runs.lengths_of(index).tolist() for index in range(len(masks))] == [runs_of(mask) for mask in masks]
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


@pytest.mark.compiled
def test_overlaps_sum_over_the_frames_that_both_tracks_have():
    if not extension.load():
        pytest.skip("the compiled ops are not built: bash compile.sh")
    rng = np.random.default_rng(1)
    masks = rng.random((6, 8, 9)) < 0.5
    runs = decode_counts([rle["counts"] for rle in encode_masks(masks)], [72] * 6)
    first, second = np.array([[0, 1, 2], [3, -1, 0]]), np.array([[4, 5], [-1, 3], [0, -1]])
    expected = [
        [sum(int((masks[a] & masks[b]).sum()) for a, b in zip(x, y, strict=False) if min(a, b) >= 0) for y in second]
        for x in first
    ]
    assert track_overlaps(runs, first, second).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=12)))
def test_runs_found_by_torch_encode_to_what_pycocotools_encodes(masks):
    lengths, starts = find_runs(torch.from_numpy(masks))
    expected = [rle["counts"] for rle in encode_masks(masks)]
    assert lengths.sum() == masks.size
    for compiled in (True, False):
        assert encode_counts(lengths, starts, compiled=compiled) == expected


def test_runs_are_the_same_whatever_is_compared_or_encoded_at_once(monkeypatch):
    masks = np.random.default_rng(2).random((9, 30, 40)) < 0.5
    expected = [rle["counts"] for rle in encode_masks(masks)]
    for pixels, runs in ((1, 1), (2 * 1200, 700), (9 * 1200, 10**6)):
        monkeypatch.setattr(rle_runs, "_PIXELS_AT_ONCE", pixels)
        monkeypatch.setattr(rle_runs, "_RUNS_A_THREAD", runs)
        assert encode_counts(*find_runs(torch.from_numpy(masks))) == expected


def test_no_masks_have_no_codes():
    lengths, starts = find_runs(torch.zeros(0, 4, 5, dtype=torch.bool))
    assert (len(lengths), starts.tolist()) == (0, [0])
    assert encode_counts(lengths, starts) == encode_counts(lengths, starts, compiled=False) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 15, 16, 17, 31, 32, 511, 512, 513, 2**15, 2**27]), min_size=1, max_size=9))
def test_numbers_of_all_lengths_are_written_as_pycocotools_writes_them(runs):
    lengths, starts = np.array(runs, np.int32), np.array([0, len(runs)])
    if sum(runs) < 2**29:  # pycocotools adds up in 32 bits
        assert encode_counts(lengths, starts) == encode_counts(lengths, starts, compiled=False)
        (counts,) = encode_counts(lengths, starts)
        assert decode_counts([counts], [sum(runs)]).lengths_of(0)[: len(runs)].tolist() == runs


@pytest.mark.cuda
@pytest.mark.parametrize("density", [0.0, 0.0001, 0.5, 1.0])
def test_masks_on_a_gpu_get_the_codes_of_those_on_the_host(density):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    masks = torch.rand(5, 720, 1280, generator=torch.Generator().manual_seed(0)) < density
    assert encode_masks(masks.cuda()) == encode_masks(masks)
    assert encode_masks(masks[:0].cuda()) == []
