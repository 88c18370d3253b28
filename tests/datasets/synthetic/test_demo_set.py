import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.datasets.synthetic.demo_set import (
    MIN_VISIBLE_PX,
    SPLITS,
    DemoParameters,
    generate_demo_set,
    has_demo_set,
)
from mmdet.datasets.synthetic.scene import render_video
from mmdet.datasets.synthetic.shapes import CLASS_NAMES, SPRITE_SIZE, make_sprite, sample_textures
from mmdet.errors import UserError
from mmdet.evaluation.ap.evaluate import evaluate
from mmdet.fileio.annotations.vis_json import load_vis_json
from mmdet.ops.masks.segmentations import decode_rle

SMALL = DemoParameters(train_videos=4, valid_videos=2, length=6, size=(64, 96))


def generate(root, **changes):
    arguments = {"train_videos": 4, "valid_videos": 2, "length": 6, "size": (64, 96), "seed": 0}
    generate_demo_set(root, **{**arguments, **changes})


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    generate(root)
    return root


def read(root, split):
    return json.loads((root / "annotations" / f"instances_{split}.json").read_text())


def digest(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def frames_with_masks(content):
    """Yield (video, frame index, [(annotation, mask)]) of every frame."""
    for video in content["videos"]:
        tracks = [a for a in content["annotations"] if a["video_id"] == video["id"]]
        for index in range(video["length"]):
            seen = [a for a in tracks if a["segmentations"][index] is not None]
            yield video, index, [(a, decode_rle(a["segmentations"][index])) for a in seen]


def test_same_seed_gives_the_same_bytes(demo, tmp_path):
    generate(tmp_path)
    assert digest(tmp_path) == digest(demo)


def test_another_seed_gives_other_pictures(demo, tmp_path):
    generate(tmp_path, train_videos=1, valid_videos=1, seed=1)
    name = "train_images/train_0000/00000.jpg"
    assert (tmp_path / name).read_bytes() != (demo / name).read_bytes()


@pytest.mark.parametrize("split", SPLITS)
def test_every_named_frame_exists_at_the_stated_size(demo, split):
    content = read(demo, split)
    assert len(content["videos"]) == {"train": 4, "valid": 2}[split]
    for video in content["videos"]:
        assert video["length"] == len(video["file_names"]) == 6
        for name in video["file_names"]:
            picture = cv2.imread(str(demo / f"{split}_images" / name))
            assert picture.shape == (video["height"], video["width"], 3)


@pytest.mark.parametrize("split", SPLITS)
def test_the_loader_reads_the_annotations(demo, split):
    data = load_vis_json(demo / "annotations" / f"instances_{split}.json")
    assert [category.name for category in data.categories] == list(CLASS_NAMES)


def test_masks_of_a_frame_are_disjoint_and_large_enough(demo):
    for _, _, objects in frames_with_masks(read(demo, "train")):
        stack = np.stack([mask for _, mask in objects])
        assert stack.sum(axis=0).max() == 1
        assert stack.sum(axis=(1, 2)).min() >= MIN_VISIBLE_PX


def test_boxes_and_areas_fit_their_masks(demo):
    for _, index, objects in frames_with_masks(read(demo, "train")):
        for annotation, mask in objects:
            x, y, width, height = annotation["bboxes"][index]
            inside = mask[y : y + height, x : x + width]
            assert inside.sum() == mask.sum() == annotation["areas"][index]
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()


def test_absent_frames_are_null_in_every_list(demo):
    for annotation in read(demo, "train")["annotations"]:
        lists = [annotation[key] for key in ("segmentations", "bboxes", "areas", "occlusion")]
        for entries in zip(*lists, strict=True):
            assert len({entry is None for entry in entries}) == 1
        assert any(entry is not None for entry in lists[0])


def test_ids_are_neither_contiguous_nor_from_one(demo):
    content = read(demo, "train")
    for ids in ([c["id"] for c in content["categories"]], [v["id"] for v in content["videos"]]):
        assert ids[0] > 1
        assert max(b - a for a, b in zip(ids, ids[1:], strict=False)) > 1


def test_held_out_textures_and_colour_pairs_never_occur_in_training(demo):
    textures = {split: [a["texture"] for a in read(demo, split)["annotations"]] for split in SPLITS}
    pairs = {split: {tuple(t.split("-")[:2]) for t in textures[split]} for split in SPLITS}
    assert pairs["train"].isdisjoint(pairs["valid"])
    assert len(set(textures["train"])) == len(textures["train"])


def test_colour_pairs_of_the_splits_are_disjoint_over_many_draws():
    rng = np.random.default_rng(0)
    drawn = {h: {(t.hue, t.accent) for _ in range(200) for t in sample_textures(rng, 6, h)} for h in (False, True)}
    assert drawn[False].isdisjoint(drawn[True])
    assert min(map(len, drawn.values())) > 50


def test_objects_of_one_video_have_clearly_different_ground_colours():
    hues = sorted(t.hue for t in sample_textures(np.random.default_rng(0), 6, False))
    assert min(b - a for a, b in zip(hues, hues[1:], strict=False)) >= 2


def test_every_frame_shows_three_to_six_objects(demo):
    for split in SPLITS:
        counts = [len(objects) for _, _, objects in frames_with_masks(read(demo, split))]
        assert min(counts) >= 3
        assert max(counts) <= 6


def test_info_counts_the_hard_tracks(demo):
    content = read(demo, "train")
    hard = 0
    for annotation in content["annotations"]:
        seen = [i for i, area in enumerate(annotation["areas"]) if area is not None]
        hard += "severe_occlusion" in annotation["occlusion"] or seen != list(range(seen[0], seen[-1] + 1))
    counted = content["info"]["statistics"]
    assert counted["hard_tracks"] == hard
    assert counted["tracks"] == len(content["annotations"])
    assert counted["hard_fraction"] >= 0.3


def test_occlusion_follows_the_hidden_share():
    video = render_video((0, 0, 1), 12, (64, 96), held_out=False)
    most = np.unravel_index(video.hidden.argmax(), video.hidden.shape)
    alone = video.hidden == 0
    assert video.hidden[most] > 0.5
    assert video.masks.sum(axis=(2, 3))[alone].mean() > 2 * video.masks[most].sum()


@pytest.mark.parametrize("label", range(len(CLASS_NAMES)))
def test_a_sprite_fits_its_square_with_its_shadow(label):
    sprite = make_sprite(label, sample_textures(np.random.default_rng(0), 1, False)[0])
    assert sprite.colour.shape == (SPRITE_SIZE, SPRITE_SIZE, 3)
    for layer in (sprite.coverage, sprite.shadow):
        border = np.concatenate([layer[0], layer[-1], layer[:, 0], layer[:, -1]])
        assert border.max() < 0.02
    assert sprite.coverage.max() == 1


def test_a_complete_set_is_recognised_only_with_its_own_parameters(demo):
    assert has_demo_set(demo, SMALL)
    assert not has_demo_set(demo, DemoParameters())


def test_a_set_with_a_missing_frame_is_not_complete(tmp_path):
    generate(tmp_path)
    (tmp_path / "valid_images" / "valid_0001" / "00005.jpg").unlink()
    assert not has_demo_set(tmp_path, SMALL)


def test_annotations_of_another_set_are_not_overwritten(tmp_path):
    path = tmp_path / "annotations" / "instances_train.json"
    path.parent.mkdir()
    path.write_text('{"videos": []}')
    with pytest.raises(UserError, match="choose another root"):
        generate(tmp_path)
    assert path.read_text() == '{"videos": []}'


def test_a_set_of_no_videos_is_refused(tmp_path):
    with pytest.raises(UserError, match="at least one video"):
        generate(tmp_path, valid_videos=0)


def test_the_tool_leaves_a_complete_set_alone(demo):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    tool = Path(__file__).parents[3] / "tools" / "make_demo_data.py"
    options = ["--train-videos", "4", "--valid-videos", "2", "--length", "6", "--size", "64", "96"]
    done = subprocess.run(
        [sys.executable, str(tool), "--root", str(demo), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "already there" in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in demo.rglob("*")}


def as_results(content, split_tracks):
    """The truth as results; `split_tracks` gives every frame of a track an id of its own."""
    entries = []
    for annotation in content["annotations"]:
        segmentations = annotation["segmentations"]
        if split_tracks:
            parts = [
                [rle if i == frame else None for i in range(len(segmentations))]
                for frame, rle in enumerate(segmentations)
                if rle is not None
            ]
        else:
            parts = [segmentations]
        for part in parts:
            keys = {key: annotation[key] for key in ("video_id", "category_id")}
            entries.append({**keys, "score": 1.0, "segmentations": part})
    return entries


@pytest.mark.parametrize(("split_tracks", "low", "high"), [(False, 1.0, 1.0), (True, 0.0, 0.1)])
def test_perfect_masks_need_identities(demo, split_tracks, low, high):
    content = read(demo, "valid")
    ap = evaluate(content, as_results(content, split_tracks)).stats["AP"]
    assert low <= ap <= high
