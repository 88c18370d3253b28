import copy
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet.datasets import load_vis_json
from mmdet.datasets.prepare.find_sets import find_ann_files, find_img_prefix
from mmdet.datasets.prepare.split import choose_valid, split_videos, track_table
from mmdet.errors import UserError

MAIN = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "make_split.py"))["main"]


def make_raw(tracks_of_videos, num_categories=4):
    """A file with a list of category ids for each video; ids of videos run backwards."""
    videos = [{"id": 100 - i, "file_names": [f"{i}.jpg"], "extra": i} for i in range(len(tracks_of_videos))]
    entries = [
        {"video_id": video["id"], "category_id": category, "occlusion": ["slight"]}
        for video, categories in zip(videos, tracks_of_videos, strict=True)
        for category in categories
    ]
    annotations = [{"id": number, **entry} for number, entry in enumerate(entries)]
    categories = [{"id": i, "name": f"class{i}"} for i in range(num_categories)]
    return {
        "info": {"year": 1},
        "licenses": [2],
        "videos": videos,
        "annotations": annotations,
        "categories": categories,
    }


FILES = st.lists(st.lists(st.integers(0, 3), max_size=6), min_size=2, max_size=12).filter(any).map(make_raw)
FRACTIONS = st.floats(0.01, 0.99)


def ids(part, key):
    return [entry["id"] for entry in part[key]]


@settings(max_examples=60, deadline=None)
@given(FILES, FRACTIONS, st.integers(0, 9))
def test_nothing_is_lost_or_in_both(raw, fraction, seed):
    before = copy.deepcopy(raw)
    train, valid = split_videos(raw, fraction, seed)
    assert raw == before
    for key in ("videos", "annotations"):
        assert sorted(train[key] + valid[key], key=lambda e: e["id"]) == sorted(raw[key], key=lambda e: e["id"])
    for part in (train, valid):
        assert part["videos"]
        assert {entry["video_id"] for entry in part["annotations"]} <= set(ids(part, "videos"))
        assert {key: part[key] for key in ("info", "licenses", "categories")} == {
            key: raw[key] for key in ("info", "licenses", "categories")
        }


@settings(max_examples=40, deadline=None)
@given(FILES, FRACTIONS, st.integers(0, 9), st.randoms(use_true_random=False))
def test_the_order_of_the_file_does_not_matter(raw, fraction, seed, random):
    _, valid = split_videos(raw, fraction, seed)
    shuffled = {
        **raw,
        **{key: random.sample(raw[key], len(raw[key])) for key in ("videos", "annotations", "categories")},
    }
    _, again = split_videos(shuffled, fraction, seed)
    assert set(ids(again, "videos")) == set(ids(valid, "videos"))


def test_another_seed_holds_other_videos_back():
    raw = make_raw([[i % 4] for i in range(40)])
    chosen = {tuple(ids(split_videos(raw, 0.2, seed)[1], "videos")) for seed in range(5)}
    assert len(chosen) == 5


def test_categories_keep_their_shares():
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(1, 26)  # a few frequent categories and many rare ones
    counts = np.stack([rng.multinomial(rng.integers(1, 9), popularity / popularity.sum()) for _ in range(600)])
    valid = choose_valid(counts, 0.1, seed=0)
    off = np.abs(counts[valid].sum(axis=0) / counts.sum(axis=0) - 0.1)
    assert off.max() < 0.05
    assert np.median(off) < 0.01
    assert abs(valid.mean() - 0.1) < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_a_category_of_two_videos_is_on_both_sides(seed):
    raw = make_raw([[0, 1], [0], [0, 2], [0, 2], [0], [0, 1], *[[0, 3]] * 20])
    for part in split_videos(raw, 0.1, seed):
        assert {entry["category_id"] for entry in part["annotations"]} == {0, 1, 2, 3}


def test_a_category_of_one_video_stays_in_training():
    raw = make_raw([[0], [0], [0], [0], [1]])
    train, _ = split_videos(raw, 0.1, 0)
    assert 1 in {entry["category_id"] for entry in train["annotations"]}


def test_the_table_has_a_line_a_category_and_the_sums():
    raw = make_raw([[0, 0], [0], [1], [1]])
    table = track_table(*split_videos(raw, 0.5, 0)).splitlines()
    assert [line.split()[0] for line in table] == ["category", "class0", "class1", "class2", "class3", "all", "videos"]
    assert table[2].split()[1:] == ["1", "1", "50.0%"]
    assert table[-1].split()[1:] == ["2", "2", "50.0%"]


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_fractions_outside_are_refused(fraction):
    with pytest.raises(UserError, match="expected a number between 0 and 1"):
        split_videos(make_raw([[0], [0]]), fraction, 0)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(UserError, match="1 video: two parts need at least 2"):
        split_videos(make_raw([[0]]), 0.5, 0)
    with pytest.raises(UserError, match="no annotations"):
        split_videos({**make_raw([[0], [0]]), "annotations": None}, 0.5, 0)
    with pytest.raises(UserError, match="the seed is -1"):
        split_videos(make_raw([[0], [0]]), 0.5, -1)


def test_the_tool_writes_two_files_that_load_and_find_their_frames(two_videos, capsys):
    two_videos.raw["annotations"][0]["occlusion"] = ["slight"] * 6
    two_videos.write()
    assert MAIN([str(two_videos.ann_file), "--valid", "0.4"]) == 0
    assert "all tracks" in capsys.readouterr().out
    paths = [two_videos.ann_file.with_name(f"instances_train_{part}.json") for part in ("train", "valid")]
    assert set(find_ann_files(two_videos.folder)) == {two_videos.ann_file, *paths}
    assert sum(len(load_vis_json(path).videos) for path in paths) == 2
    assert all(find_img_prefix(path, load_vis_json(path)) == two_videos.img_prefix for path in paths)
    entries = [entry for path in paths for entry in json.loads(path.read_text())["annotations"]]
    assert sorted(entries, key=lambda e: e["id"]) == sorted(two_videos.raw["annotations"], key=lambda e: e["id"])


def test_parts_made_before_are_overwritten_only_by_force(two_videos, tmp_path, capsys):
    two_videos.write()
    command = [str(two_videos.ann_file), "--valid", "0.4", "--out-dir", str(tmp_path / "parts")]
    assert MAIN(command) == 0
    first = (tmp_path / "parts" / "instances_train_valid.json").read_bytes()
    assert MAIN(command) == 2
    assert "--force overwrites them" in capsys.readouterr().err
    assert MAIN([*command, "--force"]) == 0
    assert (tmp_path / "parts" / "instances_train_valid.json").read_bytes() == first


def test_a_broken_file_ends_with_2_before_anything_is_written(two_videos, capsys):
    two_videos.raw["annotations"][0]["video_id"] = 4
    two_videos.write_json()
    assert MAIN([str(two_videos.ann_file)]) == 2
    assert "no video has the id 4" in capsys.readouterr().err
    assert len(list(two_videos.ann_file.parent.iterdir())) == 1
