"""--map-categories of train.py, test_video.py and tools/eval_results.py."""

import json

import numpy as np
import pytest
from programs import load_program
from pycocotools import mask as coco_mask

from mmdet.structures.results import VideoResult

# by the names of the tiny set; rings are called hearts
OTHER_IDS = {"disc": 60, "triangle": 70, "star": 80, "cross": 90, "ring": 50}


@pytest.fixture
def other(tiny_set, tmp_path):
    """The valid split with other spellings, order and ids, without ring, and with one class more."""
    path = tmp_path / "other.json"
    data = json.loads((tiny_set / "annotations/instances_valid.json").read_text())
    names = {one["id"]: one["name"] for one in data["categories"]}
    ids = {"cross": 90, "Star_": 80, "TRIANGLE": 70, "disc": 60, "heart": 50}
    data["categories"] = [{"id": number, "name": name} for name, number in ids.items()]
    for annotation in data["annotations"]:
        annotation["category_id"] = OTHER_IDS[names[annotation["category_id"]]]
    path.write_text(json.dumps(data))
    return path


def test_a_set_of_other_classes_is_tested_on_the_common_ones(run, config, checkpoint, tiny_set, other, tmp_path):
    option = ("--cfg-options", f"data.test.dataset.ann_file={other}")
    done = run(
        "test_video", config, checkpoint, "--map-categories", "--out", tmp_path / "m.pkl", "--eval", "segm", *option
    )
    assert done.code == 0, done.err
    assert "4 of 5 categories are known to the model" in done.out
    assert "categories that the model does not know, left out: heart" in done.out
    assert "masks, 4 common categories" in done.out
    plain = run("test_video", config, checkpoint, "--out", tmp_path / "p.pkl")
    assert plain.code == 0, plain.err
    ours, theirs = (json.loads((tmp_path / f"{name}.pkl.json").read_text()) for name in "mp")
    names = json.loads((tiny_set / "annotations/instances_valid.json").read_text())["categories"]
    ids = {one["id"]: OTHER_IDS[one["name"]] for one in names if one["name"] != "ring"}
    expected = [{**one, "category_id": ids[one["category_id"]]} for one in theirs if one["category_id"] in ids]
    assert len(theirs) > len(expected) > 0
    assert sorted(map(json.dumps, ours)) == sorted(map(json.dumps, expected))


def test_pairs_add_a_class_and_labels_of_frames_are_the_sets(run, config, checkpoint, other, tmp_path):
    done = run(
        "test_video", config, checkpoint, "--map-categories", "heart=ring", "--dump_bbox", "--out", tmp_path / "m.pkl",
        "--cfg-options", f"data.test.dataset.ann_file={other}",
    )  # fmt: skip
    assert done.code == 0, done.err
    entries = json.loads((tmp_path / "m.pkl.json").read_text())
    places = {90: 0, 80: 1, 70: 2, 60: 3, 50: 4}
    assert {entry["category_id"] for entry in entries} <= set(places)
    again = VideoResult.from_json([entries[0]], 1, (64, 96), 4, [90, 80, 70, 60, 50])
    assert again.tubes[0].label == places[entries[0]["category_id"]]


def test_a_pair_of_a_category_that_the_set_lacks_is_one_line(run, config, checkpoint, other, tmp_path):
    option = ("--cfg-options", f"data.test.dataset.ann_file={other}")
    done = run("test_video", config, checkpoint, "--map-categories", "haert=ring", "--out", tmp_path / "m.pkl", *option)
    assert done.code == 2
    assert "has no category 'haert'; did you mean heart" in done.err
    assert not (tmp_path / "m.pkl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--trust-classes"], "--trust-classes takes them in order: give one")],
)
def test_options_that_exclude_the_mapping_are_refused(run, config, checkpoint, tmp_path, options, message):
    done = run("test_video", config, checkpoint, "--map-categories", *options, "--out", tmp_path / "m.pkl")
    assert done.code == 2
    assert message in done.err


def test_training_mixes_sets_of_other_classes_and_validates_on_the_common_ones(run, config, tiny_set, other, tmp_path):
    second = {"type": "VISDataset", "ann_file": str(other), "img_prefix": str(tiny_set / "valid_images")}
    source = config.read_text()
    changed = tmp_path / "mixed.py"
    changed.write_text(
        source.replace(
            "            )\n        ],\n", f"            ),\n            dict({second!r}, transforms=[]),\n        ],\n"
        )
    )
    arguments = ("train", changed, "--work_dir", tmp_path / "w", "--validate")
    values = ("--cfg-options", "schedule.steps=1", f"data.test.dataset.ann_file={other}")
    refused = run(*arguments, *values)
    assert refused.code == 2
    assert "--map-categories matches them by name" in refused.err
    done = run(*arguments, "--map-categories", "heart=ring", *values)
    assert done.code == 0, done.err
    log = (tmp_path / "w/train.log").read_text()
    assert "5 of 5 categories are classes of the model" in log
    assert "5 of 5 categories are known to the model" in log
    assert "Star_     star" in log


@pytest.fixture
def evaluate(monkeypatch, capsys):
    module = load_program("tools/eval_results")

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["eval_results.py", *map(str, arguments)])
        code = module.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_results_of_other_ids_are_scored_by_name(evaluate, tmp_path):
    mask = coco_mask.encode(np.asfortranarray(np.eye(4, dtype=np.uint8)))
    mask["counts"] = mask["counts"].decode()
    track = {"bboxes": [[0, 0, 1, 4]], "areas": [4], "segmentations": [mask], "iscrowd": 0}
    truth = {
        "videos": [{"id": 1, "height": 4, "width": 4, "file_names": ["a/0.jpg"], "length": 1}],
        "categories": [{"id": 1, "name": "Cat"}, {"id": 2, "name": "Vehical"}, {"id": 3, "name": "Sheep"}],
        "annotations": [{**track, "id": number, "video_id": 1, "category_id": number} for number in (1, 2, 3)],
    }
    results = [
        {"video_id": 1, "category_id": number, "score": 0.5, "segmentations": [mask]} for number in (6, 37, 26)
    ]  # of YouTube-VIS 2021: cat, truck, person
    for name, content in (("truth", truth), ("results", results)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    paths = (tmp_path / "truth.json", tmp_path / "results.json")
    code, out, _ = evaluate(
        *paths, "--map-categories", "--categories", "youtube_vis_2021", "--out", tmp_path / "f.json"
    )
    assert code == 0
    assert "2 of 3 categories are known to the model" in out
    assert "left out: Sheep (1 tracks)" in out
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["stats"]["AP"] == pytest.approx(1.0)
    assert set(figures["per_category"]) == {"1", "2"}


def test_results_that_do_not_name_their_categories_ask_for_them(evaluate, tmp_path):
    (tmp_path / "truth.json").write_text(json.dumps({"videos": [], "categories": [{"id": 1, "name": "cat"}]}))
    (tmp_path / "results.json").write_text("[]")
    code, _, err = evaluate(tmp_path / "truth.json", tmp_path / "results.json", "--map-categories")
    assert code == 2
    assert "does not name its categories: say what its ids mean by --categories" in err
